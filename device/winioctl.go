package device

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// errShortAnswer: a driver's answer is shorter than what it says it holds.
var errShortAnswer = errors.New("the driver's answer is cut off")

// answer is what a driver wrote into our buffer; reads beyond it give zeros
// and are remembered.
type answer struct {
	b     []byte
	short bool
}

func (a *answer) bytes(off, n int) []byte {
	if off < 0 || n < 0 || off > len(a.b) || n > len(a.b)-off {
		a.short = true
		return make([]byte, min(max(n, 0), 64))
	}
	return a.b[off : off+n]
}

func (a *answer) u32(off int) uint32 { return binary.LittleEndian.Uint32(a.bytes(off, 4)) }
func (a *answer) i64(off int) int64  { return int64(binary.LittleEndian.Uint64(a.bytes(off, 8))) }

func (a *answer) err() error {
	if a.short {
		return errShortAnswer
	}
	return nil
}

// text is the string of single bytes at an offset; 0 stands for none.
func (a *answer) text(off uint32) string {
	if off == 0 || uint64(off) >= uint64(len(a.b)) {
		return ""
	}
	s, _, _ := strings.Cut(string(a.b[off:]), "\x00")
	return strings.TrimSpace(strings.Map(printableASCII, s))
}

func printableASCII(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// decodeLength reads GET_LENGTH_INFORMATION: the size in bytes.
func decodeLength(b []byte) (int64, error) {
	a := answer{b: b}
	n := a.i64(0)
	return n, a.err()
}

// decodeGeometry reads DISK_GEOMETRY_EX:
//
//	off len field
//	 20   4 bytes of a sector
//	 24   8 size of the disk in bytes
func decodeGeometry(b []byte) (sector int, size int64, err error) {
	a := answer{b: b}
	sector, size = int(a.u32(20)), a.i64(24)
	return sector, size, a.err()
}

// decodeAlignment reads STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR:
//
//	off len field
//	 16   4 bytes of a logical sector
//	 20   4 bytes of a physical sector
func decodeAlignment(b []byte) (logical, physical int, err error) {
	a := answer{b: b}
	logical, physical = int(a.u32(16)), int(a.u32(20))
	return logical, physical, a.err()
}

// decodeDescriptor reads STORAGE_DEVICE_DESCRIPTOR:
//
//	off len field
//	 12   4 offset of the vendor's name, 0: none
//	 16   4 of the product's
//	 24   4 of the serial number
//	 28   4 kind of bus
func decodeDescriptor(b []byte) (model, serial string, bus uint32, err error) {
	a := answer{b: b}
	model = strings.TrimSpace(a.text(a.u32(12)) + " " + a.text(a.u32(16)))
	serial, bus = a.text(a.u32(24)), a.u32(28)
	return model, serial, bus, a.err()
}

// diskExtent is a range of a disk, in bytes.
type diskExtent struct {
	Disk     int
	Off, Len int64
}

func (e diskExtent) overlaps(o diskExtent) bool {
	return e.Disk == o.Disk && e.Off < o.Off+o.Len && o.Off < e.Off+e.Len
}

// decodeExtents reads VOLUME_DISK_EXTENTS:
//
//	off len field
//	  0   4 number of extents
//	  8  24 each: number of the disk (4), padding (4), offset (8), length (8)
func decodeExtents(b []byte) (list []diskExtent, err error) {
	const head, each = 8, 24
	a := answer{b: b}
	n := a.u32(0)
	if uint64(n) > uint64(max(len(b)-head, 0)/each) {
		return nil, errShortAnswer
	}
	for i := range int(n) {
		at := head + i*each
		list = append(list, diskExtent{int(a.u32(at)), a.i64(at + 8), a.i64(at + 16)})
	}
	return list, a.err()
}

// Styles of partition tables, as layouts name them.
const (
	styleMBR = 0
	styleGPT = 1
)

// diskLayout is a disk's partition table as the system knows it.
type diskLayout struct {
	Style      uint32 // styleMBR, styleGPT, else none
	Signature  uint32 // MBR
	Partitions []layoutPartition
}

// layoutPartition is one partition. Offsets and lengths are bytes.
type layoutPartition struct {
	Number   int
	Off, Len int64
	Type, ID [16]byte // GPT, as they are stored
	MBRType  byte
	Active   bool // MBR: the machine starts from it
	Name     string
}

// efiSystem is the type of what a machine with UEFI starts from, as it is stored.
var efiSystem = [16]byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}

// at finds the partition that begins at a byte.
func (l *diskLayout) at(off int64) *layoutPartition {
	for i := range l.Partitions {
		if l.Partitions[i].Off == off {
			return &l.Partitions[i]
		}
	}
	return nil
}

// system finds the partition that a machine starts from.
func (l *diskLayout) system() *layoutPartition {
	for i := range l.Partitions {
		if p := &l.Partitions[i]; l.Style == styleGPT && p.Type == efiSystem || l.Style == styleMBR && p.Active {
			return p
		}
	}
	return nil
}

