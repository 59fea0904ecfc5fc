package ntfsparse

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// TestNamesWithoutIndex looks up the files of a folder that has no index: from the
// second one on they are in a table, as long as there is room for it.
func TestNamesWithoutIndex(t *testing.T) {
	const files = 300
	for _, room := range []int{maxTableNames, files, files - 1, 0} {
		b := newRB(400, 4096, 1024, files+64)
		b.root(ixEntry(MakeRef(40, 1), fnv(5, 5, "d", 3, nameIsDir)))
		b.put(40, 1, 3, 0, b.si(0x10), b.fn(5, 5, "d", 3, nameIsDir))
		name := func(i int) string { return fmt.Sprintf("file%03d", i) }
		for i := range files {
			b.put(41+i, 1, 1, 0, b.si(0x20), b.fn(40, 1, name(i), 3, 0))
		}
		v := b.open(t)
		v.tableNames = maxTableNames - room
		f, err := v.Lookup("d")
		if err != nil {
			t.Fatal(err)
		}
		d, _ := f.Dir()
		for i := range files {
			e, err := d.Lookup(name(i))
			folded, err2 := d.LookupFold(strings.ToUpper(name(i)))
			if err != nil || err2 != nil || e.Ref != MakeRef(uint64(41+i), 1) || folded.Ref != e.Ref {
				t.Fatalf("%s: %v %v, %v %v", name(i), e.Ref, err, folded.Ref, err2)
			}
		}
		if _, err := d.Lookup(strings.Repeat("x", 300)); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
		table, err := v.damaged[40].table.get(nil)
		if has := err == nil && len(table.names) == files; has != (room >= files) || has != (err == nil) {
			t.Errorf("room for %d: a table of %v, %v", room, table, err)
		}
		d.forgetDamage()
		if v.tableNames != maxTableNames-room {
			t.Errorf("%d names are still counted", v.tableNames)
		}
	}
}

// TestFolderOutOfOrder: a look-up in a folder that is out of order does not go through
// all of it, from the second one on.
func TestFolderOutOfOrder(t *testing.T) {
	const names, size = 600, 64 << 10
	b := newRB(400, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "d", 3, nameIsDir)))
	name := func(i int) string { return fmt.Sprintf("%04d", names-i) } // backwards
	var entries [][]byte
	for i := range names {
		entries = append(entries, ixEntry(MakeRef(40, 1), fnv(30, 1, name(i), 0, 0)))
	}
	b.folderOver(30, "d", size, 1, b.alloc(size/4096, indexBlock(size, 0, entries...)))
	for _, room := range []int{maxTableNames, names - 1} {
		disk := &counting{b: b.img}
		v, d := openFolder(t, disk, len(b.img))
		v.tableNames = maxTableNames - room
		for i := range names {
			if e, err := d.Lookup(name(i)); err != nil || e.Name() != name(i) {
				t.Fatalf("%s: %q, %v", name(i), e.Name(), err)
			}
		}
		if _, err := d.Lookup("no"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if perName := disk.n / names; (perName < size/100) != (room >= names) {
			t.Errorf("room for %d: %d bytes read for each name", room, perName)
		}
		if list := listing(d); len(list) != names || slices.Contains(list, "!") {
			t.Errorf("%d names listed", len(list))
		}
	}
}

// hooked calls do once, when something of a range is read.
type hooked struct {
	b        []byte
	from, to int64
	do       func()
}

func (d *hooked) ReadAt(p []byte, off int64) (int, error) {
	if do := d.do; do != nil && off < d.to && off+int64(len(p)) > d.from {
		d.do = nil
		do()
	}
	return bytes.NewReader(d.b).ReadAt(p, off)
}

// TestTableCutOff: a table for which there was no room counts as none, though another is
// given back while it is made.
func TestTableCutOff(t *testing.T) {
	b, at := threeBlocks(t)
	b.img[at+4096] = 'X'
	disk := &hooked{b: b.img, from: at, to: at + 3*4096}
	v, d := openFolder(t, disk, len(b.img))
	listing(d)
	v.tableNames = maxTableNames - 1
	disk.do = func() {
		v.mu.Lock()
		v.tableNames = 0
		v.mu.Unlock()
	}
	for _, name := range []string{"c", "b", "a"} {
		if _, ok, sure := d.findListed(u16(name), bytes.Compare, false); sure && !ok {
			t.Errorf("%s is not found", name)
		}
	}
	if disk.do != nil {
		t.Error("no table was made")
	}
}

// TestGivenUp: who still has what was known of a folder when its damage passed does not
// take it for a folder without names.
func TestGivenUp(t *testing.T) {
	b, at := threeBlocks(t)
	b.img[at+4096] = 'X'
	v := b.open(t)
	dir, err := v.Lookup("d")
	if err != nil {
		t.Fatal(err)
	}
	d, _ := dir.Dir()
	listing(d)
	known, _ := d.known()
	d.forgetDamage()
	v.damaged[30] = known
	if _, ok, sure := d.findListed(u16("c"), bytes.Compare, false); ok || sure {
		t.Error("a table that was given up is used")
	}
	delete(v.damaged, 30)
}
