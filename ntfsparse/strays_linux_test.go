package ntfsparse_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// TestLostNames wrecks the index of a folder in several ways: all its files are
// listed and found all the same, each once, and the damage is told.
func TestLostNames(t *testing.T) {
	const files = 1500
	img := testvol.Make(t, testvol.Options{Size: 24 << 20})
	testvol.With(t, img, func(dir string) {
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(os.Mkdir(filepath.Join(dir, "lost"), 0o755))
		for i := range files {
			must(os.WriteFile(filepath.Join(dir, "lost", fmt.Sprintf("file number %04d", i)), nil, 0o644))
		}
		for i := range 60 { // names in extension records
			must(os.Link(filepath.Join(dir, "lost", "file number 0000"), filepath.Join(dir, "lost", fmt.Sprintf("file number 0000, and once more in another way %02d", i))))
		}
		testvol.DOSName(t, filepath.Join(dir, "lost", "file number 0001"), "FILENU~1")
	})
	sound, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, sound)
	f, err := v.Lookup("lost")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for at := 0; at < len(sound); at += 4096 {
		if string(sound[at:at+4]) == "INDX" {
			blocks++
		}
	}
	record := v.Boot().MFT*v.Boot().ClusterSize + int64(f.Ref().Record())*1024
	for name, wreck := range map[string]func(b []byte){
		"every third block": func(b []byte) {
			for at, n := 0, 0; at < len(b); at += 4096 {
				if string(b[at:at+4]) == "INDX" {
					if n++; n%3 == 0 {
						b[at] = 'X'
					}
				}
			}
		},
		"every block": func(b []byte) {
			for at := 0; at < len(b); at += 4096 {
				if string(b[at:at+4]) == "INDX" {
					clear(b[at : at+4096])
				}
			}
		},
		"index root": func(b []byte) {
			r := b[record : record+1024]
			i := bytes.Index(r, []byte("$\x00I\x003\x000\x00"))
			r[i+8] = 0x77 // another type, or none
		},
		"bitmap of the index": func(b []byte) {
			r := b[record : record+1024]
			for _, a := range f.Attrs() {
				if a.Type() == ntfsparse.TypeBitmap {
					at := a.Off + int(binary.LittleEndian.Uint16(r[a.Off+0x14:]))
					r[at+1] = 0x55 // every other block of eight
				}
			}
		},
	} {
		b := bytes.Clone(sound)
		wreck(b)
		v := openBytes(t, b)
		f, err := v.File(f.Ref().Record())
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Dir()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen, damage := list(t, v, "lost", 100)
		if len(seen) != files+60 || damage == 0 {
			t.Errorf("%s: %d names of %d, %d faults", name, len(seen), files+60, damage)
		}
		if !once(seen) {
			t.Errorf("%s: %v", name, seen)
		}
		for _, s := range []string{"file number 0000", "file number 0777", "FILE NUMBER 1499"} {
			if _, err := d.LookupFold(s); err != nil {
				t.Errorf("%s: %s: %v", name, s, err)
			}
		}
		if _, err := d.LookupFold("nothing"); err == nil {
			t.Errorf("%s: found nothing", name)
		}
		d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
			if err != nil {
				return true
			}
			found, err := d.Lookup(e.Name())
			folded, err2 := d.LookupFold(strings.ToUpper(e.Name()))
			if err != nil || err2 != nil || found.Ref != e.Ref || folded.Ref != e.Ref || folded.Name() != e.Name() {
				t.Errorf("%s: %s: %v %v, %v %v", name, e.Name(), found.Ref, err, folded.Ref, err2)
			}
			if _, err := d.Lookup(e.Name() + "."); err == nil {
				t.Errorf("%s: found %s.", name, e.Name())
			}
			return true
		})
	}
	if blocks < 20 {
		t.Errorf("only %d index blocks", blocks)
	}
}

// TestManyLostNames: an index that lost thousands of long names.
func TestManyLostNames(t *testing.T) {
	const files = 2500
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for i := range files {
			name := fmt.Sprintf("%04d%s", i, strings.Repeat("x", 196))
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += 4096 {
		if string(b[at:at+4]) == "INDX" {
			clear(b[at : at+4096])
		}
	}
	root, err := openBytes(t, b).Root()
	if err != nil {
		t.Fatal(err)
	}
	d, err := root.Dir()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
		if err == nil && e.Ref.Record() >= ntfsparse.FirstUser {
			n++
		}
		return true
	})
	if n != files {
		t.Errorf("%d names of %d", n, files)
	}
}