// identity is what Windows' boot records name a partition by: its GUID in lower
// case, or the disk's signature and its place.
func (l *diskLayout) identity(p *layoutPartition) string {
	if l.Style == styleGPT {
		return guidText(p.ID)
	}
	return mbrIdentity(fmt.Sprintf("%08x", l.Signature), p.Off)
}

func mbrIdentity(signature string, off int64) string { return fmt.Sprintf("%s at %d", signature, off) }

// guidText is a GUID as people write it, in lower case.
func guidText(g [16]byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(g[:]), le.Uint16(g[4:]), le.Uint16(g[6:]), g[8:10], g[10:])
}

// basicData is the type of Windows' volumes in a GPT, as it is stored.
var basicData = [16]byte{0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7}

// holdsFiles reports whether Windows gives such a partition a letter.
func (p *layoutPartition) holdsFiles(style uint32) bool {
	if style == styleGPT {
		return p.Type == basicData
	}
	switch p.MBRType {
	case 0x01, 0x04, 0x06, 0x07, 0x0B, 0x0C, 0x0E:
		return true
	}
	return false
}

// decodeLayout reads DRIVE_LAYOUT_INFORMATION_EX:
//
//	off len field
//	  0   4 style
//	  4   4 number of entries, empty ones included
//	  8   4 signature (MBR)
//	 48 144 each:
//	        0   4 style
//	        8   8 offset in bytes
//	       16   8 length
//	       24   4 number, 0: an empty entry
//	       32   1 type (MBR)
//	       33   1 active (MBR), a BOOLEAN: not the table's own 0x80
//	       32  16 type (GPT)
//	       48  16 identifier (GPT)
//	       72  72 name (GPT), UTF-16LE
func decodeLayout(b []byte) (l diskLayout, err error) {
	const head, each = 48, 144
	a := answer{b: b}
	l.Style = a.u32(0)
	n := a.u32(4)
	if l.Style == styleMBR {
		l.Signature = a.u32(8)
	}
	if uint64(n) > uint64(max(len(b)-head, 0)/each) {
		return l, errShortAnswer
	}
	for i := range int(n) {
		if p := decodePartition(&a, head+i*each, l.Style); p.Number != 0 {
			l.Partitions = append(l.Partitions, p)
		}
	}
	return l, a.err()
}

func decodePartition(a *answer, at int, style uint32) layoutPartition {
	p := layoutPartition{Number: int(a.u32(at + 24)), Off: a.i64(at + 8), Len: a.i64(at + 16)}
	if style != styleGPT {
		p.MBRType, p.Active = a.bytes(at+32, 1)[0], a.bytes(at+33, 1)[0] != 0
		return p
	}
	p.Type, p.ID = [16]byte(a.bytes(at+32, 16)), [16]byte(a.bytes(at+48, 16))
	p.Name = utf16Text(a.bytes(at+72, 72))
	return p
}

// utf16Text is UTF-16LE up to its end or a zero.
func utf16Text(b []byte) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		c := binary.LittleEndian.Uint16(b)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// Attributes of a disk.
const (
	diskOffline  = 1
	diskReadOnly = 2
)

// decodeAttributes reads GET_DISK_ATTRIBUTES: a version, padding, and at 8 the
// attributes.
func decodeAttributes(b []byte) (uint64, error) {
	a := answer{b: b}
	n := a.i64(8)
	return uint64(n), a.err()
}

// encodeAttributes makes SET_DISK_ATTRIBUTES. What it sets lasts until the
// system starts again or the disk is plugged in anew.
//
//	off len field
//	  0   4 size of this
//	  4   1 persist: no
//	  8   8 attributes
//	 16   8 which of them are meant
func encodeAttributes(attributes, mask uint64) []byte {
	b := make([]byte, 40)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint64(b[8:], attributes)
	binary.LittleEndian.PutUint64(b[16:], mask)
	return b
}

// encodeTrim makes DEVICE_MANAGE_DATA_SET_ATTRIBUTES with the action Trim, and
// one DEVICE_DATA_SET_RANGE:
//
//	off len field
//	  0   4 size of this, without the range
//	  4   4 action, 1: trim
//	  8   4 flags
//	 12   8 offset and length of parameters: none
//	 20   4 offset of the ranges
//	 24   4 their length
//	 32   8 range: offset in bytes
//	 40   8 length
func encodeTrim(off, n int64) []byte {
	const head, ranges, each, trim = 28, 32, 16, 1
	b := make([]byte, ranges+each)
	le := binary.LittleEndian
	le.PutUint32(b, head)
	le.PutUint32(b[4:], trim)
	le.PutUint32(b[20:], ranges)
	le.PutUint32(b[24:], each)
	le.PutUint64(b[ranges:], uint64(off))
	le.PutUint64(b[ranges+8:], uint64(n))
	return b
}

// decodeNumber reads STORAGE_DEVICE_NUMBER: kind of device, number of the disk,
// number of the partition (0: the disk itself).
func decodeNumber(b []byte) (disk, partition int, err error) {
	a := answer{b: b}
	disk, partition = int(a.u32(4)), int(a.u32(8))
	return disk, partition, a.err()
}
