package ntfsparse

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"
)

// descriptor is a self-relative security descriptor with an owner.
func descriptor(rid byte) []byte {
	b := make([]byte, 20, 32)
	b[0], b[4] = 1, 20
	le.PutUint16(b[2:], 0x8000)
	return append(b, 1, 1, 0, 0, 0, 0, 0, 5, rid, 0, 0, 0)
}

// secureVolume has a file "f" whose descriptor 0x100 lies in $Secure; damage is done
// to $SDS, and own are attributes of the file.
func secureVolume(t *testing.T, id uint32, damage func(sds []byte), own ...[]byte) *File {
	sd := descriptor(18)
	entry := append(make([]byte, 20), sd...)
	le.PutUint32(entry, securityHash(sd))
	le.PutUint32(entry[4:], 0x100)
	le.PutUint32(entry[16:], uint32(len(entry)))
	sds := make([]byte, sdsBlock+len(entry))
	copy(sds, entry)
	copy(sds[sdsBlock:], entry)
	damage(sds)

	b := newRB(400, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(40, 1), fnv(5, 5, "f", 3, 0)))
	si := make([]byte, 72)
	le.PutUint32(si[0x34:], id)
	b.put(40, 1, 1, 0, append([][]byte{b.res(TypeStandardInfo, "", 0, si), b.fn(5, 5, "f", 3, 0)}, own...)...)
	n := (len(sds) + 4095) / 4096
	lcn := b.alloc(n, sds)
	e := make([]byte, 0x28)
	le.PutUint16(e, 0x14)
	le.PutUint16(e[2:], 0x14)
	le.PutUint16(e[8:], 0x28)
	le.PutUint16(e[10:], 4)
	le.PutUint32(e[16:], 0x100)
	copy(e[20:], entry[:20])
	root := make([]byte, 32)
	le.PutUint32(root[4:], CollateUint32)
	le.PutUint32(root[8:], 4096)
	root = append(append(root, e...), ixEnd()...)
	le.PutUint32(root[16:], 16)
	le.PutUint32(root[20:], uint32(len(root)-16))
	le.PutUint32(root[24:], uint32(len(root)-16))
	b.put(9, 9, 9, 0, b.si(6), b.fn(5, 5, "$Secure", 3, 0),
		b.nonres(TypeData, "$SDS", 0, 0, 0, int64(n-1), runs(int64(n), lcn), int64(n*4096), int64(len(sds)), int64(len(sds))),
		b.res(TypeIndexRoot, "$SII", 0, root))
	f, err := b.open(t).Lookup("f")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSecurityCopies(t *testing.T) {
	const body, second = 20 + 28, sdsBlock + 20 + 28
	for name, c := range map[string]struct {
		damage func(sds []byte)
		want   error
		rid    byte
	}{
		"sound":                {func([]byte) {}, nil, 18},
		"head":                 {func(b []byte) { clear(b[:20]) }, nil, 18},
		"body":                 {func(b []byte) { b[body] ^= 5 }, nil, 18},
		"second":               {func(b []byte) { b[second] ^= 5 }, nil, 18},
		"both heads":           {func(b []byte) { b[0], b[sdsBlock] = 1, 1 }, ErrCorrupt, 0},
		"both bodies":          {func(b []byte) { b[body], b[second] = 1, 2 }, ErrCorrupt, 0},
		"body and second head": {func(b []byte) { b[body], b[sdsBlock] = 1, 1 }, ErrCorrupt, 0},
		"another checksum":     {func(b []byte) { b[body], b[second] = 19, 19 }, nil, 19},
	} {
		got, err := secureVolume(t, 0x100, c.damage).Security()
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got, descriptor(c.rid)) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// TestSecurityBoth: what a record says counts only where $Secure has nothing.
func TestSecurityBoth(t *testing.T) {
	own := (&rb{}).res(TypeSecurity, "", 0, descriptor(20))
	for _, c := range []struct {
		id  uint32
		rid byte
	}{{0x100, 18}, {0, 20}, {0x101, 20}} {
		got, err := secureVolume(t, c.id, func([]byte) {}, own).Security()
		if err != nil || !bytes.Equal(got, descriptor(c.rid)) {
			t.Errorf("id %#x: %x, %v", c.id, got, err)
		}
	}
	if _, err := secureVolume(t, 0x100, func(b []byte) { b[0], b[sdsBlock] = 1, 1 }, own).Security(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with damage: %v", err)
	}
	if _, err := secureVolume(t, 0x101, func([]byte) {}).Security(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("unknown id: %v", err)
	}
	if _, err := secureVolume(t, 0, func([]byte) {}).Security(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no id: %v", err)
	}
}
