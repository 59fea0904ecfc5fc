package volume

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Piece is bytes that belong at an offset.
type Piece struct {
	Off  int64
	Data []byte
}

// GPTMove is a GPT rewritten for a disk of another size: the same partitions
// and identifiers, the backup at the new end.
type GPTMove struct {
	Need    int64   // bytes that a disk must have for these partitions and both copies
	Primary []Piece // protective MBR, header, entries; nil when the disk is too small
	Backup  []Piece // entries, header; nil when the disk is too small
	Old     Extent  // where the old backup was; empty when partitions are there
}

// MoveGPT reads the GPT of a disk of size bytes and rewrites it for one of
// newSize bytes. A hybrid MBR is kept byte for byte.
func MoveGPT(r io.ReaderAt, size int64, sectorSize int, newSize int64) (*GPTMove, error) {
	if !saneSector(int64(sectorSize)) {
		return nil, fmt.Errorf("sector size %d: %w", sectorSize, ErrUnsupported)
	}
	d := &disk{r: r, size: size, sector: int64(sectorSize)}
	first, err := d.bytes(0, min(512, size))
	if err != nil {
		return nil, err
	}
	h := d.bestGPT()
	if h == nil {
		return nil, fmt.Errorf("no sound copy of the GPT: %w", ErrCorrupt)
	}
	if h.firstUsable < 2+d.gptSectors(h) {
		return nil, fmt.Errorf("the GPT's entries reach into its partitions: %w", ErrCorrupt)
	}
	m := &GPTMove{Need: d.gptNeed(h), Old: d.oldBackup(h)}
	if newSize >= m.Need {
		m.Primary, m.Backup = d.moved(h, first, uint64(newSize/d.sector)-1)
	}
	return m, nil
}

// gptSectors is the length of the entries in sectors.
func (d *disk) gptSectors(h *gptHeader) uint64 {
	return uint64((int64(len(h.entries)) + d.sector - 1) / d.sector)
}

// lastUsed is the last sector of a partition, or what comes before the first
// usable one.
func (h *gptHeader) lastUsed() uint64 {
	last := h.firstUsable - 1
	for e := h.entries; len(e) >= h.entrySize; e = e[h.entrySize:] {
		if string(e[:16]) != string(make([]byte, 16)) {
			last = max(last, binary.LittleEndian.Uint64(e[40:]))
		}
	}
	return last
}

// gptNeed is the smallest disk in bytes that takes the table's partitions and,
// after them, the backup.
func (d *disk) gptNeed(h *gptHeader) int64 {
	last := h.lastUsed()
	if last > 1<<62/uint64(d.sector)-d.gptSectors(h)-2 {
		return 1<<63 - 1
	}
	return int64(last+d.gptSectors(h)+2) * d.sector
}

// oldBackup is the range of the backup that the table knows of.
func (d *disk) oldBackup(h *gptHeader) Extent {
	at := max(h.self, h.other)
	n := d.gptSectors(h)
	if at > uint64(d.size/d.sector)-1 || at < n || at-n <= h.lastUsed() {
		return Extent{}
	}
	return Extent{int64(at-n) * d.sector, int64(n+1) * d.sector}
}

// moved builds both copies for a disk whose last sector is last.
func (d *disk) moved(h *gptHeader, mbr []byte, last uint64) (primary, backup []Piece) {
	n := d.gptSectors(h)
	entryLBA := h.entryLBA
	if h.self != 1 || entryLBA < 2 || entryLBA > h.firstUsable-n { // where they commonly are
		entryLBA = 2
	}
	entries := make([]byte, int64(n)*d.sector)
	copy(entries, h.entries)
	p := d.header(h, 1, last, entryLBA, last-n-1)
	b := d.header(h, last, 1, last-n, last-n-1)
	primary = []Piece{
		{0, protect(mbr, uint64(d.size/d.sector), last+1)},
		{d.sector, p},
		{int64(entryLBA) * d.sector, entries},
	}
	backup = []Piece{{int64(last-n) * d.sector, entries}, {int64(last) * d.sector, b}}
	return primary, backup
}

// header is one sector with h's header for another place.
func (d *disk) header(h *gptHeader, self, other, entries, lastUsable uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, d.sector)
	copy(b, h.raw)
	le.PutUint64(b[24:], self)
	le.PutUint64(b[32:], other)
	le.PutUint64(b[48:], lastUsable)
	le.PutUint64(b[72:], entries)
	le.PutUint32(b[16:], headerCRC(b[:len(h.raw)]))
	return b
}

// protect gives the protective MBR for a disk of sectors, which had old. Its
// size field is kept where it says "more than fits".
func protect(mbr []byte, old, sectors uint64) []byte {
	b := append([]byte(nil), mbr...)
	m := parseMBR(b)
	if m == nil || m.others() > 0 {
		return b
	}
	for i, e := range m.entries {
		if e.typ == typeGPT && uint64(e.count) == old-1 {
			binary.LittleEndian.PutUint32(b[mbrEntries+i*mbrEntrySize+12:], uint32(min(sectors-1, 1<<32-1)))
		}
	}
	return b
}
