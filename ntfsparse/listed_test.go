package ntfsparse

import (
	"errors"
	"fmt"
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
		if has := len(table) == files; has != (room >= files) || has != (err == nil) {
			t.Errorf("room for %d: a table of %d names, %v", room, len(table), err)
		}
		d.forgetDamage()
		if v.tableNames != maxTableNames-room {
			t.Errorf("%d names are still counted", v.tableNames)
		}
	}
}
