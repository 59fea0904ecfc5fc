package check

import (
	"encoding/binary"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var le = binary.LittleEndian

// Attribute types.
const (
	tStandard = 0x10
	tList     = 0x20
	tName     = 0x30
	tObjectID = 0x40
	tSecurity = 0x50
	tVolName  = 0x60
	tVolInfo  = 0x70
	tData     = 0x80
	tRoot     = 0x90
	tAlloc    = 0xa0
	tBitmap   = 0xb0
	tReparse  = 0xc0
	tEAInfo   = 0xd0
	tEA       = 0xe0
	tProperty = 0xf0
	tUtility  = 0x100
	tEnd      = 0xffffffff
)

var typeNames = map[uint32]string{
	tStandard: "$STANDARD_INFORMATION", tList: "$ATTRIBUTE_LIST", tName: "$FILE_NAME", tObjectID: "$OBJECT_ID",
	tSecurity: "$SECURITY_DESCRIPTOR", tVolName: "$VOLUME_NAME", tVolInfo: "$VOLUME_INFORMATION", tData: "$DATA",
	tRoot: "$INDEX_ROOT", tAlloc: "$INDEX_ALLOCATION", tBitmap: "$BITMAP", tReparse: "$REPARSE_POINT",
	tEAInfo: "$EA_INFORMATION", tEA: "$EA", tProperty: "$PROPERTY_SET", tUtility: "$LOGGED_UTILITY_STREAM",
}

// attrName names an attribute for a finding; name is raw UTF-16.
func attrName(typ uint32, name []byte) string {
	s, ok := typeNames[typ]
	if !ok {
		s = "0x" + strconv.FormatUint(uint64(typ), 16)
	}
	if len(name) > 0 {
		s += ":" + decode16(name)
	}
	return s
}

// decode16 turns raw UTF-16 into text; a lone surrogate becomes the three bytes
// that %q and printable show.
func decode16(b []byte) string {
	out := make([]byte, 0, len(b))
	for ; len(b) >= 2; b = b[2:] {
		u := rune(le.Uint16(b))
		if utf16.IsSurrogate(u) && len(b) >= 4 {
			if r := utf16.DecodeRune(u, rune(le.Uint16(b[2:]))); r != utf8.RuneError {
				out = utf8.AppendRune(out, r)
				b = b[2:]
				continue
			}
		}
		if utf16.IsSurrogate(u) {
			out = append(out, 0xE0|byte(u>>12), 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F)
			continue
		}
		out = utf8.AppendRune(out, u)
	}
	return string(out)
}

// encode16 is the raw UTF-16 of s.
func encode16(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, u)
	}
	return b
}

var (
	nameI30  = string(encode16("$I30"))
	nameBad  = string(encode16("$Bad"))
	nameSDS  = string(encode16("$SDS"))
	nameSII  = string(encode16("$SII"))
	nameSDH  = string(encode16("$SDH"))
	nameO    = string(encode16("$O"))
	nameQ    = string(encode16("$Q"))
	nameR    = string(encode16("$R"))
	nameJ    = string(encode16("$J"))
	nameMax  = string(encode16("$Max"))
	nameInfo = string(encode16("$Info"))
	nameEFS  = string(encode16("$EFS"))
	nameWof  = string(encode16("WofCompressedData"))
)

// A file reference: record number in the low 48 bits, sequence above.
const recordMask = 1<<48 - 1

func refRecord(ref uint64) uint64 { return ref & recordMask }
func refSeq(ref uint64) uint16    { return uint16(ref >> 48) }

// File record header.
//
//	 0  4  "FILE"            16  2  sequence       32  8  base reference
//	 4  2  update offset     18  2  links          40  2  next attribute id
//	 6  2  update count      20  2  first attribute 44 4  own number (3.1)
//	 8  8  log number        22  2  flags
//	24  4  bytes used        28  4  bytes allocated
const (
	headOld = 0x2a // header before version 3.1
	headNew = 0x30 // since 3.1: with the record's own number

	flagUsed = 1
	flagDir  = 2
	flagExt  = 4 // in $Extend
	flagView = 8 // has an index of another kind
)

type header struct {
	usaOff, usaCount, seq, links, first, flags, nextID uint16
	used, alloc, number                                uint32
	base                                               uint64
}

