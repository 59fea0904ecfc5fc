//go:build long

package ntfsparse

import (
	"fmt"
	"io"
	"testing"
)

// vastFolder is a volume of which a folder's index blocks are made while they are read:
// 280 names with a DOS name each.
type vastFolder struct {
	b            []byte
	first        int64 // of the index blocks
	blocks, size int64
}

const vastBlock = 64 << 10

func (d *vastFolder) block(i int64) []byte {
	var entries [][]byte
	for k := range int64(280) {
		id := i*280 + k
		ref := MakeRef(uint64(1000+id), 1)
		entries = append(entries, ixEntry(ref, fnv(30, 1, fmt.Sprintf("%08x.long", id), NameWin32, 0)), ixEntry(ref, fnv(30, 1, fmt.Sprintf("%08x", id), NameDOS, 0)))
	}
	return indexBlock(vastBlock, i*vastBlock/4096, entries...)
}

func (d *vastFolder) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		switch i := (off + int64(n) - d.first) / vastBlock; {
		case off+int64(n) >= d.size:
			return n, io.EOF
		case off+int64(n) >= d.first && i < d.blocks:
			n += copy(p[n:], d.block(i)[(off+int64(n)-d.first)%vastBlock:])
		case off+int64(n) < int64(len(d.b)):
			n += copy(p[n:], d.b[off+int64(n):])
		default:
			clear(p[n:])
			return len(p), nil
		}
	}
	return len(p), nil
}

// TestMillionsOfLongNames: a sound folder with more names than a damaged one may have is
// sound, where a listing is resumed, too.
func TestMillionsOfLongNames(t *testing.T) {
	const blocks, clusters = 15100, 1 << 20
	b := newRB(400, 4096, 1024, 64)
	le.PutUint64(b.img[0x28:], clusters*8)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "many", 3, nameIsDir)))
	b.folderOver(30, "many", vastBlock, blocks, 1000)
	disk := &vastFolder{b.img, 1000 * 4096, blocks, clusters*4096 + 512}
	v, err := Open(disk, disk.size)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := v.Lookup("many")
	if err != nil {
		t.Fatal(err)
	}
	d, _ := dir.Dir()
	for _, after := range []uint64{(blocks - 1 + 2) << 16, 0} {
		names := 0
		d.Read(after, func(_ DirEntry, err error) bool {
			if names++; err != nil {
				t.Error(err)
			}
			return err == nil
		})
		if want := 280 * (blocks - int(max(2, after>>16)-2)); names != want {
			t.Errorf("%d names of %d behind %#x", names, want, after)
		}
	}
}
