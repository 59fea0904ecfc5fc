package shellext

import (
	"bytes"
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestWindowless(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "a.go")
	if err := os.WriteFile(src, []byte("package main\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "build", "-o", filepath.Join(dir, "a.exe"), src)
	c.Env = append(os.Environ(), "GOOS=windows", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	exe, err := os.ReadFile(filepath.Join(dir, "a.exe"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := windowless(exe)
	if err != nil {
		t.Fatal(err)
	}
	f, err := pe.NewFile(bytes.NewReader(got))
	if err != nil || f.OptionalHeader.(*pe.OptionalHeader64).Subsystem != pe.IMAGE_SUBSYSTEM_WINDOWS_GUI {
		t.Errorf("%v %+v", err, f.OptionalHeader)
	}
	differ := 0
	for i := range exe {
		if exe[i] != got[i] {
			differ++
		}
	}
	if differ != 1 || len(got) != len(exe) {
		t.Errorf("%d bytes differ", differ)
	}
	for _, bad := range [][]byte{nil, []byte("MZ"), bytes.Repeat([]byte("MZ"), 100), exe[:200]} {
		if _, err := windowless(bad); err == nil {
			t.Errorf("%d bytes are taken for a program", len(bad))
		}
	}
}
