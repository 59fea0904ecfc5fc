package ntfsparse

import (
	"bytes"
	"fmt"
	"testing"
)

// TestResumedListingReadsLittle: that each DOS name of a folder has a long one is looked
// at once.
func TestResumedListingReadsLittle(t *testing.T) {
	const names, size = 100, 64 << 10
	b := newRB(800, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "d", 3, nameIsDir)))
	var blocks []byte
	for i := range 4 {
		var entries [][]byte
		for k := range names {
			ref := MakeRef(uint64(1000+i*names+k), 1)
			entries = append(entries, ixEntry(ref, fnv(30, 1, fmt.Sprintf("%d-%03d.long", i, k), NameWin32, 0)), ixEntry(ref, fnv(30, 1, fmt.Sprintf("%d-%03d", i, k), NameDOS, 0)))
		}
		blocks = append(blocks, indexBlock(size, int64(i*size/4096), entries...)...)
	}
	b.folderOver(30, "d", size, 4, b.alloc(len(blocks)/4096, blocks))
	for _, first := range []bool{true, false} { // list it from the start before
		disk := &counting{b: b.img}
		v, d := openFolder(t, disk, len(b.img))
		var last uint64
		if list := listing(d); first && len(list) != 4*names {
			t.Fatal(len(list))
		}
		d.Read(0, func(e DirEntry, err error) bool { last = e.Cookie; return err == nil })
		if !first {
			v.paired = [256]Ref{}
		}
		for round := range 3 {
			disk.n = 0
			d.Read(last, func(e DirEntry, err error) bool { t.Error(e.Name(), err); return true })
			most := int64(2 * size)
			if !first && round == 0 {
				most = 8 * size
			}
			if disk.n > most {
				t.Errorf("%d bytes were read for the end of a listing", disk.n)
			}
		}
	}
}

// counting counts the bytes that are read.
type counting struct {
	b []byte
	n int64
}

func (d *counting) ReadAt(p []byte, off int64) (int, error) {
	d.n += int64(len(p))
	return bytes.NewReader(d.b).ReadAt(p, off)
}
