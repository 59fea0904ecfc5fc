package ntfsparse

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"math/bits"
)

// secure is $Secure, where the security descriptors of a volume lie: in the
// stream $SDS, found by id through the index $SII. Each 256 KiB of $SDS are
// followed by their copy.
type secure struct {
	ids *Index
	sds *Stream
}

func (v *Volume) openSecure() (*secure, error) {
	f, err := v.File(RecordSecure)
	if err != nil {
		return nil, err
	}
	ids, err := f.Index("$SII")
	if err != nil {
		return nil, err
	}
	sds, err := f.Stream("$SDS")
	if err != nil {
		return nil, err
	}
	sds.cached = true
	return &secure{ids, sds}, nil
}

// SecurityEntry is the head of a descriptor in $SDS, and the data of its
// entry in $SII and $SDH.
//
//	0x00 4 hash; 0x04 4 id; 0x08 8 offset in $SDS; 0x10 4 length with this head
type SecurityEntry struct {
	Hash, ID uint32
	Off      int64
	Len      uint32
}

// ParseSecurityEntry decodes the 20 bytes of a head.
func ParseSecurityEntry(b []byte) (SecurityEntry, error) {
	if len(b) < 20 {
		return SecurityEntry{}, corrupt("security entry is too short", len(b))
	}
	return SecurityEntry{le.Uint32(b), le.Uint32(b[4:]), int64(le.Uint64(b[8:])), le.Uint32(b[16:])}, nil
}

// Security is the file's security descriptor, self-relative as Windows has
// it: from $Secure, or from the file's own record. Where both have one that of
// $Secure counts: chkdsk leaves another in the record. It fails with
// fs.ErrNotExist when the file has none, and with ErrCorrupt when $Secure lacks it.
func (f *File) Security() ([]byte, error) {
	var unknown error
	info, err := f.Standard()
	if err == nil && info.SecurityID != 0 {
		b, err := f.v.SecurityByID(info.SecurityID)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
		unknown = classf(ErrCorrupt, f.rec.N, "the file's security descriptor, %d, does not exist", info.SecurityID)
	}
	if a, ok := f.first(TypeSecurity); ok && a.Size() > 0 {
		return f.value(TypeSecurity, maxSecurity)
	}
	return nil, cmp.Or(err, unknown, f.missing("security descriptor"))
}

// SecurityByID reads the security descriptor with this id out of $Secure.
func (v *Volume) SecurityByID(id uint32) ([]byte, error) {
	s, err := v.secure.get(v.openSecure)
	if err != nil {
		return nil, err
	}
	e, ok, err := s.ids.Find(func(key []byte) int {
		if len(key) < 4 {
			return 1
		}
		return cmp.Compare(id, le.Uint32(key))
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Class: fs.ErrNotExist, What: "no security descriptor with this id", Record: RecordSecure, Off: int64(id)}
	}
	return s.read(e, id)
}

func (s *secure) read(e IndexEntry, id uint32) ([]byte, error) {
	entry, err := ParseSecurityEntry(e.Data())
	if err != nil {
		return nil, inRecord(err, RecordSecure)
	}
	if entry.ID != id || entry.Len < 20 || entry.Len > maxSecurity || entry.Off < 0 {
		return nil, classf(ErrCorrupt, RecordSecure, "security descriptor %d has an impossible place", id)
	}
	first, err := s.copyAt(entry, entry.Off)
	if err == nil && securityHash(first) == entry.Hash {
		return first, nil
	}
	second, err2 := s.copyAt(entry, entry.Off+sdsBlock)
	switch {
	case err2 == nil && securityHash(second) == entry.Hash:
		return second, nil
	case err != nil:
		return nil, err
	case err2 == nil && bytes.Equal(first, second):
		return first, nil // whoever wrote them counts otherwise
	}
	return nil, classf(ErrCorrupt, RecordSecure, "security descriptor %d has a wrong checksum", id)
}

const sdsBlock = 256 << 10

// copyAt reads a descriptor out of one of its two places.
func (s *secure) copyAt(entry SecurityEntry, off int64) ([]byte, error) {
	b := make([]byte, entry.Len)
	if err := readFull(s.sds, b, off); err != nil {
		return nil, err
	}
	if head, _ := ParseSecurityEntry(b); head != entry {
		return nil, classf(ErrCorrupt, RecordSecure, "security descriptor %d is not where its index says", entry.ID)
	}
	return b[20:], nil
}

// securityHash is the checksum that $Secure has of a descriptor.
func securityHash(b []byte) (sum uint32) {
	for ; len(b) >= 4; b = b[4:] {
		sum = le.Uint32(b) + bits.RotateLeft32(sum, 3)
	}
	return sum
}