// indexBlocks finds the index blocks that have names in a folder of the root.
func indexBlocks(b []byte, dir ntfsparse.Ref) (list []int) {
	ref := binary.LittleEndian.AppendUint64(nil, uint64(dir))
	root := binary.LittleEndian.AppendUint64(nil, uint64(ntfsparse.MakeRef(ntfsparse.RecordRoot, ntfsparse.RecordRoot)))
	for at := 0; at < len(b); at += 4096 {
		if string(b[at:at+4]) == "INDX" && bytes.Contains(b[at:at+4096], ref) && !bytes.Contains(b[at:at+4096], root) {
			list = append(list, at)
		}
	}
	return list
}

// recordAnywhere finds a file record, wherever the MFT is.
func recordAnywhere(b []byte, n uint64) []byte {
	for ; len(b) > 0; b = b[1024:] {
		if string(b[:4]) == "FILE" && uint64(binary.LittleEndian.Uint32(b[0x2C:])) == n {
			return b[:1024]
		}
	}
	return nil
}

// list reads a folder in pages, as a mount does, and counts each name.
func list(t *testing.T, v *ntfsparse.Volume, path string, page int) (seen map[string]int, faults int) {
	t.Helper()
	f, err := v.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Dir()
	if err != nil {
		t.Fatal(err)
	}
	seen = map[string]int{}
	after := uint64(0)
	for more := true; more; {
		more = false
		n := 0
		d.Read(after, func(e ntfsparse.DirEntry, err error) bool {
			if err != nil {
				faults++
				return true
			}
			seen[e.Name()]++
			after, n = e.Cookie, n+1
			more = n == page
			return !more
		})
	}
	return seen, faults
}

// once tells whether each name was seen once.
func once(seen map[string]int) bool {
	for _, n := range seen {
		if n != 1 {
			return false
		}
	}
	return true
}

