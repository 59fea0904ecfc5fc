//go:build linux && long

package ntfsparse_test

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
)

// TestSecondWitness compares with The Sleuth Kit, which has nothing in common
// with ntfs-3g: contents by record number, names by its own listing.
func TestSecondWitness(t *testing.T) {
	testvol.Need(t, "icat")
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) {
		testvol.Rich(t, dir)
		testvol.Fill(t, filepath.Join(dir, "filled"), 60, 11)
	})
	v := open(t, img)
	listed := map[string]bool{}
	for line := range strings.Lines(testvol.Run(t, "fls", "-r", "-p", "-u", img)) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), ":\t"); ok {
			listed[name] = true
		}
	}
	n := 0
	for p, node := range tree(t, v) {
		if !listed[p] && p != "." {
			t.Errorf("%s: not listed by fls", p)
		}
		if !node.Mode.IsRegular() || node.Size > 60<<20 || node.Size == 0 {
			continue
		}
		f, _ := v.Lookup(p)
		out, err := exec.Command("icat", img, fmt.Sprintf("%d-128", f.Ref().Record())).Output()
		if err != nil {
			t.Errorf("icat %s: %v", p, err)
			continue
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(out)); got != node.Sum {
			t.Errorf("%s: %d bytes, icat gives %d others", p, node.Size, len(out))
		}
		n++
	}
	if n < 100 {
		t.Errorf("only %d files compared", n)
	}
}
