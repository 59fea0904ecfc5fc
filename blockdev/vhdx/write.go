package vhdx

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"

	"vitrine/blockdev"
)

// Layout of the file, in bytes.
const (
	headerAt   = 64 << 10  // the two headers
	header2At  = 128 << 10 //
	regionAt   = 192 << 10 // the two tables of regions
	region2At  = 256 << 10
	logAt      = 1 << 20 // empty
	metadataAt = 2 << 20
	batAt      = 3 << 20

	unit       = 1 << 20 // regions and blocks begin at multiples
	headerSize = 4 << 10
	regionSize = 64 << 10
	itemsAt    = 64 << 10 // in the metadata
)

// MaxSize is the largest disk that the format holds, in bytes.
const MaxSize = 64 << 40

// smallBlock is the unit of allocation; disks over largeDisk have a larger one, so
// that the table of blocks stays small.
const (
	smallBlock = 2 << 20
	largeBlock = 32 << 20
	largeDisk  = 4 << 40
)

// Options of a file. The zero value works.
type Options struct {
	// Seed makes the identifiers, see [guid].
	Seed []byte
	// Progress is told how many bytes of how many are written; nil: not.
	Progress func(done, total int64)
}

// writer writes one file.
type writer struct {
	ctx    context.Context
	w      io.WriterAt
	dev    blockdev.Device
	o      Options
	size   int64 // of the disk, whole sectors
	block  int64
	ratio  int64  // payload blocks between two bitmap entries of the table
	used   []bool // blocks that hold data
	place  []int64
	stored int64
}