// parseHeader needs 48 bytes.
func parseHeader(b []byte) header {
	_ = b[47]
	return header{
		usaOff: le.Uint16(b[4:]), usaCount: le.Uint16(b[6:]), seq: le.Uint16(b[16:]), links: le.Uint16(b[18:]),
		first: le.Uint16(b[20:]), flags: le.Uint16(b[22:]), nextID: le.Uint16(b[40:]),
		used: le.Uint32(b[24:]), alloc: le.Uint32(b[28:]), number: le.Uint32(b[44:]), base: le.Uint64(b[32:]),
	}
}

const stride = 512 // of update sequences, whatever the sector size

// fixup checks a block's update sequence and puts the replaced bytes back. It
// returns what is wrong; torn strides keep their bytes.
func fixup(b []byte, minOff int) string {
	off, count := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	if count != len(b)/stride+1 {
		return "its update sequence has " + strconv.Itoa(count) + " entries instead of " + strconv.Itoa(len(b)/stride+1)
	}
	if off < minOff || off&1 != 0 || off > stride-2-2*count {
		return "its update sequence stands at the impossible offset " + strconv.Itoa(off)
	}
	mark, bad := le.Uint16(b[off:]), 0
	for i := 1; i < count; i++ {
		end := i*stride - 2
		if le.Uint16(b[end:]) != mark {
			bad = i
			continue
		}
		b[end], b[end+1] = b[off+2*i], b[off+2*i+1]
	}
	if bad > 0 {
		return "it is torn: sector " + strconv.Itoa(bad) + " was not written with the others"
	}
	return ""
}

// attr is one attribute of a record, decoded and checked to lie inside it.
//
//	 0  4  type      8  1  non-resident   12  2  flags
//	 4  4  length    9  1  name length    14  2  identifier
//	                10  2  name offset
//	resident:      16  4  value length  20  2  value offset  22  1  indexed
//	non-resident:  16  8  lowest VCN    24  8  highest VCN   32  2  run list offset
//	               34  1  compression unit (log2 clusters)   40  8  allocated
//	               48  8  size          56  8  initialized   64  8  total allocated
type attr struct {
	raw           []byte // all of it
	typ           uint32
	id, flags     uint16
	place         uint16 // of the value or run list
	form          byte   // 0 resident, 1 not
	nonRes        bool
	indexed, unit uint8
	name          []byte // raw UTF-16
	value         []byte // resident
	pairs         []byte // run list
	lowest, last  int64  // VCNs
	alloc, size   int64
	init, total   int64
}

// method is how the attribute is compressed; 0: not, 1: LZNT1.
func (a *attr) method() uint16 { return a.flags & aCompressed }

// streamHead is what a stream's first extent says of the whole.
type streamHead struct {
	alloc, total int64
	flags        uint16
}

func (a *attr) head() streamHead { return streamHead{a.alloc, a.total, a.flags} }

// Attribute flags.
const (
	aCompressed = 0x00ff
	aEncrypted  = 0x4000
	aSparse     = 0x8000
)

// fault is something wrong, not yet tied to a record.
type fault struct{ code, msg string }

func (a *attr) label() string { return attrName(a.typ, a.name) }

// parse decodes the attribute at the start of b, which has at least 16 bytes
// and whose type is not the end. It returns its length.
func (a *attr) parse(b []byte) (int, fault) {
	*a = attr{typ: le.Uint32(b), form: b[8], nonRes: b[8] != 0, flags: le.Uint16(b[12:]), id: le.Uint16(b[14:])}
	n := int64(le.Uint32(b[4:]))
	if n < 24 || n&7 != 0 || n > int64(len(b)) {
		return 0, fault{"T1", "is " + strconv.FormatInt(n, 10) + " bytes long, which its record cannot hold"}
	}
	b = b[:n]
	a.raw = b
	nameLen, nameOff := int(b[9])*2, int(le.Uint16(b[10:]))
	if nameLen > 0 {
		if nameOff < 24 || nameOff&1 != 0 || nameOff+nameLen > len(b) {
			return int(n), fault{"T2", "has its name outside itself"}
		}
		a.name = b[nameOff : nameOff+nameLen]
	}
	if a.nonRes {
		return int(n), a.parseNonResident(b)
	}
	return int(n), a.parseResident(b)
}

