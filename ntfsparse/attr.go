package ntfsparse

import "math"

// AttrType is the type of an attribute.
type AttrType uint32

// The types of attributes.
const (
	TypeStandardInfo    AttrType = 0x10
	TypeAttributeList   AttrType = 0x20
	TypeFileName        AttrType = 0x30
	TypeObjectID        AttrType = 0x40
	TypeSecurity        AttrType = 0x50
	TypeVolumeName      AttrType = 0x60
	TypeVolumeInfo      AttrType = 0x70
	TypeData            AttrType = 0x80
	TypeIndexRoot       AttrType = 0x90
	TypeIndexAllocation AttrType = 0xA0
	TypeBitmap          AttrType = 0xB0
	TypeReparse         AttrType = 0xC0
	TypeEAInfo          AttrType = 0xD0
	TypeEA              AttrType = 0xE0
	TypeLoggedUtility   AttrType = 0x100
	typeEnd             AttrType = 0xFFFFFFFF
)

// known tells whether Windows ever wrote attributes of the type: those above and 0xF0,
// the $PROPERTY_SET of NT 4. Nobody has defined others, for which $AttrDef has room.
func (t AttrType) known() bool {
	return t >= TypeStandardInfo && t <= TypeLoggedUtility && t&0xF == 0
}

// nameless tells whether attributes of the type have no name.
func (t AttrType) nameless() bool {
	switch t {
	case TypeStandardInfo, TypeAttributeList, TypeFileName, TypeObjectID, TypeSecurity, TypeVolumeName, TypeVolumeInfo, TypeReparse, TypeEAInfo, TypeEA:
		return true
	}
	return false
}

// Flags of an attribute.
const (
	AttrCompressed = 0x0001 // LZNT1; the low byte names the method
	AttrEncrypted  = 0x4000
	AttrSparse     = 0x8000
)

// Attr is one attribute as it lies in a file record. Its offsets are checked;
// what its value means is not.
//
//	0x00  4  type
//	0x04  4  length
//	0x08  1  1: non-resident
//	0x09  1  name length in UTF-16 units; 0x0A 2 its offset
//	0x0C  2  flags
//	0x0E  2  id
//	resident:                      non-resident:
//	0x10  4  value length          0x10  8  lowest VCN of this extent
//	0x14  2  value offset          0x18  8  highest VCN
//	0x16  1  1: in an index        0x20  2  offset of the run list
//	                               0x22  1  log2 of clusters in a compression unit
//	                               0x28  8  allocated size  \
//	                               0x30  8  size             | where the lowest
//	                               0x38  8  valid size       | VCN is 0
//	                               0x40  8  bytes really allocated, compressed
//	                                        or sparse ones only
type Attr struct {
	b   []byte
	Off int // in the file record
}

// check returns what is wrong with the attribute's inner offsets.
func (a Attr) check() string {
	if n, off := int(a.b[9]), int(le.Uint16(a.b[10:])); n > 0 && off+2*n > len(a.b) {
		return "attribute name lies outside the attribute"
	}
	switch t := a.Type(); {
	case !t.known():
		return "attribute has an unknown type"
	case a.b[9] > 0 && t.nameless():
		return "attribute has a name, which its type does not have"
	}
	if !a.Resident() {
		return a.checkNonResident()
	}
	n, off := le.Uint32(a.b[0x10:]), uint32(le.Uint16(a.b[0x14:]))
	if off < 0x18 || off > uint32(len(a.b)) || n > uint32(len(a.b))-off {
		return "attribute value lies outside the attribute"
	}
	if off&7 != 0 {
		return "attribute value does not begin at a multiple of 8"
	}
	if a.hides(int(off + n)) {
		return hidesNext
	}
	if a.Type() == TypeFileName {
		switch n, err := ParseFileName(a.Value()); {
		case err != nil:
			return "$FILE_NAME is too short"
		case len(n.Units) == 0:
			return "file name is empty"
		}
	}
	return ""
}

const hidesNext = "attribute is so long that it hides the next"

// hides tells whether there is another attribute behind this one's contents, which end
// before byte end.
func (a Attr) hides(end int) bool { return beginsAttr(a.b[min((end+7)&^7, len(a.b)):]) }

// beginsAttr tells whether b begins with an attribute, which is inside another then.
func beginsAttr(b []byte) bool {
	if len(b) < 0x18 || typeNames[AttrType(le.Uint32(b))] == "" {
		return false
	}
	n := le.Uint32(b[4:])
	return n >= 0x18 && n&7 == 0 && n <= uint32(len(b)) && b[8] <= 1
}

