package ntfsparse

import (
	"bytes"
	"errors"
	"testing"
)

// bigRoot is the root of an index that has blocks.
func (b *rb) bigRoot() []byte {
	v := make([]byte, 32, 56)
	le.PutUint32(v, uint32(TypeFileName))
	le.PutUint32(v[4:], CollateFileName)
	le.PutUint32(v[8:], 4096)
	v[28] = 1
	e := make([]byte, 24)
	le.PutUint16(e[8:], 24)
	le.PutUint16(e[12:], EntryLast|EntrySubNode)
	v = append(v, e...)
	le.PutUint32(v[16:], 16)
	le.PutUint32(v[20:], uint32(len(v)-16))
	return b.res(TypeIndexRoot, "$I30", 0, v)
}

// TestIndexWithoutClusters has an index that claims the whole volume and has next to
// nothing of it: going through it must cost what it has.
func TestIndexWithoutClusters(t *testing.T) {
	for name, c := range map[string]struct {
		runs   []int64
		stored int64
		errors int
	}{
		"hole":         {[]int64{4000, -1}, 0, 1},
		"nothing":      {[]int64{1, -1}, 0, 2},
		"some":         {[]int64{1000, -1, 2, 300, 1000, -1, 1, 310}, 3, 3 + 3},
		"some in 512s": {[]int64{1001, -1, 1, 300, 2998, -1}, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := 4096
			if name == "some in 512s" {
				cluster = 512
			}
			b := newRB(4000, cluster, 1024, 64)
			size := int64(len(b.img) / 512 * 512)
			ones := b.alloc(8, bytes.Repeat([]byte{0xFF}, 8*cluster))
			clusters := int64(0)
			for i := 0; i < len(c.runs); i += 2 {
				clusters += c.runs[i]
			}
			b.root(ixEntry(MakeRef(40, 1), fnv(5, 5, "d", 3, nameIsDir)))
			b.put(40, 1, 3, 0, b.si(0x10), b.fn(5, 5, "d", 3, nameIsDir), b.bigRoot(),
				b.nonres(TypeIndexAllocation, "$I30", 0, 0, 0, clusters-1, runs(c.runs...), size, size, size),
				b.nonres(TypeBitmap, "$I30", 0, 0, 0, 7, runs(8, ones), int64(8*cluster), int64(8*cluster), int64(8*cluster)))
			f, err := b.open(t).Lookup("d")
			if err != nil {
				t.Fatal(err)
			}
			d, _ := f.Dir()
			x := d.Index()
			if most := c.stored*int64(cluster) + x.Blocks()/8; x.cost() > most {
				t.Errorf("cost is %d, more than %d", x.cost(), most)
			}
			n := 0
			x.Scan(-1, func(_ int64, _ IndexEntry, err error) bool {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("error is %v", err)
				}
				n++
				return true
			})
			if n != c.errors {
				t.Errorf("%d errors, want %d", n, c.errors)
			}
		})
	}
}

// TestNoIndex: the index that stands for a lost one can be used like any other.
func TestNoIndex(t *testing.T) {
	b := newRB(200, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "d", 3, nameIsDir)))
	b.put(30, 1, 3, 0, b.si(0x10), b.fn(5, 5, "d", 3, nameIsDir))
	f, err := b.open(t).Lookup("d")
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Dir()
	if err != nil {
		t.Fatal(err)
	}
	x := d.Index()
	x.Scan(-1, func(int64, IndexEntry, error) bool { t.Error("it has entries"); return true })
	for e, err := range x.Root().Entries() {
		if err != nil || !e.Last() {
			t.Error(e, err)
		}
	}
	if _, ok, err := x.Find(func([]byte) int { return 0 }); ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := x.Block(0); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if _, err := x.BlockOf(0); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if used, err := x.InUse(0); used || err != nil {
		t.Error(used, err)
	}
	if x.Root().HasBlocks() || x.Blocks() != 0 || x.BlockVCN(1) == 0 {
		t.Error("it has blocks")
	}
}
