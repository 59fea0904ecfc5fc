package volume

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"
)

// The GUID partition table. Source: UEFI 2.10, section 5.3. The header fills
// the second sector; its copy fills the last sector of the disk.
//
//	0   "EFI PART"
//	8   uint32  revision 1.0
//	12  uint32  header size, 92 to the sector size
//	16  uint32  CRC-32 of the header with this field zero
//	24  uint64  sector of this header
//	32  uint64  sector of the other header
//	40  uint64  first usable sector
//	48  uint64  last usable sector
//	56  GUID    disk
//	72  uint64  first sector of the entries
//	80  uint32  number of entries
//	84  uint32  size of an entry: 128 times a power of two
//	88  uint32  CRC-32 of the entries
//
// An entry:
//
//	0   GUID    type; zero: unused
//	16  GUID    unique
//	32  uint64  first sector
//	40  uint64  last sector
//	48  uint64  attributes
//	56  36 UTF-16 units of name
const (
	gptMagic     = "EFI PART"
	gptMinHeader = 92
	gptMinEntry  = 128

	attrLegacyBoot = 1 << 2
)

// gptHeader is one sound copy of the table.
type gptHeader struct {
	raw                     []byte // the header, header size bytes
	self, other             uint64
	firstUsable, lastUsable uint64
	guid                    string
	entryLBA                uint64
	entries                 []byte // the array
	entrySize               int
}

// gpt reads the table by its best copy; nil when there is none. It tries the
// disk's own sector size first, then the others: a disk may have moved to a
// controller that shows other sectors.
func (d *disk) gpt(m *mbrSector) *Layout {
	given := d.sector
	for _, s := range []int64{given, 512, 4096, 1024, 2048} {
		if s == 0 {
			continue
		}
		before := len(d.problems)
		d.sector = s
		if l := d.gptAt(m); l != nil {
			if given != 0 && s != given {
				d.problem("the GPT counts in sectors of %d bytes, the disk has sectors of %d", s, given)
			}
			return l
		}
		d.problems = d.problems[:before]
	}
	d.sector = given
	return nil
}

func (d *disk) gptAt(m *mbrSector) *Layout {
	h := d.bestGPT()
	if h == nil {
		return nil
	}
	l := &Layout{Table: TableGPT, DiskID: h.guid, Hybrid: m != nil && m.others() > 0}
	for i := 0; i*h.entrySize < len(h.entries); i++ {
		d.addGPT(l, i+1, h.entries[i*h.entrySize:][:h.entrySize], h)
	}
	return d.finish(l)
}

// bestGPT gives the primary copy, or the backup when that one is not sound.
func (d *disk) bestGPT() *gptHeader {
	last := uint64(d.size/d.sector) - 1
	if d.size/d.sector < 3 {
		return nil
	}
	primary, perr := d.readGPT(1)
	if perr == nil {
		d.checkBackup(primary, last)
		return primary
	}
	backup, err := d.readGPT(last)
	if err != nil {
		return nil
	}
	d.problem("the first copy of the GPT is damaged (%v); the backup at the end of the disk is used", perr)
	return backup
}

// checkBackup reports what is wrong with the copy of a sound primary.
func (d *disk) checkBackup(h *gptHeader, last uint64) {
	if h.other > last {
		d.problem("the GPT was made for a larger disk: its backup would be at sector %d, the last one is %d", h.other, last)
		return
	}
	backup, err := d.readGPT(h.other)
	switch {
	case err != nil:
		d.problem("the backup GPT at sector %d is damaged (%v)", h.other, err)
	case string(backup.entries) != string(h.entries) || backup.guid != h.guid:
		d.problem("the two copies of the GPT differ; the first is used")
	case h.other != last:
		d.problem("the backup GPT is at sector %d, not at the end of the disk", h.other)
	}
}

