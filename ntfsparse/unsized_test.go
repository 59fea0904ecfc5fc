package ntfsparse

import (
	"strings"
	"testing"
)

// TestImpossibleNumberOfSectors: with no backup the volume is read as far as the device goes.
func TestImpossibleNumberOfSectors(t *testing.T) {
	for _, n := range []uint64{0, 1 << 62, 1<<64 - 1} {
		b := newRB(64, 4096, 1024, 64)
		b.root(ixEntry(MakeRef(40, 1), fnv(5, 5, "f", 3, 0)))
		b.put(40, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0), b.res(TypeData, "", 0, []byte("contents")))
		le.PutUint64(b.img[0x28:], n)
		v := b.open(t)
		f, err := v.Lookup("f")
		if err != nil {
			t.Errorf("%d: %v", n, err)
			continue
		}
		if in := f.Info(); in.Size != 8 || v.Clusters() != 64 || !strings.Contains(strings.Join(v.Notes(), "\n"), "as far as the device goes") {
			t.Errorf("%d: %d bytes, %d clusters, %q", n, in.Size, v.Clusters(), v.Notes())
		}
	}
}

// TestMirrorOfFiles: Windows does not bring the mirror's copies of records behind the
// system's up to date, though a cluster of 64 KiB has room for 64.
func TestMirrorOfFiles(t *testing.T) {
	b := newRB(32, 64<<10, 1024, 64)
	b.root(ixEntry(MakeRef(40, 2), fnv(5, 5, "new", 3, 0)))
	b.put(40, 1, 1, 0, b.si(0x20), b.fn(5, 5, "old", 3, 0), b.res(TypeData, "", 0, []byte("old contents")))
	copy(b.img[2*b.cluster:], b.img[b.mft*b.cluster:][:b.cluster])
	b.put(40, 2, 1, 0, b.si(0x20), b.fn(5, 5, "new", 3, 0), b.res(TypeData, "", 0, []byte("new contents")))
	b.img[b.off(40)+510]++
	b.img[b.off(5)+510]++
	v := b.open(t)
	if _, err := v.Record(5); err != nil {
		t.Errorf("the root: %v", err)
	}
	if rec, err := v.Record(40); err == nil {
		t.Errorf("a torn record is %+v", rec.Ref())
	}
	if f, err := v.Lookup("new"); err == nil && !f.ghost {
		t.Errorf("%+v", f.Info())
	}
}

// TestWrongHighestVCN: where run list and allocated size agree, a wrong highest VCN does
// not matter, in $MFT least of all.
func TestWrongHighestVCN(t *testing.T) {
	b := newRB(128, 4096, 1024, 256)
	b.root(ixEntry(MakeRef(250, 1), fnv(5, 5, "last", 3, 0)))
	lcn := b.alloc(3, []byte("contents"))
	b.put(250, 1, 1, 0, b.si(0x20), b.fn(5, 5, "last", 3, 0), b.nonres(TypeData, "", 0, 0, 0, 1, runs(3, lcn), 3*4096, 9000, 9000))
	size := int64(256 * 1024)
	b.put(0, 1, 1, 0, b.si(0), b.fn(5, 5, "$MFT", 3, 0), b.nonres(TypeData, "", 0, 0, 0, 49, runs(size/4096, int64(b.mft)), size, size, size))
	v := b.open(t)
	f, err := v.Lookup("last")
	if err != nil || v.Records() != 256 {
		t.Fatalf("%v, %d records", err, v.Records())
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if _, err := s.ReadAt(got, 0); err != nil || string(got) != "contents" {
		t.Errorf("%q, %v", got, err)
	}
}
