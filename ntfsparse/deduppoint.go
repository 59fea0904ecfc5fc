package ntfsparse

import (
	"encoding/binary"
	"hash/crc32"
)

// Dedup is what the reparse point of a deduplicated file says.
type Dedup struct {
	Store [16]byte // GUID of the chunk store
	Size  int64    // bytes of the file that the store holds
	Maps  []DedupMap
}

// DedupMap names a stream map, which lists the chunks of a part of a file.
type DedupMap struct {
	Number     uint32 // of the map's chunk in its container
	Container  uint32
	Offset     uint32   // where the chunk was when the file was deduplicated
	Generation uint32   // of the container at that time
	Len        uint32   // bytes of the map; 4 more were seen than its entries take
	Hash       [16]byte // beginning of the chunk's
	Begin, End int64    // the part of the file
}

// dedupEntry is the length of a DedupMap on the volume.
//
//	 0  4  number; 4 4 container; 8 4 offset; 12 4 generation
//	16  8  not known
//	24  4  length; 28 4 not known
//	32  16 hash
//	48  8  end; 56 8 begin (form 1.2: 32 bytes of hash instead)
const dedupEntry = 64

// Dedup decodes a reparse point with TagDedup. It fails with ErrUnsupported
// when parts of the file may have been written to since it was deduplicated.
//
//	0  1  major, 1 1 minor version of the form; 2 2 length
//	      by version
//	-4 4  CRC-32 of all before it
func (p *ReparsePoint) Dedup() (Dedup, error) {
	b := p.Data
	n := len(b) - 4
	switch {
	case p.Tag != TagDedup || n < 8:
		return Dedup{}, corrupt("reparse point of a deduplicated file is cut short", len(b))
	case int(le.Uint16(b[2:])) != len(b):
		return Dedup{}, corrupt("reparse point of a deduplicated file has two lengths", 2)
	case crc32.ChecksumIEEE(b[:n]) != le.Uint32(b[n:]):
		return Dedup{}, corrupt("reparse point of a deduplicated file has a wrong checksum", n)
	}
	var d Dedup
	var err error
	switch binary.BigEndian.Uint16(b) {
	case 0x0102:
		err = d.parse12(b[:n])
	case 0x0201:
		err = d.parse21(b[:n])
	case 0x0301:
		err = d.parse31(b[4:n])
	default:
		err = classf(ErrUnsupported, NoRecord, "deduplicated file in form %d.%d", b[0], b[1])
	}
	if err == nil {
		err = d.check()
	}
	return d, err
}

// parse12 decodes the oldest form, which names one stream map. Points of Windows Server
// 2012 R2 that are printed in public have it.
//
//	8  8  size; 24 16 store; 56 the map's entry
func (d *Dedup) parse12(b []byte) error {
	if len(b) != 56+dedupEntry {
		return classf(ErrUnsupported, NoRecord, "deduplicated file in form 1.2 with %d bytes", len(b))
	}
	copy(d.Store[:], b[24:])
	d.Size = int64(le.Uint64(b[8:]))
	d.addMaps(b[56:])
	d.Maps[0].Begin, d.Maps[0].End = 0, d.Size
	return nil
}

// parse21 decodes a later form. Which Windows writes it is not sure.
//
//	0x4C  2  length, 0x4E 2 offset of the entries of maps
//	0x74  16 store
func (d *Dedup) parse21(b []byte) error {
	if len(b) < 0x84 {
		return corrupt("reparse point of a deduplicated file is cut short", len(b))
	}
	n, off := int(le.Uint16(b[0x4C:])), int(le.Uint16(b[0x4E:]))
	if off > len(b) || n > len(b)-off || n == 0 || n%dedupEntry != 0 {
		return corrupt("reparse point of a deduplicated file has its stream maps misplaced", 0x4C)
	}
	copy(d.Store[:], b[0x74:])
	d.addMaps(b[off : off+n])
	d.Size = d.Maps[len(d.Maps)-1].End
	return nil
}

func (d *Dedup) addMaps(b []byte) {
	for ; len(b) >= dedupEntry; b = b[dedupEntry:] {
		m := DedupMap{Number: le.Uint32(b), Container: le.Uint32(b[4:]), Offset: le.Uint32(b[8:]), Generation: le.Uint32(b[12:]),
			Len: le.Uint32(b[24:]), End: int64(le.Uint64(b[48:])), Begin: int64(le.Uint64(b[56:]))}
		copy(m.Hash[:], b[32:])
		d.Maps = append(d.Maps, m)
	}
}

// Types of the elements of form 3.1.
const (
	elemQWord = 6
	elemKind  = 9
	elemDWord = 10
	elemGUID  = 12
	elemBlob  = 13
	elemChunk = 14
)

