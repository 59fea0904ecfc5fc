package ntfsparse_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
		seen, damage := map[string]int{}, 0
		var after uint64
		for more := true; more; { // in pages, as a mount reads
			more = false
			n := 0
			d.Read(after, func(e ntfsparse.DirEntry, err error) bool {
				if err != nil {
					damage++
					return true
				}
				seen[e.Name()]++
				after, n = e.Cookie, n+1
				more = n == 100
				return !more
			})
		}
		if len(seen) != files+60 || damage == 0 {
			t.Errorf("%s: %d names of %d, %d faults", name, len(seen), files+60, damage)
		}
		for s, n := range seen {
			if n != 1 {
				t.Errorf("%s: %s is listed %d times", name, s, n)
			}
		}
		for _, s := range []string{"file number 0000", "file number 0777", "FILE NUMBER 1499"} {
			if _, err := d.LookupFold(s); err != nil {
				t.Errorf("%s: %s: %v", name, s, err)
			}
		}
		if _, err := d.LookupFold("nothing"); err == nil {
			t.Errorf("%s: found nothing", name)
		}
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

// TestManyDamagedFolders: for so many folders the lost names are looked for, and
// of the others it is said that they are not.
func TestManyDamagedFolders(t *testing.T) {
	const folders = 70
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for i := range folders {
			os.Mkdir(filepath.Join(dir, fmt.Sprint(i)), 0o755)
			os.WriteFile(filepath.Join(dir, fmt.Sprint(i), "f"), nil, 0o644)
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	var all []*ntfsparse.File
	for i := range folders {
		f, err := v.Lookup(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		r := recordIn(v, b, f.Ref().Record())
		r[bytes.Index(r, []byte("$\x00I\x003\x000\x00"))+8] = 0x77
		all = append(all, f)
	}
	v = openBytes(t, b)
	found, refused := 0, 0
	for _, f := range all {
		f, err := v.FileRef(f.Ref())
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Dir()
		if err != nil {
			t.Fatal(err)
		}
		d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
			if err == nil {
				found++
			} else if errors.Is(err, ntfsparse.ErrUnsupported) {
				refused++
			}
			return true
		})
	}
	if s := strings.Join(v.Notes(), " "); found != 64 || refused != folders-64 || !strings.Contains(s, "64 folders") {
		t.Errorf("%d names found, %d folders left out, notes %q", found, refused, s)
	}
}
