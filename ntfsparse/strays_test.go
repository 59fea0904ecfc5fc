package ntfsparse

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestNoRoomForLostNames: names that listings cannot hold any more are told by WalkLost,
// those in folders without a record, too.
func TestNoRoomForLostNames(t *testing.T) {
	for name, c := range map[string]struct {
		blocks, record bool // what is damaged: all index blocks, a folder's record
		stray, lost    int  // room
		full           bool // of damaged folders
	}{
		"room for all":         {blocks: true, record: true, stray: maxStrayBytes, lost: maxStrayBytes},
		"none for folders":     {blocks: true, record: true, lost: maxStrayBytes},
		"some for folders":     {blocks: true, record: true, stray: 1000, lost: maxStrayBytes},
		"too many folders":     {blocks: true, full: true, stray: maxStrayBytes, lost: maxStrayBytes},
		"none for the ghost":   {record: true, stray: maxStrayBytes},
		"some for the ghost":   {record: true, stray: maxStrayBytes, lost: 2000},
		"none for the orphans": {blocks: true, record: true, stray: maxStrayBytes},
		"some for the orphans": {blocks: true, record: true, stray: maxStrayBytes, lost: 2000},
	} {
		img := fuzzVolume(t)
		sound := openImage(t, img)
		many, err := sound.Lookup("many")
		if err != nil {
			t.Fatal(err)
		}
		if c.record {
			clear(img[sound.boot.MFT<<sound.geo.shift+int64(many.Ref().Record())*1024:][:1024])
		}
		for at := 0; at < len(img); at += 512 {
			if c.blocks && string(img[at:at+4]) == "INDX" {
				img[at] = 'X'
			}
		}
		v := openImage(t, img)
		v.strayBytes, v.lostBytes = maxStrayBytes-c.stray, maxStrayBytes-c.lost
		if c.full {
			v.damaged = map[uint64]*damagedFolder{}
			for n := range uint64(maxDamaged) {
				v.damaged[1<<30+n] = &damagedFolder{}
			}
		}
		reached, err := reachable(t, v)
		files, missing := 0, 0
		if err := v.Walk(context.Background(), func(e *WalkEntry) error {
			if files++; e.Err == nil && e.Path != "/" && !reached[e.Info.Ref.Record()] {
				missing++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err != nil || missing > 0 || files < 60 {
			t.Errorf("%s: %d files of %d are not reached, %v", name, missing, files, err)
		}
	}
}

func openImage(t *testing.T, img []byte) *Volume {
	t.Helper()
	v, err := Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// threeBlocks has the names a, b and c in a folder, in an index block each.
func threeBlocks(t *testing.T) (b *rb, at int64) {
	b = newRB(400, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "d", 3, nameIsDir)))
	var blocks []byte
	for i, name := range []string{"a", "b", "c"} {
		blocks = append(blocks, indexBlock(4096, int64(i), ixEntry(MakeRef(uint64(31+i), 1), fnv(30, 1, name, 3, 0)))...)
		b.put(31+i, 1, 1, 0, b.si(0x20), b.fn(30, 1, name, 3, 0), b.res(TypeData, "", 0, nil))
	}
	at = b.alloc(3, blocks)
	b.folderOver(30, "d", 4096, 3, at)
	return b, at * 4096
}

// TestDamageThatPassesInPart: one index block is damaged for good, and another fails now
// and then. Each listing has every name, once.
func TestDamageThatPassesInPart(t *testing.T) {
	b, at := threeBlocks(t)
	b.img[at+4096] = 'X'
	v, disk := b.openFlaky(t)
	dir, err := v.Lookup("d")
	if err != nil {
		t.Fatal(err)
	}
	d, _ := dir.Dir()
	disk.from, disk.to = at+2*4096, at+3*4096
	for round, fails := range []bool{true, false, false, true, true, false} {
		disk.times = 0
		if v.meta = newCache(metaCacheSize); fails {
			disk.times = -1
		}
		for _, paged := range []bool{false, true} {
			var names []string
			after, more := uint64(0), true
			for more {
				more = false
				d.Read(after, func(e DirEntry, err error) bool {
					if err == nil {
						names = append(names, e.Name())
						after, more = e.Cookie, paged
					}
					return !more
				})
			}
			if slices.Sort(names); !slices.Equal(names, []string{"a", "b", "c"}) {
				t.Errorf("%d: %q", round, names)
			}
		}
	}
	if v.searches != 1 {
		t.Errorf("%d searches are counted for one folder", v.searches)
	}
}

// TestDOSNameAlone: the only name of a file is marked as a DOS name. It is listed, found
// and told as lost all the same, and no short form of a long name is.
func TestDOSNameAlone(t *testing.T) {
	for name, c := range map[string]struct {
		record, index int // name spaces; -1: no entry
		long          bool
		lists, lost   string
		sound         bool
	}{
		"marked in both":       {NameDOS, NameDOS, false, "name", "", false},
		"marked in the record": {NameDOS, NamePOSIX, false, "name", "", true},
		"marked in the index":  {NamePOSIX, NameDOS, false, "name", "", false},
		"not in the index":     {NameDOS, -1, false, "", "name", true},
		"short form":           {NameDOS, NameDOS, true, "long", "", true},
	} {
		b := newRB(400, 4096, 1024, 64)
		entries := [][]byte{ixEntry(MakeRef(0, 1), fnv(5, 5, "$MFT", 3, 0)), ixEntry(MakeRef(5, 5), fnv(5, 5, ".", 3, nameIsDir))}
		attrs := [][]byte{b.si(0x20)}
		if c.long {
			entries = append(entries, ixEntry(MakeRef(30, 1), fnv(5, 5, "long", NameWin32, 0)))
			attrs = append(attrs, b.fn(5, 5, "long", NameWin32, 0))
		}
		if c.index >= 0 {
			entries = append(entries, ixEntry(MakeRef(30, 1), fnv(5, 5, "name", byte(c.index), 0)))
		}
		b.root(entries...)
		b.put(30, 1, 1, 0, append(attrs, b.fn(5, 5, "name", byte(c.record), 0), b.res(TypeData, "", 0, nil))...)
		for _, listed := range []bool{false, true} {
			v := b.open(t)
			root, _ := v.Root()
			d, _ := root.Dir()
			if listed {
				var names []string
				var damage error
				d.Read(0, func(e DirEntry, err error) bool {
					if damage = cmp.Or(err, damage); err == nil && !v.IsMetafile(&e) {
						names = append(names, e.Name())
						if e.Space == NameDOS {
							t.Errorf("%s: %s is listed as a DOS name", name, e.Name())
						}
					}
					return true
				})
				if strings.Join(names, " ") != c.lists || (damage == nil) != c.sound {
					t.Errorf("%s: %q are listed, %v", name, names, damage)
				}
			}
			var lost []string
			err := v.WalkLost(t.Context(), func(_ Ref, e *DirEntry) error { lost = append(lost, e.Name()); return nil })
			if strings.Join(lost, " ") != c.lost || err != nil {
				t.Errorf("%s: %q are lost, %v", name, lost, err)
			}
			if e, err := d.Lookup("name"); c.index >= 0 && (err != nil || (e.Space == NameDOS) != c.long) {
				t.Errorf("%s: name space %d, %v", name, e.Space, err)
			}
		}
	}
}

// TestManyDamagedFoldersWhole: any number of folders may be damaged and have lost nothing.
func TestManyDamagedFoldersWhole(t *testing.T) {
	const folders = 60
	b := newRB(400, 4096, 1024, 64+folders)
	var entries [][]byte
	for i := range folders {
		n, name := uint64(40+i), fmt.Sprintf("d%02d", i)
		entries = append(entries, ixEntry(MakeRef(n, 1), fnv(5, 5, name, 3, nameIsDir)))
		b.put(int(n), 1, 3, 0, b.si(0x10), b.fn(5, 5, name, 3, nameIsDir), b.ixRoot(ixEnd())) // with bytes behind its last entry
	}
	block := b.alloc(4, indexBlock(16<<10, 0, entries...))
	b.put(RecordRoot, 5, 3, 0, append([][]byte{b.si(0x16), b.fn(5, 5, ".", 3, nameIsDir)}, b.overBlocks(16<<10, 1, block)...)...)
	v := b.open(t)
	for i := range folders {
		dir, err := v.Lookup(fmt.Sprintf("d%02d", i))
		if err != nil {
			t.Fatal(err)
		}
		d, _ := dir.Dir()
		if names := listing(d); !slices.Equal(names, []string{"!"}) {
			t.Errorf("folder %d: %q", i, names)
		}
	}
}
