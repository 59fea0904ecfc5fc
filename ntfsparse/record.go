package ntfsparse

import (
	"bytes"
	"iter"
)

// Ref is a file reference: the number of a file record in the low 48 bits,
// its sequence number above.
type Ref uint64

// Record is the file record's number.
func (r Ref) Record() uint64 { return uint64(r) & (1<<48 - 1) }

// Seq is the sequence number; 0 in references that do not check it.
func (r Ref) Seq() uint16 { return uint16(r >> 48) }

// MakeRef joins a record number and a sequence number.
func MakeRef(record uint64, seq uint16) Ref { return Ref(record&(1<<48-1) | uint64(seq)<<48) }

// Numbers of the file records that hold the volume's own files.
const (
	RecordMFT     = 0
	RecordMirror  = 1
	RecordLogFile = 2
	RecordVolume  = 3
	RecordAttrDef = 4
	RecordRoot    = 5
	RecordBitmap  = 6
	RecordBoot    = 7
	RecordBadClus = 8
	RecordSecure  = 9
	RecordUpCase  = 10
	RecordExtend  = 11
	FirstUser     = 16 // records below belong to the volume
)

// fixupStride is the distance of the protected words: 512 bytes on every
// disk, whatever its sector size.
const fixupStride = 512

// Fixup checks and undoes the update sequence array of a FILE or INDX
// structure, in place: the last two bytes of each 512 bytes were replaced by
// a check value, and kept in the array. A difference means a torn write.
func Fixup(b []byte) error {
	if len(b) < fixupStride || len(b)%fixupStride != 0 {
		return corrupt("structure is not a multiple of 512 bytes", -1)
	}
	off, n := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	if n != len(b)/fixupStride+1 {
		return corrupt("update sequence array has a wrong length", 6)
	}
	if off < 8 || off&1 != 0 || off+2*n > fixupStride-2 {
		return corrupt("update sequence array is in a wrong place", 4)
	}
	return undoFixup(b, b[off:off+2*n])
}

func undoFixup(b, array []byte) error {
	for i := fixupStride; i <= len(b); i += fixupStride {
		if b[i-2] != array[0] || b[i-1] != array[1] {
			return corrupt("update sequence does not match (torn write)", i-2)
		}
	}
	for i, a := fixupStride, array[2:]; i <= len(b); i, a = i+fixupStride, a[2:] {
		b[i-2], b[i-1] = a[0], a[1]
	}
	return nil
}

// Flags of a file record.
const (
	FlagInUse     = 1
	FlagDirectory = 2
	FlagExtend    = 4 // in $Extend
	FlagView      = 8 // has an index that is no folder's
)

// Record is one file record with its update sequence undone.
//
//	0x00  4  "FILE"
//	0x04  2  update sequence array: offset; 0x06 2 count
//	0x08  8  log sequence number
//	0x10  2  sequence number
//	0x12  2  link count, DOS names counted
//	0x14  2  offset of the first attribute
//	0x16  2  flags
//	0x18  4  bytes used; 0x1C 4 bytes allocated
//	0x20  8  base record, 0 in base records
//	0x28  2  next attribute id
//	0x2C  4  own number (NTFS 3.1)
type Record struct {
	N    uint64 // its number, from its place in the MFT
	b    []byte
	used int // bytes up to which attributes may reach
}

// ParseRecord checks and decodes the file record n in b, which it takes over
// and changes (the update sequence is undone).
func ParseRecord(n uint64, b []byte) (*Record, error) {
	r := &Record{}
	if err := r.parse(n, b); err != nil {
		return nil, inRecord(err, n)
	}
	return r, nil
}

var magicFile = []byte("FILE")

func (r *Record) parse(n uint64, b []byte) error {
	if len(b) < fixupStride || !bytes.Equal(b[:4], magicFile) {
		return badMagic(b)
	}
	if err := Fixup(b); err != nil {
		return err
	}
	*r = Record{N: n, b: b, used: int(min(uint64(le.Uint32(b[0x18:])), uint64(len(b))))}
	if le.Uint32(b[0x18:]) > uint32(len(b)) {
		return corrupt("file record uses more than its size", 0x18)
	}
	if off := r.FirstAttr(); off < 0x28 || off&7 != 0 || off > r.used-4 {
		return corrupt("first attribute is in a wrong place", 0x14)
	}
	return nil
}

