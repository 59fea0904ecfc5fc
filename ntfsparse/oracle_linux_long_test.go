//go:build linux && long

package ntfsparse_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"vitrine/internal/testvol"
)

func TestMoreGeometries(t *testing.T) {
	for _, g := range [][2]int{{512, 1024}, {512, 4096}, {512, 128 << 10}, {512, 2 << 20}, {1024, 4096}, {2048, 4096}, {4096, 65536}} {
		testGeometry(t, g[0], g[1])
	}
}

func TestVeryFragmented(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 128 << 20})
	testvol.With(t, img, func(dir string) { testvol.FragmentMFT(t, dir, 20000) })
	compare(t, img)
}

// TestSplitIndex: the index of a folder lies in extension records.
func TestSplitIndex(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) {
		many := filepath.Join(dir, "many")
		if err := os.Mkdir(many, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 32357 {
			name := filepath.Join(many, fmt.Sprintf("%0100d", i))
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("gap%d", i)), make([]byte, 4096), 0o644); i%4 == 0 && err != nil {
				t.Fatal(err)
			}
		}
	})
	compare(t, img)
	f, err := open(t, img).Lookup("many")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d extension records", len(f.Extensions()))
	if len(f.Extensions()) < 2 {
		t.Error("the index is not split enough for this test")
	}
}
