package volume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// TestEntriesMislead: entries of a folder lead to records of other files; a listing has
// each name once, with the right file, in pages, too, and ends with an error.
func TestEntriesMislead(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for _, name := range []string{"important", "other", "third", "d/one", "d/two"} {
			os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := openNTFS(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]ID{}
	for _, name := range []string{"important", "other", "third", "d"} {
		a, err := sound.Lookup(t.Context(), sound.Root(), name)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = a.ID
	}
	lead(t, b, ids["important"], "important", ntfsparse.RecordMFT)
	lead(t, b, ids["d"], "d", uint64(ids["third"]))
	for name, page := range map[string]int{"whole": 0, "page of 1": 1, "page of 2": 2} {
		for _, attrs := range []bool{true, false} {
			n, err := openNTFS(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if !attrs {
				n.Lookup(t.Context(), n.Root(), "important") // or else nobody looks
			}
			for range 2 {
				var names []string
				var damage error
				after := uint64(0)
				for more := true; more; {
					got := 0
					damage = n.ReadDir(t.Context(), n.Root(), after, attrs, func(e *Entry) bool {
						names = append(names, e.Name)
						if e.Err != nil || e.ID != ids[e.Name] || attrs && e.Attr.ID != e.ID {
							t.Errorf("%s, %v: %+v", name, attrs, e)
						}
						after, got = e.Cookie, got+1
						return got != page
					})
					more = got > 0 && page > 0
				}
				slices.Sort(names)
				if !slices.Equal(names, []string{"d", "important", "other", "third"}) || !errors.Is(damage, ErrCorrupt) {
					t.Errorf("%s, %v: %q, %v", name, attrs, names, damage)
				}
			}
		}
	}
	n, err := openNTFS(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range ids {
		if a, err := n.Lookup(t.Context(), n.Root(), name); err != nil || a.ID != id {
			t.Errorf("%s: record %d, %v", name, a.ID, err)
		}
	}
	for _, name := range []string{"one", "two"} {
		if a, err := n.Lookup(t.Context(), ids["d"], name); err != nil || a.Size != 5 {
			t.Errorf("d/%s: %d bytes, %v", name, a.Size, err)
		}
	}
}

// lead changes the entries by which index blocks lead to a file by a name.
func lead(t *testing.T, b []byte, id ID, name string, to uint64) {
	t.Helper()
	units, n := ntfsparse.EncodeName(name), 0
	for at := 0; at < len(b); at += 4096 {
		if string(b[at:at+4]) != "INDX" {
			continue
		}
		for i := at + 0x40; i < at+4096-0x52-len(units); i += 8 {
			ref := binary.LittleEndian.Uint64(b[i:])
			if ref&(1<<48-1) == uint64(id) && int(b[i+0x50]) == len(units)/2 && bytes.Equal(b[i+0x52:][:len(units)], units) {
				binary.LittleEndian.PutUint64(b[i:], ref&^(1<<48-1)|to)
				n++
			}
		}
	}
	if n != 1 {
		t.Fatalf("%d entries of %s", n, name)
	}
}
