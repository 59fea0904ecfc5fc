package volume

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"syscall"
)

// Kinds of partition tables, as [Layout.Table] names them.
const (
	TableNone = "none" // one file system, or nothing known, over the whole disk
	TableMBR  = "mbr"
	TableGPT  = "gpt"
)

// Limits of what a hostile table may ask of us.
const (
	maxLogical  = 512     // logical partitions, and EBR sectors followed
	maxGPTArray = 1 << 20 // bytes of a GPT entry array
	maxProblems = 64
)

// Partition is one partition of a disk. Offsets and lengths are in bytes.
type Partition struct {
	Number   int    // as Linux counts: GPT and primary from 1, logical from 5
	Off, Len int64  // Len > 0, inside the disk
	Type     string // GPT type GUID in lower case, MBR type as two hex digits; "" without a table
	UniqueID string // GPT unique GUID in lower case, MBR "signature-nn"; "" without a table
	Name     string // GPT partition name
	Attrs    uint64 // GPT attribute bits
	Bootable bool   // MBR active flag, GPT legacy BIOS bootable
	Logical  bool   // inside an extended partition
}

// Layout is what a disk's partition table says.
type Layout struct {
	Table      string // TableNone, TableMBR, TableGPT
	DiskID     string // GPT disk GUID in lower case, MBR signature as 8 hex digits, ""
	Size       int64  // bytes of the disk
	SectorSize int    // bytes of a logical sector that the table counts in
	Hybrid     bool   // GPT whose MBR also lists partitions of its own
	// Partitions are sorted by offset. Extended partitions are not listed,
	// what they contain is. With TableNone there is exactly one, number 1,
	// over everything (none when the disk is empty).
	Partitions []Partition
	// Problems are sentences about what is damaged or odd; the partitions
	// given can be used all the same.
	Problems []string
}

// ReadLayout reads the partition table of a disk of size bytes. sectorSize is
// the disk's logical sector size; 0 finds out, as for an image file.
//
// A damaged or unreadable table is no error: what can be told is told, and the
// rest is in Problems. The error is that of a device that is gone.
func ReadLayout(r io.ReaderAt, size int64, sectorSize int) (*Layout, error) {
	if sectorSize < 0 || sectorSize > 0 && !saneSector(int64(sectorSize)) {
		return nil, fmt.Errorf("sector size %d: %w", sectorSize, ErrUnsupported)
	}
	d := &disk{r: r, size: max(size, 0), sector: int64(sectorSize)}
	l, err := d.read()
	if err != nil {
		return nil, err
	}
	l.Size, l.SectorSize = d.size, int(d.sector)
	l.Problems = d.problems
	return l, nil
}

// saneSector reports whether n can be a logical sector size.
func saneSector(n int64) bool { return n >= 512 && n <= 4096 && n&(n-1) == 0 }

// disk is a disk whose table is being read.
type disk struct {
	r        io.ReaderAt
	size     int64
	sector   int64 // 0: not known yet
	unread   bool  // the first sector cannot be read
	problems []string
}

func (d *disk) problem(format string, a ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, fmt.Sprintf(format, a...))
	}
}

// read decides which table there is. A protective entry with a sound GPT
// counts most, then a file system's boot sector (it carries the MBR's mark
// too), then an MBR, then a GPT that lost its MBR.
func (d *disk) read() (*Layout, error) {
	first, err := d.first()
	if err != nil {
		return nil, err
	}
	m := parseMBR(first)
	given := d.sector != 0
	if m != nil && m.protective() {
		if l := d.gpt(m); l != nil {
			return l, nil
		}
		d.problem("the disk is marked as GPT, but neither copy of its table is sound")
	}
	info := Detect(d.r, d.size)
	if m == nil || bootSectorKinds[info.Kind] || m.empty() && (info.Kind != "" || d.ntfsBehind()) {
		return d.bare(m, info), nil
	}
	if m.protective() && m.others() == 0 {
		return d.bare(m, info), nil
	}
	if !given {
		d.sector = d.guessMBRSector(m)
	}
	return d.mbr(m), nil
}

// first gives the first sector, asked for twice; nil when it cannot be read.
// The error is that of a device that is gone.
func (d *disk) first() ([]byte, error) {
	b, err := d.bytes(0, min(512, d.size))
	if err != nil && !gone(err) {
		b, err = d.bytes(0, min(512, d.size))
	}
	if err == nil || gone(err) {
		return b, err
	}
	d.unread = true
	d.problem("the first sector of the disk could not be read (%v); a table that was there is not known", err)
	return nil, nil
}

// gone tells of a device that left, or has not even one sector.
func gone(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) || errors.Is(err, fs.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}

// bare is the layout of a disk without a table; where nothing is recognised at
// the front, a GPT whose MBR was wiped still counts.
func (d *disk) bare(m *mbrSector, info FSInfo) *Layout {
	if m == nil && info.Kind == "" {
		if l := d.gpt(nil); l != nil {
			if d.unread {
				d.problems[0] = "the first sector of the disk could not be read; the GPT is used without it"
			} else {
				d.problem("the protective MBR is missing; the GPT is used without it")
			}
			return l
		}
	}
	if d.sector == 0 {
		d.sector = int64(max(info.sector, 512))
	}
	l := &Layout{Table: TableNone}
	if d.size > 0 {
		l.Partitions = []Partition{{Number: 1, Len: d.size}}
	}
	return l
}

// ntfsBehind tells whether an NTFS volume over the whole disk has left its
// backup boot sector at the end: the first one may be damaged, and then looks
// like an MBR without partitions.
func (d *disk) ntfsBehind() bool {
	for s := int64(512); s <= 4096; s *= 2 {
		sectors := d.size / s
		b, err := d.bytes((sectors-1)*s, 512)
		if err == nil && bootSector(b).sector == s && string(b[3:11]) == "NTFS    " && binary.LittleEndian.Uint64(b[40:]) == uint64(sectors-1) {
			return true
		}
	}
	return false
}

// bytes reads exactly n bytes.
func (d *disk) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > d.size || n > d.size-off {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	return b, readFull(d.r, b, off)
}

// readFull fills b; a full buffer is no error, whatever came with it.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// addLBA appends p at sectors [first, first+count), clipped to the disk.
func (d *disk) addLBA(l *Layout, p Partition, first, count uint64) {
	total := uint64(d.size / d.sector)
	switch {
	case first >= total:
		d.problem("partition %d starts beyond the end of the disk; it is ignored", p.Number)
		return
	case count > total-first:
		d.problem("partition %d reaches beyond the end of the disk; it is cut short", p.Number)
		count = total - first
	}
	p.Off, p.Len = int64(first)*d.sector, int64(count)*d.sector
	l.Partitions = append(l.Partitions, p)
}

// finish sorts the partitions and reports overlaps.
func (d *disk) finish(l *Layout) *Layout {
	ps := l.Partitions
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].Off < ps[j].Off })
	reach := 0
	for i := 1; i < len(ps); i++ {
		if ps[i].Off < ps[reach].Off+ps[reach].Len {
			d.problem("partitions %d and %d overlap", ps[reach].Number, ps[i].Number)
		}
		if ps[i].Off+ps[i].Len > ps[reach].Off+ps[reach].Len {
			reach = i
		}
	}
	return l
}