func (a Attr) checkNonResident() string {
	if len(a.b) < 0x40 {
		return "non-resident attribute is too short"
	}
	if off := int(le.Uint16(a.b[0x20:])); off < 0x40 || off > len(a.b) {
		return "run list lies outside the attribute"
	}
	if low, high := a.LowVCN(), a.HighVCN(); low < 0 || high < low-1 {
		return "attribute has impossible VCNs"
	}
	if a.Type() == TypeFileName {
		return "$FILE_NAME is not in the record"
	}
	if a.hides(len(a.b) - len(a.RunList()) + runsEnd(a.RunList())) {
		return hidesNext
	}
	return ""
}

// Type is the attribute's type.
func (a Attr) Type() AttrType { return AttrType(le.Uint32(a.b)) }

// Len is the attribute's length in bytes.
func (a Attr) Len() int { return len(a.b) }

// Bytes is the whole attribute; not to be changed.
func (a Attr) Bytes() []byte { return a.b }

// Resident tells whether the value lies in the record.
func (a Attr) Resident() bool { return a.b[8] == 0 }

// NameUnits is the name in UTF-16LE; empty for unnamed attributes.
func (a Attr) NameUnits() []byte {
	n := int(a.b[9])
	if n == 0 {
		return nil
	}
	off := int(le.Uint16(a.b[10:]))
	return a.b[off : off+2*n]
}

// Name is the name in UTF-8, see [DecodeName].
func (a Attr) Name() string { return DecodeName(a.NameUnits()) }

// Flags are the Attr bits.
func (a Attr) Flags() uint16 { return le.Uint16(a.b[0x0C:]) }

// ID is the attribute's id inside its record.
func (a Attr) ID() uint16 { return le.Uint16(a.b[0x0E:]) }

// Indexed is the byte that marks resident attributes found in an index.
func (a Attr) Indexed() byte { return a.b[0x16] }

// Value is a resident attribute's value; not to be changed. Nil otherwise.
func (a Attr) Value() []byte {
	if !a.Resident() {
		return nil
	}
	n, off := int(le.Uint32(a.b[0x10:])), int(le.Uint16(a.b[0x14:]))
	return a.b[off : off+n : off+n]
}

// LowVCN is the first cluster of the stream that this extent maps.
func (a Attr) LowVCN() int64 {
	if a.Resident() {
		return 0
	}
	return int64(le.Uint64(a.b[0x10:]))
}

// HighVCN is the last cluster that this extent maps; -1 when there is none.
func (a Attr) HighVCN() int64 { return int64(le.Uint64(a.b[0x18:])) }

// Unit is log2 of the clusters in a compression unit; 0: not compressed.
func (a Attr) Unit() uint8 { return a.b[0x22] }

// RunList is the encoded run list, see [DecodeRuns].
func (a Attr) RunList() []byte { return a.b[le.Uint16(a.b[0x20:]):] }

// Alloc is the allocated size in bytes, holes of sparse streams counted;
// meaningful where LowVCN is 0, as are the next three.
func (a Attr) Alloc() int64 { return int64(le.Uint64(a.b[0x28:])) }

// Size is the size of the value in bytes.
func (a Attr) Size() int64 {
	if a.Resident() {
		return int64(le.Uint32(a.b[0x10:]))
	}
	return int64(le.Uint64(a.b[0x30:]))
}

// Valid is the size up to which the stream was ever written; it reads as
// zeros from there.
func (a Attr) Valid() int64 { return int64(le.Uint64(a.b[0x38:])) }

// Total is the number of bytes really allocated, for all kinds of streams.
func (a Attr) Total() int64 {
	switch {
	case a.Resident():
		return 0
	case a.Flags()&(AttrCompressed|AttrSparse) != 0 && len(a.b) >= 0x48 && le.Uint16(a.b[0x20:]) >= 0x48:
		return int64(le.Uint64(a.b[0x40:]))
	}
	return a.Alloc()
}

// sane tells whether the sizes can be worked with. Those of other extents than the
// first mean nothing.
func (a Attr) sane() bool {
	return a.Resident() || a.LowVCN() != 0 || a.Size() >= 0 && a.Alloc() >= 0 && a.Valid() >= 0 && a.Size() <= math.MaxInt64/2
}

// overlong tells whether the value is larger than what is allocated for it, which holes
// count in.
func (a Attr) overlong() bool {
	return !a.Resident() && a.LowVCN() == 0 && a.Size() > a.Alloc()
}

// overwritten tells whether more bytes were written than the value has.
func (a Attr) overwritten() bool {
	return !a.Resident() && a.LowVCN() == 0 && a.Valid() > a.Size()
}

// is tells whether the attribute has this type and name (in UTF-16LE).
func (a Attr) is(t AttrType, name string) bool {
	return a.Type() == t && string(a.NameUnits()) == name
}
