package volume

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"

	"vitrine/ntfsparse"
)

// fuzzImage is a small volume.
func fuzzImage(t *testing.T) []byte {
	t.Helper()
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
	return img
}

// TestStatFSOfDamaged: how large a volume is does not depend on its bitmap.
func TestStatFSOfDamaged(t *testing.T) {
	img := fuzzImage(t)
	stat := func() StatFS {
		n, err := openNTFS(bytes.NewReader(img), int64(len(img)))
		if err != nil {
			t.Fatal(err)
		}
		st, err := n.StatFS(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	sound := stat()
	mft := int(binary.LittleEndian.Uint64(img[0x30:])) * int(img[0x0D]) * 512
	clear(img[mft+6*1024:][:1024]) // $Bitmap
	got := stat()
	if sound.Free == 0 || got.Free != 0 || got.Blocks != sound.Blocks || got.FreeFiles != sound.FreeFiles {
		t.Errorf("%+v\n%+v", sound, got)
	}
}

// TestAttrOfDamagedFile: a file that has lost an extension record has the attributes that
// its folder tells, and its name leads to it all the same.
func TestAttrOfDamagedFile(t *testing.T) {
	img := fuzzImage(t)
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
		if (again.Damage == nil) != (a.Damage == nil) {
			t.Errorf("%s: damage %v, looked up %v", path, again.Damage, a.Damage)
		}
		a.Damage, again.Damage = nil, nil // errors are not the same twice
		if err != nil || again != a {
			t.Errorf("%s: %+v, looked up %+v, %v", path, again, a, err)
		}
		if list, err := fsys.(Streams).Streams(t.Context(), a.ID); a.NoStreams || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d streams, %v", path, len(list), err)
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