// TestManyDamagedFolders: all names are found in many folders that have lost some or
// all of theirs, each once, with those of one file in several of them.
func TestManyDamagedFolders(t *testing.T) {
	const folders, files = 120, 60
	img := testvol.Make(t, testvol.Options{Size: 32 << 20})
	testvol.With(t, img, func(dir string) {
		for i := range folders {
			sub := filepath.Join(dir, fmt.Sprint(i))
			os.Mkdir(sub, 0o755)
			for j := range files {
				os.WriteFile(filepath.Join(sub, fmt.Sprintf("a name that is long enough %d", j)), nil, 0o644)
			}
			os.Link(filepath.Join(dir, "0/a name that is long enough 7"), filepath.Join(sub, "link"))
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	for i := range folders {
		f, err := v.Lookup(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			r := recordAnywhere(b, f.Ref().Record())
			r[bytes.Index(r, []byte("$\x00I\x003\x000\x00"))+8] = 0x77
		case 1:
			blocks := indexBlocks(b, f.Ref())
			b[blocks[len(blocks)/2]] = 'X'
		}
	}
	for _, order := range []string{"listed first", "not listed"} {
		v = openBytes(t, b)
		if order == "not listed" {
			if list := lost(t, v); len(list) != 0 {
				t.Errorf("lost besides: %q", list)
			}
		}
		for i := range folders {
			seen, faults := list(t, v, fmt.Sprint(i), 40)
			if len(seen) != files+1 || !once(seen) || (faults > 0) != (i%3 < 2) {
				t.Errorf("%s: folder %d: %d names, %d faults", order, i, len(seen), faults)
			}
		}
		if list := lost(t, v); len(list) != 0 {
			t.Errorf("%s: lost besides: %q", order, list)
		}
	}
}

// TestDamageThatPasses: a folder that could not be read for a while is listed whole
// again, each name once, and nothing is held of the time before.
func TestDamageThatPasses(t *testing.T) {
	var files []string
	for i := range 200 {
		files = append(files, fmt.Sprintf("folder/a name, number %03d", i))
	}
	b := lostTree(t, files)
	v := openBytes(t, b)
	f, err := v.Lookup("folder")
	if err != nil {
		t.Fatal(err)
	}
	at, n := int64(-1), 0
	for off := 0; off < len(b); off += 4096 {
		if string(b[off:off+4]) == "INDX" && bytes.Contains(b[off:off+4096], []byte("n\x00u\x00m\x00b\x00e\x00r\x00")) {
			at, n = int64(off), n+1
		}
	}
	record := v.Boot().MFT*v.Boot().ClusterSize + int64(f.Ref().Record())*1024
	for name, hole := range map[string]holed{"index block": {from: at, to: at + 4096}, "record": {from: record, to: record + 1024}} {
		most := 1
		if name == "record" {
			most = 2 // that it cannot be read, and that there may be more names in such
		}
		hole.Reader = bytes.NewReader(b)
		r := &hole
		from, to := r.from, r.to
		r.from, r.to = 0, 0
		v, err := ntfsparse.Open(r, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for round := range 80 {
			r.from, r.to = from, to
			if round%2 > 0 {
				r.from, r.to = 0, 0
			}
			page := 1000
			if round%4 == 3 {
				page = 30
			}
			seen, damage := list(t, v, "folder", page)
			if len(seen) != len(files) || !once(seen) || damage > most*(1-round%2) || damage == 0 && round == 0 { // what was read once is kept
				t.Fatalf("%s: round %d: %d names, %d faults", name, round, len(seen), damage)
			}
		}
	}
	if n < 4 {
		t.Errorf("%d index blocks", n)
	}
}

// TestDamageThatMoves: four folders are damaged, and now this, now that block of the
// others cannot be read. A listing has all names, each once, if the folder was whole
// before.
func TestDamageThatMoves(t *testing.T) {
	const damaged, folders, files = 4, 16, 100
	var paths []string
	for i := range folders {
		for j := range files {
			paths = append(paths, fmt.Sprintf("%d/a name that is long enough %d", i, j))
		}
	}
	b := lostTree(t, paths)
	v := openBytes(t, b)
	var blocks [][]int
	for i := range folders {
		f, err := v.Lookup(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, indexBlocks(b, f.Ref()))
		if i < damaged {
			for _, at := range blocks[i] {
				b[at] = 'X'
			}
		}
	}
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		hole := &holed{Reader: bytes.NewReader(b)}
		v, err := ntfsparse.Open(hole, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for dir := range damaged {
			list(t, v, fmt.Sprint(dir), 1000)
		}
		for range 20 {
			i := damaged + rnd.IntN(folders-damaged)
			hole.from = int64(blocks[i][rnd.IntN(len(blocks[i]))])
			hole.to = hole.from + 4096
			for _, dir := range []int{i, rnd.IntN(folders), i} {
				if seen, _ := list(t, v, fmt.Sprint(dir), 30+rnd.IntN(100)); len(seen) != files || !once(seen) {
					t.Fatalf("folder %d: %d names: %v", dir, len(seen), seen)
				}
			}
			hole.from, hole.to = 0, 0
			for dir := range folders {
				if seen, faults := list(t, v, fmt.Sprint(dir), 1000); len(seen) != files || !once(seen) || faults > 0 != (dir < damaged) {
					t.Fatalf("folder %d, whole: %d names: %v", dir, len(seen), seen)
				}
			}
		}
	}
}

// TestLookupLost: a name that no folder lists is found by the file's record.
func TestLookupLost(t *testing.T) {
	b := lostTree(t, []string{"folder/One", "other/one", "top"})
	v := openBytes(t, b)
	f, err := v.Lookup("folder")
	if err != nil {
		t.Fatal(err)
	}
	r := recordIn(v, b, f.Ref().Record())
	node := r[bytes.Index(r, []byte("$\x00I\x003\x000\x00"))+8+16:]
	length := binary.LittleEndian.Uint16(node[16+8:])
	copy(node[16:], node[16+length:][:16])
	binary.LittleEndian.PutUint32(node[4:], 32)
	v = openBytes(t, b)
	if _, err := v.Lookup("folder/one"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if list := lost(t, v); !slices.Equal(list, []string{"/folder/One"}) {
		t.Errorf("lost: %q", list)
	}
	for _, path := range []string{"/folder/One", "/FOLDER/one", "/other/one"} {
		ref, spelled, err := v.LookupLost(t.Context(), path)
		if err != nil || !strings.EqualFold(path, spelled) {
			t.Fatalf("%s: %q, %v", path, spelled, err)
		}
		if f, err := v.FileRef(ref); err != nil || f.Info().Size != int64(len(spelled)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"/folder/two", "/one", "", "folder/One"} {
		if _, _, err := v.LookupLost(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", path, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := v.LookupLost(stopped, "/folder/One"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
