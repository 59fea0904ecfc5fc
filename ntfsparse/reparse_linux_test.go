package ntfsparse_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// TestReparseOutsideRecord: a reparse point that does not fit into its record is
// none the less seen.
func TestReparseOutsideRecord(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	target := strings.Repeat("a-long-name/", 150) + "end"
	testvol.With(t, img, func(dir string) {
		os.WriteFile(filepath.Join(dir, "link"), nil, 0o644)
		long := strings.ReplaceAll(target, "/", "\\")
		testvol.Reparse(t, filepath.Join(dir, "link"), ntfsparse.TagSymlink, testvol.LinkData(long, long, true, 1))
	})
	v := open(t, img)
	f, err := v.Lookup("link")
	if err != nil {
		t.Fatal(err)
	}
	in := f.Info()
	if got, err := in.LinkTarget(); in.Tag != ntfsparse.TagSymlink || in.Mode() != fs.ModeSymlink || got != target || err != nil {
		t.Errorf("tag %#x, mode %v, target %.30q of %d, %v", in.Tag, in.Mode(), got, len(got), err)
	}
	err = v.Walk(t.Context(), func(e *ntfsparse.WalkEntry) error {
		if e.Path == "/link" && e.Info.Tag != ntfsparse.TagSymlink {
			t.Errorf("the walk sees tag %#x", e.Info.Tag)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
