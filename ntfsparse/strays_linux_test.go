package ntfsparse_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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
