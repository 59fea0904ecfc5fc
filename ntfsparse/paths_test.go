package ntfsparse

import (
	"bytes"
	"strings"
	"testing"
)

// TestFolderNames: however long their names are, the folders that a walk remembers
// hold no more than they may, and all are found.
func TestFolderNames(t *testing.T) {
	c := (&Volume{mftMap: mftMap{records: 1 << 30}}).newPathCache()
	name := u16(strings.Repeat("日", 255))
	for round := range 3 {
		for i := range c.slots {
			c.remember(MakeRef(uint64(round<<20+i), 1), FileName{Units: name})
		}
		total := 0
		for _, f := range c.slots {
			total += len(f.name)
		}
		if total != c.held || total > maxFolderNames || total < maxFolderNames-len(name)*2 {
			t.Errorf("%d bytes of names, %d counted", total, c.held)
		}
	}

	b := newRB(200, 4096, 1024, 64)
	b.root()
	b.put(40, 1, 3, 0, b.si(0x10), b.fn(5, 5, "d", 3, nameIsDir), b.ixRoot())
	v, err := Open(bytes.NewReader(b.img), int64(len(b.img)))
	if err != nil {
		t.Fatal(err)
	}
	c = v.newPathCache()
	c.held = maxFolderNames
	if p, ok := c.path(MakeRef(40, 1)); !ok || p != "/d" {
		t.Errorf("path is %q, %v", p, ok)
	}
}
