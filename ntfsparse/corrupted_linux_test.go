package ntfsparse

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCorruptedVolumes reads everything of volumes that are damaged in known
// places; all of them can still be opened.
func TestCorruptedVolumes(t *testing.T) {
	list, _ := filepath.Glob(filepath.Join(structures(t), "..", "corrupted", "*.img.tar.xz"))
	opened := 0
	for _, name := range list {
		img, err := exec.Command("tar", "-xJOf", name).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v, err := Open(memory(img), int64(len(img)))
		t.Logf("%s: %v", filepath.Base(name), err)
		if err == nil {
			opened++
			t.Logf("\t%q", v.Notes())
		}
		readEverything(t, bytes.NewReader(img))
	}
	if opened < len(list) {
		t.Errorf("%d of %d can be opened", opened, len(list))
	}
}

// memory is an image in memory.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) { return pieces{0: m}.ReadAt(p, off) }