func (a *attr) parseResident(b []byte) fault {
	n, off := int64(le.Uint32(b[16:])), int64(le.Uint16(b[20:]))
	a.indexed = b[22]
	if off < 24 || off > int64(len(b)) || n > int64(len(b))-off {
		return fault{"T3", "has its value outside itself"}
	}
	a.value, a.place = b[off:off+n], uint16(off)
	return fault{}
}

func (a *attr) parseNonResident(b []byte) fault {
	if len(b) < 64 {
		return fault{"T1", "is too short for a run list"}
	}
	a.lowest, a.last, a.unit = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:])), b[34]
	a.alloc, a.size, a.init = int64(le.Uint64(b[40:])), int64(le.Uint64(b[48:])), int64(le.Uint64(b[56:]))
	off := int(le.Uint16(b[32:]))
	a.place = uint16(off)
	head := a.headSize()
	if head == 72 {
		a.total = int64(le.Uint64(b[64:]))
	}
	if off < head || off > len(b) {
		return fault{"T5", "has its run list outside itself"}
	}
	if a.lowest < 0 || a.last < a.lowest-1 {
		return fault{"T5", "has an impossible range of clusters"}
	}
	a.pairs = b[off:]
	return fault{}
}

// headSize is where an attribute's name belongs.
func (a *attr) headSize() int {
	switch {
	case !a.nonRes:
		return 24
	case (a.unit != 0 || a.flags&(aCompressed|aSparse) != 0) && a.lowest == 0 && a.place >= 72 && len(a.raw) >= 72:
		return 72
	}
	return 64
}

// run is a piece of a run list; lcn -1: a hole.
type run struct{ vcn, lcn, n int64 }

// runReader decodes mapping pairs.
type runReader struct {
	b        []byte
	vcn, lcn int64
}

// maxVCN bounds streams to 2^62 bytes, whatever the clusters' size.
const maxVCN = 1 << 41

// next returns the next run; ok is false at the end or when msg says why it
// cannot go on.
func (r *runReader) next() (e run, ok bool, msg string) {
	if len(r.b) == 0 {
		return e, false, "its run list has no end"
	}
	h := r.b[0]
	if h == 0 {
		return e, false, ""
	}
	nl, no := int(h&15), int(h>>4)
	if nl == 0 || nl > 8 || no > 8 || 1+nl+no > len(r.b) {
		return e, false, "its run list has an impossible header byte"
	}
	n := signed(r.b[1 : 1+nl])
	if n <= 0 || r.vcn > maxVCN || n > maxVCN-r.vcn {
		return e, false, "its run list has an impossible length"
	}
	e = run{r.vcn, -1, n}
	if no > 0 {
		if r.lcn += signed(r.b[1+nl : 1+nl+no]); r.lcn >= 0 {
			e.lcn = r.lcn
		} else if r.lcn != -1 {
			return e, false, "its run list points before the volume"
		}
	}
	r.vcn += n
	r.b = r.b[1+nl+no:]
	return e, true, ""
}

// signed is the little-endian two's complement number in b (1 to 8 bytes).
func signed(b []byte) int64 {
	v := int64(int8(b[len(b)-1]))
	for i := len(b) - 2; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	return v
}

// fileName is a decoded $FILE_NAME value: parent reference, four times,
// allocated, size, flags, reparse tag or EA size, then the name's length, its
// name space and the name.
type fileName struct {
	parent      uint64
	times       []byte // 32 bytes
	alloc, size int64
	flags       uint32
	space       uint8
	name        []byte // raw UTF-16
}

// Name spaces.
const (
	spacePOSIX = iota
	spaceWin32
	spaceDOS
	spaceBoth
)

const nameHead = 0x42

func parseFileName(b []byte) (f fileName, ok bool) {
	if len(b) < nameHead || len(b) < nameHead+2*int(b[0x40]) {
		return f, false
	}
	return fileName{
		parent: le.Uint64(b), times: b[8:40], alloc: int64(le.Uint64(b[40:])), size: int64(le.Uint64(b[48:])),
		flags: le.Uint32(b[56:]), space: b[0x41], name: b[nameHead : nameHead+2*int(b[0x40])],
	}, true
}

// volumeInfo is a decoded $VOLUME_INFORMATION.
type volumeInfo struct {
	major, minor uint8
	flags        uint16
}