// errNeverUsed is made once, since most records of a new volume are such.
var errNeverUsed = classf(ErrDeleted, NoRecord, "file record was never used")

func badMagic(b []byte) error {
	switch {
	case len(b) < fixupStride:
		return corrupt("file record is cut short", 0)
	case string(b[:4]) == "BAAD":
		return corrupt("file record was marked bad (BAAD)", 0)
	case zeros(b[:64]):
		return errNeverUsed
	}
	return corrupt("no file record here (magic is not FILE)", 0)
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Bytes is the record as it lies on disk but for the update sequence; not to
// be changed.
func (r *Record) Bytes() []byte { return r.b }

// Ref is the reference that names this record now.
func (r *Record) Ref() Ref { return MakeRef(r.N, r.Seq()) }

// Seq is the sequence number, counted up when the record is used anew.
func (r *Record) Seq() uint16 { return le.Uint16(r.b[0x10:]) }

// LinkCount counts the names, DOS names too.
func (r *Record) LinkCount() int { return int(le.Uint16(r.b[0x12:])) }

// FirstAttr is the offset of the first attribute.
func (r *Record) FirstAttr() int { return int(le.Uint16(r.b[0x14:])) }

// Flags are the Flag bits.
func (r *Record) Flags() uint16 { return le.Uint16(r.b[0x16:]) }

// Used is the number of bytes in use, Allocated the size it says it has.
func (r *Record) Used() int { return r.used }

// Allocated is the size that the record says it has, in bytes.
func (r *Record) Allocated() uint32 { return le.Uint32(r.b[0x1C:]) }

// Base is the record that an extension record belongs to; 0 in base records.
func (r *Record) Base() Ref { return Ref(le.Uint64(r.b[0x20:])) }

// NextID is the id that the next new attribute would get.
func (r *Record) NextID() uint16 { return le.Uint16(r.b[0x28:]) }

// OwnNumber is the number that the record says it has; meaningless before
// NTFS 3.1.
func (r *Record) OwnNumber() uint32 { return le.Uint32(r.b[0x2C:]) }

// numbered tells whether there is room for that number before the update sequence.
func (r *Record) numbered() bool { return le.Uint16(r.b[4:]) >= 0x30 }

// InUse tells whether the record belongs to a file that exists.
func (r *Record) InUse() bool { return r.Flags()&FlagInUse != 0 }

// IsDir tells whether the record is a folder's.
func (r *Record) IsDir() bool { return r.Flags()&FlagDirectory != 0 }

// Attrs yields the attributes in the order of the record. An error comes with
// the attribute that it concerns and does not end the list unless its length
// is wrong, too.
func (r *Record) Attrs() iter.Seq2[Attr, error] {
	return func(yield func(Attr, error) bool) {
		for off := r.FirstAttr(); off >= 0; {
			a, next, err := r.attr(off)
			if next == 0 && err == nil || !yield(a, err) {
				return
			}
			off = next
		}
	}
}

// attr decodes the attribute at off and tells where the next one is: 0 with
// no error at the end mark, -1 when the rest of the record cannot be read.
func (r *Record) attr(off int) (a Attr, next int, err error) {
	if off > r.used-4 {
		return a, -1, corrupt("attributes have no end mark", off)
	}
	if le.Uint32(r.b[off:]) == 0xFFFFFFFF {
		return a, 0, nil
	}
	if off > r.used-24 {
		return a, -1, corrupt("attribute is cut short", off)
	}
	n := le.Uint32(r.b[off+4:])
	if n < 24 || n&7 != 0 || n > uint32(r.used-off) {
		return a, -1, corrupt("attribute length is wrong", off+4)
	}
	a = Attr{b: r.b[off : off+int(n) : off+int(n)], Off: off}
	if what := a.check(); what != "" {
		return a, off + int(n), corrupt(what, off)
	}
	return a, off + int(n), nil
}
