//go:build long

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAttachInGuest attaches with a kernel that has all the drivers, one after
// the other.
func TestAttachInGuest(t *testing.T) {
	img, images := threeSystems(t), t.TempDir()
	vitrine(t, "capture", img, "-o", images, "--all-sectors")
	static := filepath.Join(t.TempDir(), "vitrine")
	c := exec.Command("go", "build", "-ldflags", "-s -w", "-o", static, "vitrine/cmd/vitrine")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g := guest{
		script: "attach.sh", vars: contents(t, img), files: map[string]string{},
		modules: []string{"crc32c_generic", "ext4"}, later: []string{"fuse", "loop", "nbd"},
		programs: []string{static, "fstrim", "blockdev"},
	}
	members, _ := filepath.Glob(filepath.Join(images, "*"))
	for _, m := range members {
		g.files["images/"+filepath.Base(m)] = m
	}
	g.run(t)
}
