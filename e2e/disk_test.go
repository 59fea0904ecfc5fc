package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDisks captures whole disks with every kind of table, restores them and
// compares: tables and gaps to the byte, file systems by their own checkers.
func TestDisks(t *testing.T) {
	for _, d := range []struct{ name, sector, script string }{
		{"gpt", "512", "label: gpt\nsize=40MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name=\"Windows\"\nsize=20MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"},
		{"gpt-4k", "4096", "label: gpt\nsize=40MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\nsize=20MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n"},
		{"mbr-extended", "512", "label: dos\nsize=40MiB, type=7\nsize=45MiB, type=5\nsize=20MiB, type=83\nsize=20MiB, type=83\n"},
	} {
		t.Run(d.name, func(t *testing.T) { testDisk(t, d.sector, d.script) })
	}
}

func testDisk(t *testing.T, sector, script string) {
	dir := t.TempDir()
	img := filepath.Join(dir, "disk.img")
	r := rand.New(rand.NewPCG(7, 7))
	if err := os.WriteFile(img, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	os.Truncate(img, 128<<20)
	loop := strings.TrimSpace(sh(t, "losetup", "--find", "--show", "-b", sector, "-P", img))
	defer func() {
		if loop != "" {
			sh(t, "losetup", "-d", loop)
		}
	}()
	sh(t, "sh", "-c", fmt.Sprintf("printf '%s' | sfdisk -q %s && sync", strings.ReplaceAll(script, "\n", "\\n"), loop))
	sh(t, "partprobe", loop)
	code := random(r, 400)
	patchAt(t, img, code, 0)
	first := firstPartition(t, loop)
	sub := filepath.Join(dir, "part.img")
	os.WriteFile(sub, nil, 0o644)
	os.Truncate(sub, 40<<20)
	sh(t, "mkntfs", "-F", "-Q", "-q", "-s", sector, sub)
	var want tree
	ntfs3g(t, sub, "rw,noatime", func(dir string) {
		for i := range 50 {
			write(t, filepath.Join(dir, fmt.Sprint("file ", i)), text(r, r.IntN(100_000)))
		}
	})
	ntfs3g(t, sub, "ro,noatime", func(dir string) { want = treeOf(t, dir) })
	b, _ := os.ReadFile(sub)
	patchAt(t, img, b, first)
	sh(t, "sync")
	sh(t, "losetup", "-d", loop)
	loop = ""
	images := filepath.Join(dir, "images")
	os.Mkdir(images, 0o755)
	vitrine(t, "capture", img, "-o", images)
	restored := filepath.Join(dir, "restored.img")
	vitrine(t, "restore", images, restored, "--yes")
	compareUsed(t, img, restored, first, 40<<20)
	out := filepath.Join(dir, "out")
	os.Mkdir(out, 0o755)
	vitrine(t, "cp", images+":1:/", out)
	same(t, "cp from partition 1", treeOf(t, out), want, nil)
}

func patchAt(t *testing.T, p string, b []byte, off int64) {
	f, err := os.OpenFile(p, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// firstPartition is where partition 1 of a loop device begins, in bytes.
func firstPartition(t *testing.T, loop string) int64 {
	var start int64
	b, err := os.ReadFile(fmt.Sprintf("/sys/block/%s/%sp1/start", filepath.Base(loop), filepath.Base(loop)))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Sscan(string(b), &start)
	return start * 512
}

// compareUsed compares all bytes outside the NTFS partition; inside it free
// clusters may differ.
func compareUsed(t *testing.T, a, b string, off, n int64) {
	x, _ := os.ReadFile(a)
	y, _ := os.ReadFile(b)
	if len(x) != len(y) {
		t.Fatalf("%d bytes restored, want %d", len(y), len(x))
	}
	if !bytes.Equal(x[:off], y[:off]) || !bytes.Equal(x[off+n:], y[off+n:]) {
		for i := range x {
			if x[i] != y[i] && (int64(i) < off || int64(i) >= off+n) {
				t.Fatalf("byte %d outside the partition is %#x, want %#x", i, y[i], x[i])
			}
		}
	}
	if !bytes.Equal(x[off+n-512:off+n], y[off+n-512:off+n]) {
		t.Error("the backup boot sector is not the same")
	}
}
