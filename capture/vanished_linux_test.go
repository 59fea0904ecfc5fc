package capture

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestVanished: an image that is deleted while it is written stops the capture
// at the next checkpoint, and is not said to be kept. Windows does not delete
// open files.
func TestVanished(t *testing.T) {
	dir := t.TempDir()
	s := &hookSource{memSource: thin(60<<20, 2), armed: true, hook: func(off int64) {
		if off == 20<<20 {
			names, _ := filepath.Glob(filepath.Join(dir, "*"))
			for _, n := range names {
				os.Remove(n)
			}
		}
	}}
	_, err := Run(t.Context(), s, Options{Dir: dir, Level: Fastest})
	var se *StoppedError
	var ve *VanishedError
	if !errors.As(err, &se) || se.Path != "" || !errors.As(err, &ve) {
		t.Fatal(err)
	}
}
