package vdisk

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"unicode/utf16"

	"vitrine/blockdev"
)

// Types of partitions.
const (
	TypeBasicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" // Windows' volumes
	TypeLinux     = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	TypeEFISystem = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
)

// GPTOptions describe the disk around a partition. The zero value works.
type GPTOptions struct {
	// Seed makes the identifiers: of the point and the partition, say.
	Seed []byte
	// Type is the partition's type. "": TypeBasicData.
	Type string
	// Name of the partition, at most 36 UTF-16 units.
	Name string
	// Attributes as the table holds them: bit 60 is Windows' read-only.
	Attributes uint64
}

const (
	gptEntries   = 128
	gptEntryLen  = 128
	gptHeaderLen = 92
	gptAlign     = 1 << 20 // where the partition begins, in bytes
)

// GPT returns a disk with one partition, which is the given device. The table
// is that of the UEFI specification, 2.10, section 5.3.
func GPT(partition blockdev.Device, o GPTOptions) (*Disk, error) {
	sector := int64(partition.SectorSize())
	length := padded(partition.Size(), sector)
	tail := sector + padded(gptEntries*gptEntryLen, sector) // entries, header
	if length == 0 || length > math.MaxInt64-4*gptAlign {
		return nil, fmt.Errorf("a partition of %d bytes: %w", length, blockdev.ErrRange)
	}
	total := padded(gptAlign+length+tail, gptAlign)
	entries, err := o.entries(gptAlign/sector, (gptAlign+length)/sector-1)
	if err != nil {
		return nil, err
	}
	g := gpt{sector: sector, last: total/sector - 1, disk: guid(o.Seed, "disk"), entries: entries}
	return newDisk(int(sector),
		part{gptAlign, blockdev.Bytes{B: g.head(), Sector: int(sector)}},
		part{length, partition},
		part{total - gptAlign - length - tail, nil},
		part{tail, blockdev.Bytes{B: g.tail(), Sector: int(sector)}}), nil
}

// entries makes the table of partitions. Entry:
//
//	off len field
//	  0  16 type
//	 16  16 unique GUID
//	 32   8 first LBA
//	 40   8 last LBA
//	 48   8 attributes
//	 56  72 name, UTF-16LE
func (o GPTOptions) entries(first, last int64) ([]byte, error) {
	kind, err := parseGUID(o.Type)
	if err != nil {
		return nil, err
	}
	name := utf16.Encode([]rune(o.Name))
	if len(name) > 36 {
		return nil, errors.New("the partition's name is longer than 36 UTF-16 units")
	}
	b := make([]byte, gptEntries*gptEntryLen)
	id := swapped(guid(o.Seed, "partition"))
	copy(b, kind[:])
	copy(b[16:], id[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(first))
	binary.LittleEndian.PutUint64(b[40:], uint64(last))
	binary.LittleEndian.PutUint64(b[48:], o.Attributes)
	for i, u := range name {
		binary.LittleEndian.PutUint16(b[56+2*i:], u)
	}
	return b, nil
}

// parseGUID returns a GUID as GPT stores it.
func parseGUID(s string) (g [16]byte, err error) {
	if s == "" {
		s = TypeBasicData
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return g, fmt.Errorf("%q is no GUID", s)
	}
	return swapped([16]byte(b)), nil
}

type gpt struct {
	sector  int64
	last    int64 // LBA
	disk    [16]byte
	entries []byte
}

// head is what lies before the partition: protective MBR, header, entries.
func (g *gpt) head() []byte {
	b := make([]byte, 2*g.sector+int64(len(g.entries)))
	g.protect(b)
	copy(b[g.sector:], g.header(1, g.last, 2))
	copy(b[2*g.sector:], g.entries)
	return b
}

// tail is the second copy: entries, header.
func (g *gpt) tail() []byte {
	room := padded(int64(len(g.entries)), g.sector)
	b := make([]byte, room+g.sector)
	copy(b, g.entries)
	copy(b[room:], g.header(g.last, 1, g.last-room/g.sector))
	return b
}

// protect writes the MBR that keeps old programs away, table 5-4.
func (g *gpt) protect(b []byte) {
	e := b[446:]
	copy(e, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(e[8:], 1)
	binary.LittleEndian.PutUint32(e[12:], uint32(min(g.last, math.MaxUint32)))
	b[510], b[511] = 0x55, 0xaa
}

// header, table 5-5:
//
//	off len field
//	  0   8 "EFI PART"
//	  8   4 revision 1.0
//	 12   4 length of the header
//	 16   4 CRC-32 of the header with this field zero
//	 24   8 LBA of this header
//	 32   8 LBA of the other
//	 40   8 first usable LBA
//	 48   8 last usable LBA
//	 56  16 disk GUID
//	 72   8 LBA of the entries
//	 80   4 number of entries
//	 84   4 length of an entry
//	 88   4 CRC-32 of the entries
func (g *gpt) header(at, other, entries int64) []byte {
	le := binary.LittleEndian
	table := padded(int64(len(g.entries)), g.sector) / g.sector
	id := swapped(g.disk)
	b := make([]byte, gptHeaderLen)
	copy(b, "EFI PART\x00\x00\x01\x00")
	le.PutUint32(b[12:], gptHeaderLen)
	le.PutUint64(b[24:], uint64(at))
	le.PutUint64(b[32:], uint64(other))
	le.PutUint64(b[40:], uint64(2+table))
	le.PutUint64(b[48:], uint64(g.last-table-1))
	copy(b[56:], id[:])
	le.PutUint64(b[72:], uint64(entries))
	le.PutUint32(b[80:], gptEntries)
	le.PutUint32(b[84:], gptEntryLen)
	le.PutUint32(b[88:], crc32.ChecksumIEEE(g.entries))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b))
	return b
}
