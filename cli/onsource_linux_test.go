package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnSource captures a mounted device to a folder on itself, and elsewhere.
func TestOnSource(t *testing.T) {
	tool := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	img, dir := filepath.Join(t.TempDir(), "v.img"), t.TempDir()
	tool("truncate", "-s", "16M", img)
	tool("mkfs.ext4", "-q", "-F", img)
	dev := tool("losetup", "-f", "--show", img)
	t.Cleanup(func() { exec.Command("losetup", "-d", dev).Run() })
	tool("mount", dev, dir)
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vitrine := filepath.Join(t.TempDir(), "vitrine") // see TestMain
	if err := os.Symlink(self, vitrine); err != nil {
		t.Fatal(err)
	}
	const told = "written to its own source"
	if out := tool(vitrine, "capture", dev, "-o", filepath.Join(dir, "images")); !strings.Contains(out, told) || !strings.Contains(out, "another disk") {
		t.Errorf("on its source:\n%s", out)
	}
	if out := tool(vitrine, "capture", dev, "-o", t.TempDir()); strings.Contains(out, told) {
		t.Errorf("elsewhere:\n%s", out)
	}
}