// Write writes the disk to w, which must be empty.
func Write(ctx context.Context, w io.WriterAt, dev blockdev.Device, o Options) error {
	v := &writer{ctx: ctx, w: w, dev: dev, o: o}
	sector := int64(dev.SectorSize())
	v.size = (dev.Size() + sector - 1) / sector * sector
	if v.size <= 0 || v.size > MaxSize || sector != 512 && sector != 4096 {
		return fmt.Errorf("a VHDX of %d bytes in sectors of %d: %w", v.size, sector, blockdev.ErrRange)
	}
	v.block = smallBlock
	if v.size > largeDisk {
		v.block = largeBlock
	}
	v.ratio = (sector << 23) / v.block
	for _, do := range []func() error{v.survey, v.payload, v.table, v.metadata, v.heads} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func (v *writer) blocks() int64 { return (v.size + v.block - 1) / v.block }

// survey finds the blocks that hold data and gives each its place.
func (v *writer) survey() error {
	v.used = make([]bool, v.blocks())
	err := v.dev.Extents(v.ctx, 0, v.dev.Size(), func(off, n int64, k blockdev.Kind) bool {
		if k == blockdev.Data || k == blockdev.Unreadable {
			for b := off / v.block; b <= (off+n-1)/v.block; b++ {
				v.used[b] = true
			}
		}
		return v.ctx.Err() == nil
	})
	if err == nil {
		err = v.ctx.Err()
	}
	v.place = make([]int64, len(v.used))
	at := batAt + v.tableSize()
	for b, used := range v.used {
		if used {
			v.place[b] = at
			at += v.block
			v.stored += v.block
		}
	}
	return err
}

// payload writes the blocks. The last one is stored whole, with zeros.
func (v *writer) payload() error {
	buf := make([]byte, v.block)
	done := int64(0)
	for b, at := range v.place {
		if at == 0 {
			continue
		}
		off := int64(b) * v.block
		n := min(v.block, v.dev.Size()-off)
		clear(buf[max(n, 0):])
		if err := blockdev.ReadFull(v.ctx, v.dev, buf[:n], off); err != nil {
			return fmt.Errorf("read the disk at byte %d: %w", off, err)
		}
		if err := v.put(buf, at); err != nil {
			return err
		}
		if done += v.block; v.o.Progress != nil {
			v.o.Progress(done, v.stored)
		}
	}
	return nil
}

func (v *writer) put(b []byte, at int64) error {
	_, err := v.w.WriteAt(b, at)
	return err
}

// entries of the table of blocks, those for bitmaps included, which only
// differencing disks use.
func (v *writer) entries() int64 { return v.blocks() + (v.blocks()-1)/v.ratio }

func (v *writer) tableSize() int64 { return (v.entries()*8 + unit - 1) / unit * unit }

// table writes the table of blocks: for each its place, a multiple of a MiB,
// and its state in the lowest bits.
func (v *writer) table() error {
	const present = 6 // PAYLOAD_BLOCK_FULLY_PRESENT
	b := make([]byte, v.tableSize())
	for i, at := range v.place {
		if at != 0 {
			entry := int64(i) + int64(i)/v.ratio
			binary.LittleEndian.PutUint64(b[entry*8:], uint64(at)|present)
		}
	}
	return v.put(b, batAt)
}

// item is one of the metadata.
type item struct {
	id    string
	flags uint32
	value []byte
}

// Flags of items.
const (
	ofDisk   = 2
	required = 4
)

func u32(n int64) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
func u64(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func (v *writer) items() []item {
	sector := u32(int64(v.dev.SectorSize()))
	return []item{
		{"CAA16737-FA36-4D43-B3B6-33F0AA44E76B", required, append(u32(v.block), u32(0)...)},         // file parameters
		{"2FA54224-CD1B-4876-B211-5DBED83BF4B8", required | ofDisk, u64(v.size)},                    // virtual disk size
		{"BECA12AB-B2E6-4523-93EF-C309E000C746", required | ofDisk, guid(v.o.Seed, "vhdx page 83")}, // page 83 data
		{"8141BF1D-A96F-4709-BA47-F233A8FAAB5F", required | ofDisk, sector},                         // logical sector size
		{"CDA348C7-445D-4471-9CC9-E9885251C556", required | ofDisk, sector},                         // physical sector size
	}
}

// metadata writes the region that describes the disk:
//
//	off len field
//	  0   8 "metadata"
//	 10   2 number of items
//	 32  32 each: identifier (16), place in the region (4), length (4), flags (4)
func (v *writer) metadata() error {
	b := make([]byte, unit)
	copy(b, "metadata")
	items := v.items()
	binary.LittleEndian.PutUint16(b[10:], uint16(len(items)))
	at := itemsAt
	for i, it := range items {
		e := b[32+32*i:]
		copy(e, parseGUID(it.id))
		copy(e[16:], u32(int64(at)))
		copy(e[20:], u32(int64(len(it.value))))
		copy(e[24:], u32(int64(it.flags)))
		at += copy(b[at:], it.value)
	}
	return v.put(b, metadataAt)
}

// heads writes what makes the file a VHDX.
func (v *writer) heads() error {
	if err := v.put(make([]byte, unit), logAt); err != nil {
		return err
	}
	regions := v.regions()
	for _, w := range []struct {
		b  []byte
		at int64
	}{{regions, regionAt}, {regions, region2At}, {v.header(1), headerAt}, {v.header(2), header2At}, {identifier(), 0}} {
		if err := v.put(w.b, w.at); err != nil {
			return err
		}
	}
	return nil
}

// header is one of two, of which the higher number counts:
//
//	off len field
//	  0   4 "head"
//	  4   4 CRC-32C of the header with this field zero
//	  8   8 sequence number
//	 16  16 identifier of the file's writing
//	 32  16 of the data's writing
//	 48  16 of the log: zero, it is empty
//	 66   2 version: 1
//	 68   4 length of the log
//	 72   8 its place
func (v *writer) header(sequence int64) []byte {
	b := make([]byte, headerSize)
	copy(b, "head")
	copy(b[8:], u64(sequence))
	copy(b[16:], guid(v.o.Seed, "vhdx file"))
	copy(b[32:], guid(v.o.Seed, "vhdx data"))
	binary.LittleEndian.PutUint16(b[66:], 1)
	copy(b[68:], u32(unit))
	copy(b[72:], u64(logAt))
	return sealed(b)
}

// regions is the table of regions:
//
//	off len field
//	  0   4 "regi"
//	  4   4 CRC-32C of the 64 KiB with this field zero
//	  8   4 number of regions
//	 16  32 each: identifier (16), place (8), length (4), required (4)
func (v *writer) regions() []byte {
	b := make([]byte, regionSize)
	copy(b, "regi")
	copy(b[8:], u32(2))
	for i, r := range []struct {
		id      string
		at, len int64
	}{
		{"2DC27766-F623-4200-9D64-115E9BFD4A08", batAt, v.tableSize()},
		{"8B7CA206-4790-4B9A-B8FE-575F050F886E", metadataAt, unit},
	} {
		e := b[16+32*i:]
		copy(e, parseGUID(r.id))
		copy(e[16:], u64(r.at))
		copy(e[24:], u32(r.len))
		copy(e[28:], u32(1))
	}
	return sealed(b)
}

// sealed sets the checksum at byte 4.
func sealed(b []byte) []byte {
	copy(b[4:], u32(int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))))
	return b
}

// identifier is the file's first sector: its type, and who wrote it.
func identifier() []byte {
	b := make([]byte, 520)
	copy(b, "vhdxfile")
	for i, u := range utf16.Encode([]rune("Vitrine")) {
		binary.LittleEndian.PutUint16(b[8+2*i:], u)
	}
	return b
}

// parseGUID gives a GUID of ours as it is stored: its first three fields
// little-endian.
func parseGUID(s string) []byte {
	g, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(g) != 16 {
		panic("vhdx: not a GUID: " + s)
	}
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5] = g[5], g[4]
	g[6], g[7] = g[7], g[6]
	return g
}
