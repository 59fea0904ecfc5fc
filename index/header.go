package index

import (
	"bytes"
	"io"
	"strings"
)

const (
	headerMagic = "\x89VTR\r\n\x1a\n"
	version     = 1
	blockLog2   = 16
	hashBLAKE3  = 1
	headerUsed  = 184 // bytes that are not always zero, the CRC apart
)

// Features of a member. Unknown incompatible bits refuse the member; unknown
// compatible ones are ignored.
type Features struct {
	Incompat, ROCompat, Compat uint64
}

// knownIncompat lists the incompatible features this package reads. None yet:
// page deltas, encryption and relocation will each take a bit.
const knownIncompat = 0

// Header is the identity of a member, at the start of each of its parts. It is
// written and synced first and never changes.
//
// Source: docs/FORMAT.md, section 3.
//
//	off len field
//	  0   8 magic
//	  8   2 version; 10 2 oldest version that can read it
//	 12   4 zero
//	 16  24 features: incompatible, read-only compatible, compatible
//	 40   8 image-set ID
//	 48  16 member UID
//	 64   4 member number
//	 68   1 kind; 69 1 log2 of the block size; 70 1 hash; 71 1 zero
//	 72  16 parent UID; 88 32 parent root; 120 4 parent number
//	124   2 part number; 126 2 zero
//	128   8 address of the part's first byte behind its header (part 0: 0)
//	136   8 created, Unix nanoseconds
//	144   8 encryption descriptor, zero
//	152  32 tool, text, zero padded
//	184     zeros
//	4092  4 CRC-32C of all before
type Header struct {
	Set          ImageID
	UID          UID
	Number       uint32
	Kind         MemberKind
	ParentUID    UID
	ParentRoot   Hash
	ParentNumber uint32 // NoParent for a full
	Part         uint16
	PartStart    int64
	Created      int64 // Unix nanoseconds
	Tool         string
	Features     Features
	id           Hash // of the encoded header
}

func (h *Header) encode() []byte {
	b := make([]byte, 0, HeaderSize)
	b = append(b, headerMagic...)
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, version)
	b = le.AppendUint32(b, 0)
	b = appendFeatures(b, h.Features)
	b = append(b, h.Set[:]...)
	b = append(b, h.UID[:]...)
	b = le.AppendUint32(b, h.Number)
	b = append(b, byte(h.Kind), blockLog2, hashBLAKE3, 0)
	b = append(b, h.ParentUID[:]...)
	b = append(b, h.ParentRoot[:]...)
	b = le.AppendUint32(b, h.ParentNumber)
	b = le.AppendUint16(b, h.Part)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, uint64(h.PartStart))
	b = le.AppendUint64(b, uint64(h.Created))
	b = le.AppendUint64(b, 0)
	b = append(b, h.Tool[:min(len(h.Tool), 32)]...)
	b = b[:HeaderSize]
	le.PutUint32(b[HeaderSize-4:], CRC(b[:HeaderSize-4]))
	return b
}

func appendFeatures(b []byte, f Features) []byte {
	b = le.AppendUint64(b, f.Incompat)
	b = le.AppendUint64(b, f.ROCompat)
	return le.AppendUint64(b, f.Compat)
}

func (f *fields) features() Features { return Features{f.u64(), f.u64(), f.u64()} }

func (f Features) check(what string, off int64) error {
	if extra := f.Incompat &^ knownIncompat; extra != 0 {
		return &FormatError{what, off, "needs features that this program does not know", ErrUnsupported}
	}
	return nil
}

// ReadHeader reads the header at the start of a part. A file without the magic
// is ErrNotMember.
func ReadHeader(r io.ReaderAt) (*Header, error) {
	b := make([]byte, HeaderSize)
	n, err := r.ReadAt(b, 0)
	if n < len(headerMagic) || string(b[:8]) != headerMagic {
		if err != nil && err != io.EOF {
			return nil, err
		}
		return nil, &FormatError{"header", 0, "the file does not begin like one", ErrNotMember}
	}
	if n < HeaderSize {
		if err != io.EOF {
			return nil, err
		}
		return nil, &FormatError{"header", 0, "the file ends inside it", ErrUnfinished}
	}
	return decodeHeader(b)
}

func decodeHeader(b []byte) (*Header, error) {
	f := fields{b: b}
	f.take(8)
	if _, oldest := f.u16(), f.u16(); oldest > version {
		return nil, &FormatError{"header", 10, "the format is of a later version", ErrUnsupported}
	}
	if le.Uint32(b[HeaderSize-4:]) != CRC(b[:HeaderSize-4]) {
		return nil, corrupt("header", 0, "the checksum does not match")
	}
	f.u32()
	h := &Header{Features: f.features(), id: ctxHeader.sum(b)}
	copy(h.Set[:], f.take(8))
	copy(h.UID[:], f.take(16))
	h.Number, h.Kind = f.u32(), MemberKind(f.u8())
	log2, hash, _ := f.u8(), f.u8(), f.u8()
	copy(h.ParentUID[:], f.take(16))
	h.ParentRoot, h.ParentNumber = f.hash(), f.u32()
	h.Part, _ = f.u16(), f.u16()
	h.PartStart, h.Created, _ = f.i64(), f.i64(), f.u64()
	h.Tool = strings.ToValidUTF8(string(bytes.TrimRight(f.take(32), "\x00")), "?")
	return h, h.validate(log2, hash)
}

func (h *Header) validate(log2, hash uint8) error {
	switch {
	case h.Kind < Full || h.Kind > Salvage || log2 != blockLog2 || hash != hashBLAKE3:
		return &FormatError{"header", 68, "kind, block size or hash is not one this program knows", ErrUnsupported}
	case h.Number >= NoParent || h.PartStart < 0 || h.PartStart > maxAddress || (h.Part == 0) != (h.PartStart == 0):
		return corrupt("header", 64, "numbers are out of range")
	case h.Kind == Full && h.ParentNumber != NoParent:
		return corrupt("header", 120, "a full names a parent")
	}
	return h.Features.check("header", 16)
}

// maxAddress bounds a member's address space: 2^48 bytes.
const maxAddress = 1 << 48

// FileOffset is where address addr lies in the part's file.
func (h *Header) FileOffset(addr int64) int64 {
	if h.Part == 0 {
		return addr
	}
	return addr - h.PartStart + HeaderSize
}