// readGPT reads and checks the header at a sector and its entries.
func (d *disk) readGPT(lba uint64) (*gptHeader, error) {
	b, err := d.bytes(d.byteOff(lba), d.sector)
	if err != nil {
		return nil, err
	}
	h, err := parseGPTHeader(b, lba)
	if err != nil {
		return nil, err
	}
	h.entries, err = d.bytes(d.byteOff(h.entryLBA), int64(len(h.entries)))
	if err != nil {
		return nil, fmt.Errorf("its entries cannot be read: %w", err)
	}
	if crc32.ChecksumIEEE(h.entries) != binary.LittleEndian.Uint32(h.raw[88:]) {
		return nil, fmt.Errorf("its entries do not match their checksum")
	}
	return h, nil
}

// parseGPTHeader checks the header in sector b, which lies at lba. Its entries
// are allocated, not read.
func parseGPTHeader(b []byte, lba uint64) (*gptHeader, error) {
	le := binary.LittleEndian
	if len(b) < 512 || string(b[:8]) != gptMagic {
		return nil, fmt.Errorf("no header")
	}
	size := le.Uint32(b[12:])
	if size < gptMinHeader || uint64(size) > uint64(len(b)) {
		return nil, fmt.Errorf("header of %d bytes", size)
	}
	raw := append([]byte(nil), b[:size]...)
	if headerCRC(raw) != le.Uint32(raw[16:]) {
		return nil, fmt.Errorf("header does not match its checksum")
	}
	n, es := uint64(le.Uint32(raw[80:])), uint64(le.Uint32(raw[84:]))
	if le.Uint64(raw[24:]) != lba {
		return nil, fmt.Errorf("header is for sector %d", le.Uint64(raw[24:]))
	}
	if es < gptMinEntry || es&(es-1) != 0 || es > maxGPTArray || n > maxGPTArray/es {
		return nil, fmt.Errorf("%d entries of %d bytes", n, es)
	}
	return &gptHeader{
		raw: raw, self: lba, other: le.Uint64(raw[32:]),
		firstUsable: le.Uint64(raw[40:]), lastUsable: le.Uint64(raw[48:]),
		guid: guidString(raw[56:]), entryLBA: le.Uint64(raw[72:]),
		entries: make([]byte, n*es), entrySize: int(es),
	}, nil
}

// headerCRC is the checksum of a header with its own field as zero.
func headerCRC(raw []byte) uint32 {
	c := crc32.ChecksumIEEE(raw[:16])
	c = crc32.Update(c, crc32.IEEETable, make([]byte, 4))
	return crc32.Update(c, crc32.IEEETable, raw[20:])
}

// addGPT appends entry e as partition n.
func (d *disk) addGPT(l *Layout, n int, e []byte, h *gptHeader) {
	le := binary.LittleEndian
	if string(e[:16]) == string(make([]byte, 16)) {
		return
	}
	first, last, attrs := le.Uint64(e[32:]), le.Uint64(e[40:]), le.Uint64(e[48:])
	if last < first || last-first == 1<<64-1 {
		d.problem("partition %d ends before it starts; it is ignored", n)
		return
	}
	if first < h.firstUsable || last > h.lastUsable {
		d.problem("partition %d lies outside the usable part of the disk", n)
	}
	d.addLBA(l, Partition{
		Number:   n,
		Type:     guidString(e),
		UniqueID: guidString(e[16:]),
		Name:     utf16String(e[56:128]),
		Attrs:    attrs,
		Bootable: attrs&attrLegacyBoot != 0,
	}, first, last-first+1)
}

// guidString spells a GUID of 16 bytes: the first three fields are
// little-endian.
func guidString(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x",
		le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

// utf16String decodes little-endian UTF-16 up to a zero.
func utf16String(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b) && (b[i] != 0 || b[i+1] != 0); i += 2 {
		u = append(u, binary.LittleEndian.Uint16(b[i:]))
	}
	return string(utf16.Decode(u))
}
