package shellext

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDesktop installs for a user of its own, has the desktop's tools judge the
// files and start the program, and uninstalls.
func TestDesktop(t *testing.T) {
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	t.Setenv("HOME", t.TempDir())
	bin := filepath.Join(t.TempDir(), "my program $1")
	log := filepath.Join(t.TempDir(), "log")
	script := "#!/bin/sh\nprintf '%s|' \"$@\" >" + log + ".new && mv " + log + ".new " + log + "\n"
	if err := os.WriteFile(bin, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p := Program{Exe: bin}
	paths, notes, err := Install(p, false)
	if err != nil || len(notes) > 0 || len(paths) != len(DesktopFiles(p)) {
		t.Fatal(paths, notes, err)
	}
	run(t, "desktop-file-validate", filepath.Join(data, "applications/vitrine.desktop"))
	image := filepath.Join(t.TempDir(), "no extension é")
	if err := os.WriteFile(image, []byte("\x89VTR\r\n\x1a\n rest"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "gio", "info", "-a", "standard::content-type", image); !strings.Contains(out, mimeType) {
		t.Errorf("gio takes an image for %s", out)
	}
	if out := run(t, "gio", "mime", mimeType); !strings.Contains(out, "vitrine.desktop") {
		t.Errorf("no program for images: %s", out)
	}
	run(t, "gio", "open", image)
	if got := waitFor(t, log); got != "open|"+image+"|" {
		t.Errorf("the program was started with %q", got)
	}
	if _, notes, err := Uninstall(p, false); err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			t.Errorf("%s is left", p)
		}
	}
}

func TestUninstallLeavesForeignFiles(t *testing.T) {
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	p := Program{Exe: "/usr/bin/vitrine"}
	if _, _, err := Install(p, false); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(data, "applications/vitrine.desktop")
	os.WriteFile(mine, []byte("[Desktop Entry]\nName=Mine\n"), 0o644)
	_, notes, err := Uninstall(p, false)
	if _, serr := os.Stat(mine); err != nil || serr != nil || len(notes) != 1 {
		t.Errorf("%v %v %v", notes, err, serr)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// waitFor reads a file that another program is about to write.
func waitFor(t *testing.T, path string) string {
	t.Helper()
	for range 100 {
		if b, err := os.ReadFile(path); err == nil {
			return string(b)
		}
		exec.Command("sleep", "0.05").Run()
	}
	t.Fatal("the program was not started")
	return ""
}
