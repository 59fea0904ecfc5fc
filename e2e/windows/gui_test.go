package windows

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"vitrine/internal/wine"
)

// press waits for a window and presses one of its buttons; it gives the texts in
// it.
func (d *desktop) press(t *testing.T, title, button string) string {
	t.Helper()
	exe := d.Path(`C:\press.exe`)
	if _, err := os.Stat(exe); err != nil {
		must(t, wine.BuildEXE(t.Context(), exe, "testdata/press/press.c"))
	}
	return d.run(t, exe, title, button)
}

const (
	buttonOK     = "1"
	buttonCancel = "2"
)

// What the menus start has no console: failures come in a box, the folder to copy
// to is asked for in a dialogue, and the copying shows in a console of its own.
func TestWindows(t *testing.T) {
	d := newDesktop(t)
	d.vitrine(t, "shell", "install")
	launcher := `C:\users\` + user() + `\AppData\Local\Vitrine\shell\vitrinew.exe`
	menu := func(args ...string) { d.run(t, "start", append([]string{launcher}, args...)...) }

	text := filepath.Join(t.TempDir(), "text ü.vtr")
	must(t, os.WriteFile(text, []byte("text"), 0o644))
	menu("open", at(text))
	if said := d.press(t, "Vitrine", buttonOK); !strings.Contains(said, "text ü.vtr is not a Vitrine image\n") || strings.Contains(said, "error:") {
		t.Errorf("a file that is no image: %s", said)
	}
	menu("unmount", `C:\.`)
	if said := d.press(t, "Vitrine", buttonOK); !strings.Contains(said, "no image is mounted there") {
		t.Errorf("unmounting another drive: %s", said)
	}

	// The dialogue begins at the desktop, which must not be this system's.
	desk := d.Path(`C:\users\` + user() + `\Desktop`)
	os.Remove(desk)
	must(t, os.MkdirAll(desk, 0o755))
	images := filepath.Join(t.TempDir(), "one volume")
	volume := filepath.Join(t.TempDir(), "volume.img")
	files := newVolume(t, volume)
	native(t, "capture", volume, "-o", images)
	members, _ := filepath.Glob(filepath.Join(images, "*-0000.vtr"))
	menu("gui", "copy", at(members[0]))
	if said := d.press(t, "Browse for Folder", buttonCancel); !strings.Contains(said, "Copy the files of "+filepath.Base(members[0])+" to") {
		t.Errorf("the dialogue: %s", said)
	}
	menu("gui", "copy", at(members[0]))
	d.press(t, "Browse for Folder", buttonOK)
	for end := time.Now().Add(time.Minute); !reflect.DeepEqual(sofar(desk), files); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("copied: %v, want %v", hashes(t, desk), files)
		}
	}
}

// sofar is hashes of a folder in which files come and go.
func sofar(dir string) map[string]string {
	sums := map[string]string{}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			b, _ := os.ReadFile(path)
			sum := sha256.Sum256(b)
			rel, _ := filepath.Rel(dir, path)
			sums[rel] = hex.EncodeToString(sum[:8])
		}
		return nil
	})
	return sums
}
