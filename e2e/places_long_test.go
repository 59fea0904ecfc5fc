//go:build long

package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlaces has images, and what is made of them, lie on file systems that
// differ in what they say of direct I/O and in what they then do.
func TestPlaces(t *testing.T) {
	img := makeVolume(t, 256<<20)
	r := rand.New(rand.NewPCG(21, 22))
	files := t.TempDir()
	for name, size := range map[string]int{"big": 48<<20 + 777, "bigger": 64 << 20, "small": 999} {
		write(t, filepath.Join(files, name), random(r, size))
	}
	ntfs3g(t, img, "rw,noatime", func(dir string) { sh(t, "cp", "-r", files+"/.", dir) })
	for _, tc := range []struct{ name, fs, mkfs, sector, opts string }{
		{"xfs", "xfs", "mkfs.xfs -q", "512", "rw"},
		{"xfs, sectors of 4 KiB", "xfs", "mkfs.xfs -q", "4096", "rw"},
		{"btrfs", "btrfs", "mkfs.btrfs -q", "512", "rw"},
		{"btrfs, compressed", "btrfs", "mkfs.btrfs -q", "512", "compress-force=zstd"},
		{"ext4, blocks of 1 KiB", "ext4", "mkfs.ext4 -q -b 1024", "512", "rw"},
		{"ext4, data in the journal", "ext4", "mkfs.ext4 -q", "512", "data=journal"},
		{"tmpfs", "tmpfs", "", "", "size=1G"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if known, _ := os.ReadFile("/proc/filesystems"); !strings.Contains(string(known), "\t"+tc.fs+"\n") {
				t.Skipf("this kernel has no %s", tc.fs)
			}
			dir, source := t.TempDir(), "none"
			if tc.mkfs != "" {
				file := filepath.Join(t.TempDir(), "disk")
				sh(t, "truncate", "-s", "1G", file)
				source = strings.TrimSpace(sh(t, "losetup", "-f", "--sector-size", tc.sector, "--show", file))
				t.Cleanup(func() { exec.Command("losetup", "-d", source).Run() })
				sh(t, "sh", "-c", tc.mkfs+" "+source)
			}
			sh(t, "mount", "-t", tc.fs, "-o", tc.opts, source, dir)
			t.Cleanup(func() { sh(t, "umount", dir) })
			checkPlace(t, dir, img, files)
		})
	}
	t.Run("FUSE", func(t *testing.T) {
		ntfs3g(t, makeVolume(t, 1<<30), "rw,noatime", func(dir string) { checkPlace(t, dir, img, files) })
	})
}

// checkPlace takes an image of img to dir, reads it in all ways, cold and from
// the cache, and takes out of it to dir.
func checkPlace(t *testing.T, dir, img, files string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	vitrine(t, "capture", img, "-o", at("images"), "--verify")
	vitrine(t, "capture", img, "-o", at("images"), "--onto", at("images"), "--split", "16M")
	before := sums(t, at("images"))
	for range 2 { // cold, then in the cache
		vitrine(t, "verify", at("images"))
	}
	dropCaches(t)
	vitrine(t, "cp", at("images")+":/", at("files"))
	sh(t, "diff", "-r", files, at("files"))
	sh(t, "rm", "-r", at("files"))
	vitrine(t, "restore", at("images"), at("restored"), "--yes")
	dropCaches(t)
	t.Run("nbd", func(t *testing.T) {
		sh(t, "qemu-img", "compare", at("restored"), serve(t, "nbd", at("images"), "--unix", filepath.Join(t.TempDir(), "s")))
	})
	for p, sum := range sums(t, at("images")) {
		if before[p] != sum {
			t.Errorf("%s has changed", p)
		}
	}
}
