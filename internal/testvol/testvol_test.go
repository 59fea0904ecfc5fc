//go:build linux

package testvol

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakeFillMutate(t *testing.T) {
	img := Make(t, Options{Size: 256 << 20, Label: "Test"})
	With(t, img, func(dir string) { Rich(t, dir); Fill(t, filepath.Join(dir), 400, 1) })
	before := Record(t, Mount(t, img, "ro"))
	if len(before) < 450 {
		t.Fatalf("only %d names", len(before))
	}
	if n := before["links/hl0"]; n.Links != 61 || n.Size != 21000 {
		t.Errorf("links/hl0: %v", n)
	}
}

func TestMutateChangesLittle(t *testing.T) {
	img := Make(t, Options{})
	var before, after map[string]Node
	With(t, img, func(dir string) {
		Fill(t, dir, 600, 1)
		before = Record(t, dir)
		Mutate(t, dir, 1)
		after = Record(t, dir)
	})
	if d := Diff(before, after); len(d) == 0 || len(after) < len(before)/2 {
		t.Errorf("%d names before, %d after, %d differ", len(before), len(after), len(d))
	}
}

func TestWOF(t *testing.T) {
	img := Make(t, Options{Size: 128 << 20})
	var files map[string][]byte
	With(t, img, func(dir string) { files = WOFSet(t, dir) })
	if len(files) != 24 {
		t.Errorf("%d files, want 24", len(files))
	}
}

func TestGeometry(t *testing.T) {
	for _, o := range []Options{{Cluster: 512}, {Cluster: 65536}, {Sector: 4096}, {Cluster: 2 << 20, Size: 512 << 20}} {
		img := Make(t, o)
		With(t, img, func(dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o644))
		})
	}
}
