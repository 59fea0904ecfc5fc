package volume

import (
	"encoding/binary"
	"io"
)

// offHidden is the field of NTFS and FAT boot sectors that holds the number of
// sectors before the partition; boot code goes by it.
const offHidden = 0x1c

// MoveStart gives the sectors to rewrite when a volume of size bytes moves to
// start, in bytes from the front of its disk: the boot sector and its copy of
// NTFS, FAT12, FAT16 and FAT32. Nothing for what does not record its place, or
// records that place already. It also gives the place recorded now, in
// sectors.
func MoveStart(r io.ReaderAt, size, start int64) (was uint32, pieces []Piece, err error) {
	info := Detect(r, size)
	s := int64(info.sector)
	if s == 0 || start%s != 0 || start/s > 1<<32-1 {
		return 0, nil, nil
	}
	boot := make([]byte, s)
	if err := readFull(r, boot, 0); err != nil {
		return 0, nil, err
	}
	was = binary.LittleEndian.Uint32(boot[offHidden:])
	for _, off := range bootSectors(info.Kind, boot, s, size) {
		p, err := withHidden(r, off, s, uint32(start/s))
		if err != nil {
			return was, nil, err
		}
		if p != nil {
			pieces = append(pieces, *p)
		}
	}
	return was, pieces, nil
}

// bootSectors are the offsets of the boot sector and its copy. NTFS keeps the
// copy after its last sector (their number is at 40), FAT32 where 50 says.
func bootSectors(kind string, boot []byte, s, size int64) []int64 {
	le := binary.LittleEndian
	switch kind {
	case "ntfs":
		if n := le.Uint64(boot[40:]); n > 0 && n < uint64(size/s) {
			return []int64{0, int64(n) * s}
		}
		return []int64{0}
	case "fat32":
		if n := int64(le.Uint16(boot[50:])); n > 0 && n < int64(le.Uint16(boot[14:])) && n < size/s {
			return []int64{0, n * s}
		}
		return []int64{0}
	case "fat12", "fat16":
		return []int64{0}
	}
	return nil
}

// withHidden gives the boot sector at off with its place changed; nil when it
// is none or says so already.
func withHidden(r io.ReaderAt, off, s int64, hidden uint32) (*Piece, error) {
	b := make([]byte, s)
	if err := readFull(r, b, off); err != nil {
		return nil, err
	}
	if !bootSector(b).ok || binary.LittleEndian.Uint32(b[offHidden:]) == hidden {
		return nil, nil
	}
	binary.LittleEndian.PutUint32(b[offHidden:], hidden)
	return &Piece{off, b}, nil
}
