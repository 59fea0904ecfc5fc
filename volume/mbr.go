package volume

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The master boot record, in the first 512 bytes of a disk; an extended boot
// record (EBR) has the same table. Sources: Linux block/partitions/msdos.c and
// UEFI 2.10, section 5.2.
//
//	0    boot code
//	440  uint32  disk signature (not in an EBR)
//	446  4 entries of 16 bytes
//	     0   uint8   0x80 active, 0x00 not; nothing else
//	     1   CHS of the first sector
//	     4   uint8   type; 0 unused
//	     5   CHS of the last sector
//	     8   uint32  first sector
//	     12  uint32  number of sectors
//	510  55 AA
const (
	mbrSignature = 440
	mbrEntries   = 446
	mbrEntrySize = 16
	typeGPT      = 0xee
)

type mbrEntry struct {
	active bool
	typ    byte
	first  uint32 // sectors; in an EBR relative
	count  uint32
}

func (e mbrEntry) used() bool { return e.typ != 0 && e.count != 0 }

// extended reports whether e contains logical partitions.
func (e mbrEntry) extended() bool {
	return e.used() && (e.typ == 0x05 || e.typ == 0x0f || e.typ == 0x85)
}

// mbrSector is a decoded MBR or EBR.
type mbrSector struct {
	signature uint32
	entries   [4]mbrEntry
}

// parseMBR gives nil when b is no MBR: no mark, or flags that none has.
func parseMBR(b []byte) *mbrSector {
	if len(b) < 512 || b[510] != 0x55 || b[511] != 0xaa {
		return nil
	}
	m := &mbrSector{signature: binary.LittleEndian.Uint32(b[mbrSignature:])}
	for i := range m.entries {
		e := b[mbrEntries+i*mbrEntrySize:][:mbrEntrySize]
		if e[0]&0x7f != 0 {
			return nil
		}
		m.entries[i] = mbrEntry{
			active: e[0] != 0,
			typ:    e[4],
			first:  binary.LittleEndian.Uint32(e[8:]),
			count:  binary.LittleEndian.Uint32(e[12:]),
		}
	}
	return m
}

// protective reports whether the MBR says that a GPT is there.
func (m *mbrSector) protective() bool {
	for _, e := range m.entries {
		if e.typ == typeGPT && e.used() {
			return true
		}
	}
	return false
}

// others counts used entries that are not the protective one.
func (m *mbrSector) others() (n int) {
	for _, e := range m.entries {
		if e.used() && e.typ != typeGPT {
			n++
		}
	}
	return n
}

func (m *mbrSector) empty() bool { return m.others() == 0 && !m.protective() }

// guessMBRSector tells which sector size the table of an image file counts in:
// the one at which more file systems are where it says.
func (d *disk) guessMBRSector(m *mbrSector) int64 {
	best, bestN := int64(512), -1
	for _, s := range []int64{512, 4096} {
		n := 0
		for _, e := range m.entries {
			if off := int64(e.first) * s; e.used() && off < d.size && e.first != 0 {
				if Detect(section(d.r, off, d.size-off), d.size-off).Kind != "" {
					n++
				}
			}
		}
		if n > bestN {
			best, bestN = s, n
		}
	}
	return best
}

func section(r io.ReaderAt, off, n int64) io.ReaderAt { return io.NewSectionReader(r, off, n) }

// mbr lists the partitions of an MBR.
func (d *disk) mbr(m *mbrSector) *Layout {
	l := &Layout{Table: TableMBR, DiskID: fmt.Sprintf("%08x", m.signature)}
	for i, e := range m.entries {
		if e.used() && !e.extended() {
			d.addMBR(l, i+1, e, uint64(e.first))
		}
	}
	chain := ebrChain{d: d, l: l, next: 5, seen: map[uint64]bool{}}
	for _, e := range m.entries {
		if e.extended() {
			chain.follow(uint64(e.first), uint64(e.count))
		}
	}
	return d.finish(l)
}

// addMBR appends entry e as partition n, starting at sector first.
func (d *disk) addMBR(l *Layout, n int, e mbrEntry, first uint64) {
	d.addLBA(l, Partition{
		Number:   n,
		Type:     fmt.Sprintf("%02x", e.typ),
		UniqueID: fmt.Sprintf("%s-%02x", l.DiskID, n),
		Bootable: e.active,
		Logical:  n > 4,
	}, first, uint64(e.count))
}

// ebrChain follows the linked list of EBRs in extended partitions.
type ebrChain struct {
	d    *disk
	l    *Layout
	next int             // number of the next logical partition
	seen map[uint64]bool // EBR sectors visited
}

// follow lists the logical partitions of the extended partition at sector ext
// with count sectors. Links are relative to ext, partitions to their EBR.
func (c *ebrChain) follow(ext, count uint64) {
	for at := ext; ; {
		if c.seen[at] || len(c.seen) >= maxLogical || c.next > maxLogical {
			c.d.problem("the chain of logical partitions runs in a circle or is too long")
			return
		}
		c.seen[at] = true
		m := c.read(at)
		if m == nil {
			return
		}
		c.list(m, at, ext, count)
		link, ok := m.link()
		if !ok {
			return
		}
		if uint64(link.first) >= count {
			c.d.problem("a link between logical partitions leads out of the extended partition")
			return
		}
		at = ext + uint64(link.first)
	}
}

// read decodes the EBR at a sector; nil when it is none.
func (c *ebrChain) read(at uint64) *mbrSector {
	b, err := c.d.bytes(c.d.byteOff(at), 512)
	if err != nil {
		c.d.problem("the list of logical partitions cannot be read at sector %d: %v", at, err)
		return nil
	}
	m := parseMBR(b)
	if m == nil {
		c.d.problem("the list of logical partitions is damaged at sector %d", at)
	}
	return m
}

// list adds the partitions of one EBR. Only the first two entries count by the
// rules; Linux takes the others too where they fit the extended partition.
func (c *ebrChain) list(m *mbrSector, at, ext, count uint64) {
	for i, e := range m.entries {
		if !e.used() || e.extended() {
			continue
		}
		first := at + uint64(e.first)
		if end := first + uint64(e.count); i >= 2 && (first < ext || end > ext+count) {
			continue
		}
		c.d.addMBR(c.l, c.next, e, first)
		c.next++
	}
}

// link is the entry that leads to the next EBR.
func (m *mbrSector) link() (mbrEntry, bool) {
	for _, e := range m.entries {
		if e.extended() {
			return e, true
		}
	}
	return mbrEntry{}, false
}

// byteOff is the byte offset of a sector, or beyond any disk.
func (d *disk) byteOff(lba uint64) int64 {
	if lba > uint64(1<<62/d.sector) {
		return 1 << 62
	}
	return int64(lba) * d.sector
}
