package ntfsparse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
)

// heavy puts a file into record n whose k names are each in an extension record behind
// it, the last one torn if it is to be damaged.
func (b *rb) heavy(n, k int, damaged bool) {
	me := MakeRef(uint64(n), 1)
	list := [][]byte{listEntry(TypeStandardInfo, 0, me, 0)}
	for i := n + 1; i <= n+k; i++ {
		list = append(list, listEntry(TypeFileName, 0, MakeRef(uint64(i), 1), 0))
		b.put(i, 1, 1, me, b.fn(5, 5, fmt.Sprintf("n%05d", i), NameWin32, 0))
	}
	all := bytes.Join(list, nil)
	count := (len(all) + b.cluster - 1) / b.cluster
	b.put(n, 1, 1, 0, b.si(0x20), b.extent(TypeAttributeList, "", 0, int64(len(all)), int64(count), b.alloc(count, all)), b.res(TypeData, "", 0, []byte("x")))
	if damaged {
		b.img[b.off(n+k)+510]++
	}
}

// counter counts what is read of a volume without a cache.
type counter struct {
	*bytes.Reader
	calls int
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.calls++
	return c.Reader.ReadAt(p, off)
}

func (b *rb) openCounted(t *testing.T) (*Volume, *counter) {
	t.Helper()
	c := &counter{Reader: bytes.NewReader(b.img)}
	v, err := Open(c, int64(len(b.img)))
	if err != nil {
		t.Fatal(err)
	}
	v.meta = newCache(0)
	return v, c
}

// TestNamesInManyRecords: looking for lost names reads each file's records a few times, not
// once for each of them.
func TestNamesInManyRecords(t *testing.T) {
	const k = 1000
	b := newRB(64+k, 4096, 1024, k+64)
	b.root()
	b.heavy(40, k, false)
	v, c := b.openCounted(t)
	c.calls = 0
	if _, err := v.Lookup("$Orphan-12345"); err == nil || c.calls > 10*k {
		t.Errorf("$Orphan-12345: %v, %d reads", err, c.calls)
	}
	c.calls = 0
	lost := 0
	err := v.WalkLost(context.Background(), func(Ref, *DirEntry) error { lost++; return nil })
	if err != nil || lost != k || c.calls > 40*k {
		t.Errorf("%d lost names, %v, %d reads", lost, err, c.calls)
	}
}

// TestOpenWithoutRootIndex: opening a volume does not go through its MFT, whatever the
// root is like, and hibernation is told if the index has the file.
func TestOpenWithoutRootIndex(t *testing.T) {
	const k = 1000
	entry := ixEntry(MakeRef(30, 1), fnv(5, 5, "HiberFil.sys", NameWin32, 0))
	for name, root := range map[string][]byte{"lost": nil, "whole": entry, "none": {}, "damaged": append(ixEntry(MakeRef(31, 1), nil), entry...)} {
		b := newRB(64+k, 4096, 1024, k+64)
		b.put(30, 1, 1, 0, b.si(6), b.fn(5, 5, "hiberfil.sys", NameWin32, 0), b.res(TypeData, "", 0, []byte("hibr")))
		b.heavy(40, k, false)
		switch {
		case root == nil:
			b.put(RecordRoot, 5, 3, 0, b.si(0x16), b.fn(5, 5, ".", NameWin32, nameIsDir))
		case len(root) == 0:
			b.root()
		default:
			b.root(root)
		}
		c := &counter{Reader: bytes.NewReader(b.img)}
		v, err := Open(c, int64(len(b.img)))
		if err != nil {
			t.Fatal(err)
		}
		if c.calls > 40 || v.Hibernated() != (len(root) > 0) {
			t.Errorf("%s: hibernated %v, %d reads", name, v.Hibernated(), c.calls)
		}
	}
}

// TestHeavyFilesByTurns: what names lead to again and again is read so often, and no more,
// and that is told.
func TestHeavyFilesByTurns(t *testing.T) {
	const k = 1000
	b := newRB(64+2*k, 4096, 1024, 2*k+128)
	b.root()
	b.heavy(60, k, false)
	b.heavy(61+k, k, false)
	v := b.open(t)
	refs := []Ref{MakeRef(61+k, 1), MakeRef(60, 1), MakeRef(60, 1)}
	const times = 300
	told := [2]int{}
	r := v.InfoReader()
	for range times {
		r.Read(refs, func(i int, in *Info, err error) {
			switch {
			case err == nil && in.Links == k && in.Size == 1:
				told[0]++
			case errors.Is(err, ErrUnsupported):
				told[1]++
			default:
				t.Fatalf("%d: %d links, %v", i, in.Links, err)
			}
		})
	}
	if told[0] < 100 || told[1] < 100 || r.extensions.left < -1<<20 {
		t.Errorf("%d told, %d not, budget %d", told[0], told[1], r.extensions.left)
	}
	v.Infos(refs, func(i int, in *Info, err error) {
		if err != nil || in.Links != k {
			t.Errorf("another listing: %d links, %v", in.Links, err)
		}
	})
}

// TestWalkOfHeavyFiles: a walk that has nothing left of its budget for the records of a damaged file
// visits all others and ends with an error.
func TestWalkOfHeavyFiles(t *testing.T) {
	const k = 1000
	for _, folders := range []int{2, 60} {
		b := newRB(64+2*k+400, 4096, 1024, 2*k+256)
		b.root()
		b.heavy(200, k, true)
		b.heavy(201+k, k, true)
		for f := range folders {
			var entries [][]byte
			for i := range uint64(4) {
				entries = append(entries, ixEntry(MakeRef(200+i%2*(k+1), 1), fnv(uint64(30+f), 1, fmt.Sprintf("m%d", i), 0, 0)))
			}
			b.put(30+f, 1, 3, 0, b.si(0x10), b.fn(5, 5, fmt.Sprintf("f%d", f), NameWin32, nameIsDir), b.ixRoot(entries...))
		}
		b.put(199, 1, 1, 0, b.si(0x20), b.fn(5, 5, "sound", NameWin32, 0), b.res(TypeData, "", 0, nil))
		v := b.open(t)
		seen := map[string]int{}
		err := v.Walk(context.Background(), func(e *WalkEntry) error { seen[e.Path]++; return nil })
		if (folders > 2) != errors.Is(err, ErrUnsupported) || folders == 2 && err != nil {
			t.Errorf("%d folders: %v", folders, err)
		}
		if seen["/sound"] != 1 || len(seen) < 2*(k-1)+folders+1 {
			t.Errorf("%d folders: %d names", folders, len(seen))
		}
	}
}