// parse31 decodes the form since Windows Server 2016, records of elements:
//
//	"FeRp"  0 revision 1, 1 flags, 2 store, 4 size, 6 kind of the recall
//	        bitmap, 7 "RbRp", 8 "DdRp"
//	"RbRp"  what was written to since: 0 revision 1, 2 depth, 4 chunk of the
//	        recall bitmap
//	"DdRp"  0 revision 1, 1 chunk of the first map, 2 entries of maps
func (d *Dedup) parse31(b []byte) error {
	file := parseElements(b, "FeRp")
	file.want(0, 1)
	file.want(1, 0)
	file.want(6, 0)
	copy(d.Store[:], file.get(2, elemGUID, 16))
	d.Size = int64(le.Uint64(file.get(4, elemQWord, 8)))
	recall := parseElements(file.get(7, elemBlob, -1), "RbRp")
	recall.want(0, 1)
	maps := parseElements(file.get(8, elemBlob, -1), "DdRp")
	maps.want(0, 1)
	first, list := maps.get(1, elemChunk, 8), maps.get(2, elemBlob, -1)
	if err := firstError(file.err, recall.err, maps.err); err != nil {
		return err
	}
	if le.Uint32(recall.get(2, elemKind, 4)) != 0 || le.Uint64(recall.get(4, elemQWord, 8)) != 0 {
		return firstError(recall.err, classf(ErrUnsupported, NoRecord, "file was written to since it was deduplicated (it has a recall bitmap)"))
	}
	if len(list) == 0 || len(list)%dedupEntry != 0 {
		return corrupt("reparse point of a deduplicated file has half a stream map", -1)
	}
	if d.addMaps(list); d.Maps[0].Number != le.Uint32(first) || d.Maps[0].Container != le.Uint32(first[4:]) {
		return corrupt("reparse point of a deduplicated file names two first stream maps", -1)
	}
	return recall.err
}

// check tells whether the maps cover the file from its start, in order.
func (d *Dedup) check() error {
	end := int64(0)
	for _, m := range d.Maps {
		switch {
		case m.Begin != end || m.End <= m.Begin:
			return corruptf("stream maps of a deduplicated file do not join: %d to %d behind %d", m.Begin, m.End, end)
		case m.Len < smapHead+smapEntry: // what is behind the last whole entry is not asked
			return corruptf("stream map of a deduplicated file has %d bytes", m.Len)
		}
		end = m.End
	}
	if end != d.Size {
		return corruptf("stream maps of a deduplicated file end at %d of %d", end, d.Size)
	}
	return nil
}

func firstError(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// elements is a record of typed elements, as cloud placeholders have it, too.
// The first fault stays in err.
//
//	0  4  magic; 4 4 CRC-32 of what follows; 8 4 length
//	12 2  flags; 14 2 number of elements
//	16 8  each: 2 type, 2 length, 4 offset from the magic
type elements struct {
	b    []byte
	name string
	n    int
	err  error
}

func parseElements(b []byte, magic string) *elements {
	e := &elements{b: b, name: magic}
	switch {
	case len(b) < 16 || string(b[:4]) != magic:
		e.err = corruptf("deduplicated file has no record %q", magic)
	case int64(le.Uint32(b[8:])) != int64(len(b)):
		e.err = corruptf("record %q of a deduplicated file has two lengths", magic)
	case crc32.ChecksumIEEE(b[8:]) != le.Uint32(b[4:]):
		e.err = corruptf("record %q of a deduplicated file has a wrong checksum", magic)
	default:
		e.n = min(int(le.Uint16(b[14:])), (len(b)-16)/8)
	}
	return e
}

// get is the i-th element, which must have the type and, if size is not -1, the
// size; else size zeros.
func (e *elements) get(i int, kind uint16, size int) []byte {
	if e.err == nil && i < e.n {
		at := e.b[16+8*i:]
		n, off := int(le.Uint16(at[2:])), int64(le.Uint32(at[4:]))
		if le.Uint16(at) == kind && (n == size || size < 0) && off <= int64(len(e.b)-n) {
			return e.b[off : off+int64(n)]
		}
	}
	if e.err == nil {
		e.err = corruptf("record %q of a deduplicated file lacks its element %d, of type %d", e.name, i, kind)
	}
	return make([]byte, max(0, size))
}

// want fails when the i-th element, a number, is not the only value known.
func (e *elements) want(i int, value uint32) {
	kind := uint16(elemDWord)
	if e.name == "FeRp" && i == 6 {
		kind = elemKind
	}
	if got := le.Uint32(e.get(i, kind, 4)); e.err == nil && got != value {
		e.err = classf(ErrUnsupported, NoRecord, "record %q of a deduplicated file has %d as element %d", e.name, got, i)
	}
}
