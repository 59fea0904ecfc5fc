package volume

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"

	"vitrine/ntfsparse"
)

// TestAttrOfDamagedFile: a file that has lost an extension record has the attributes that
// its folder tells, and its name leads to it all the same.
func TestAttrOfDamagedFile(t *testing.T) {
	packed, err := os.Open("../ntfsparse/testdata/fuzz.img.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	img, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ntfsparse.Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{}
	if err := v.Walk(t.Context(), func(e *ntfsparse.WalkEntry) error {
		f, err := v.FileRef(e.Info.Ref)
		if err == nil && len(f.Extensions()) > 0 && !f.IsDir() {
			files[e.Path] = true
			for _, x := range f.Extensions() {
				clear(img[v.Boot().MFT*v.Boot().ClusterSize:][int64(x.N)*int64(v.Boot().RecordSize):][:v.Boot().RecordSize])
			}
		}
		return nil
	}); err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	fsys, err := OpenFS(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	for path := range files {
		a := lookupPath(t, fsys, path)
		again, err := fsys.Attr(t.Context(), a.ID)
		if err != nil || again != a {
			t.Errorf("%s: %+v, looked up %+v, %v", path, again, a, err)
		}
	}
}

func lookupPath(t *testing.T, fsys FileSystem, path string) Attr {
	t.Helper()
	a := Attr{ID: fsys.Root()}
	for _, name := range bytes.Split([]byte(path[1:]), []byte("/")) {
		var err error
		if a, err = fsys.Lookup(t.Context(), a.ID, string(name)); err != nil {
			t.Fatal(path, err)
		}
	}
	return a
}
