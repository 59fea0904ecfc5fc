package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChain captures a volume again and again while its files change, then
// compares every point, by every way out, with what ntfs-3g showed.
func TestChain(t *testing.T) {
	img, images := makeVolume(t, scale.volume), t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	var truth []tree
	var set string
	for n := range scale.points {
		ntfs3g(t, img, "rw,noatime,compression,streams_interface=windows,efs_raw", func(dir string) {
			if n == 0 {
				fill(t, dir, r)
			} else {
				change(t, dir, r, n)
			}
		})
		ntfs3g(t, img, "ro,noatime,streams_interface=windows", func(dir string) { truth = append(truth, treeOf(t, dir)) })
		args := []string{"capture", img, "-o", images, "--comment", fmt.Sprint("point ", n)}
		if n > 0 {
			args = append(args, "--onto", images)
		}
		if n == 2 {
			args = append(args, "--differential")
		}
		vitrine(t, args...)
		if n == 0 {
			set = setOf(t, images)
		}
		t.Logf("point %d: %d objects, member of %d KiB", n, len(truth[n]), sizeOf(t, images, set, n)>>10)
	}
	for n := range truth {
		point := fmt.Sprintf("%s@%d", images, n)
		t.Run(fmt.Sprint("point ", n), func(t *testing.T) { comparePoint(t, point, truth[n]) })
	}
	vitrine(t, "verify", images)
}

// setOf is the ID of the set in a folder.
func setOf(t *testing.T, dir string) string {
	m, _ := filepath.Glob(filepath.Join(dir, "*-0000.vtr"))
	if len(m) != 1 {
		t.Fatalf("fulls: %v", m)
	}
	return strings.TrimSuffix(filepath.Base(m[0]), "-0000.vtr")
}

func sizeOf(t *testing.T, dir, set string, n int) int64 {
	fi, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%s-%04d.vtr", set, n)))
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

func comparePoint(t *testing.T, point string, want tree) {
	t.Run("mount", func(t *testing.T) {
		t.Parallel()
		mounted(t, point, nil, func(dir string) { same(t, "mount", led(treeOf(t, dir)), led(want), nil) })
	})
	t.Run("cp", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		vitrine(t, "cp", point+":/", dir)
		same(t, "cp", led(treeOf(t, dir)), led(want), nil)
	})
	t.Run("restore", func(t *testing.T) {
		t.Parallel()
		target := filepath.Join(t.TempDir(), "restored.img")
		vitrine(t, "restore", point, target, "--yes")
		ntfs3g(t, target, "ro,noatime,streams_interface=windows", func(dir string) { same(t, "restore", treeOf(t, dir), want, nil) })
	})
	t.Run("raw", func(t *testing.T) {
		t.Parallel()
		mounted(t, point, []string{"--raw"}, func(dir string) {
			loop := strings.TrimSpace(sh(t, "losetup", "--find", "--show", "-r", filepath.Join(dir, "partition-1.img")))
			defer sh(t, "losetup", "-d", loop)
			ntfs3g(t, loop, "ro,noatime,streams_interface=windows", func(dir string) { same(t, "raw", treeOf(t, dir), want, nil) })
		})
	})
}

// mounted mounts a point, calls do and unmounts.
func mounted(t *testing.T, point string, args []string, do func(dir string)) {
	t.Helper()
	dir := t.TempDir()
	vitrine(t, append([]string{"mount", point, dir, "--background"}, args...)...)
	defer func() {
		vitrine(t, "unmount", dir)
		if out, err := exec.Command("mountpoint", "-q", dir).CombinedOutput(); err == nil {
			t.Errorf("%s is still mounted %s", dir, out)
		}
	}()
	do(dir)
}

// fill makes a volume as people have them.
func fill(t *testing.T, dir string, r *rand.Rand) {
	for _, tree := range scale.trees {
		dst := filepath.Join(dir, "copy", filepath.Base(tree))
		os.MkdirAll(dst, 0o755)
		sh(t, "sh", "-c", fmt.Sprintf("tar -C %s --one-file-system -cf - . | tar -C %s -xf - --no-same-owner 2>/dev/null || true", tree, dst))
	}
	for i := range scale.small {
		d := filepath.Join(dir, fmt.Sprintf("small-%03d", i%200))
		os.MkdirAll(d, 0o755)
		write(t, filepath.Join(d, fmt.Sprintf("file %d é.txt", i)), text(r, r.IntN(6000)))
	}
	write(t, filepath.Join(dir, "a.txt"), text(r, 100))
	write(t, filepath.Join(dir, "a.txt:note"), text(r, 500))
	for i := range 40 {
		if err := os.Link(filepath.Join(dir, "a.txt"), filepath.Join(dir, fmt.Sprintf("link %d to a file with a rather long name that fills the record.txt", i))); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"symlink": "a.txt", "small-000/here": ".", "small-000/up": "..", "small-000/a": "../a.txt", "small-000/root": "/"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	sparse(t, filepath.Join(dir, "sparse.bin"), r)
	comp := filepath.Join(dir, "compressed")
	os.Mkdir(comp, 0o755)
	sh(t, "setfattr", "-h", "-n", "system.ntfs_attrib_be", "-v", "0x00000800", comp)
	write(t, filepath.Join(comp, "log.txt"), text(r, 3<<20))
	write(t, filepath.Join(comp, "random.bin"), random(r, 1<<20))
	write(t, filepath.Join(dir, "big.bin"), random(r, 20<<20))
	write(t, filepath.Join(dir, "日本語 😀.txt"), text(r, 3000))
}

// change changes, adds and deletes files.
func change(t *testing.T, dir string, r *rand.Rand, n int) {
	for range max(scale.small/50, 10) {
		i := r.IntN(scale.small)
		p := filepath.Join(dir, fmt.Sprintf("small-%03d", i%200), fmt.Sprintf("file %d é.txt", i))
		switch r.IntN(3) {
		case 0:
			os.Remove(p)
		default:
			write(t, p, text(r, r.IntN(9000)))
		}
	}
	os.Remove(filepath.Join(dir, fmt.Sprintf("link %d to a file with a rather long name that fills the record.txt", n)))
	write(t, filepath.Join(dir, fmt.Sprintf("new %d.bin", n)), random(r, 1<<20))
	patch(t, filepath.Join(dir, "big.bin"), r)
	patch(t, filepath.Join(dir, "compressed", "log.txt"), r)
	write(t, filepath.Join(dir, "a.txt:note"), text(r, 50*n))
}

func write(t *testing.T, p string, b []byte) {
	t.Helper()
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p, ":") {
		when := time.Date(2026, 1, 2, 3, 4, 5, 100*len(b), time.UTC)
		os.Chtimes(p, when, when)
	}
}

func patch(t *testing.T, p string, r *rand.Rand) {
	f, err := os.OpenFile(p, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, _ := f.Stat()
	for range 5 {
		if _, err := f.WriteAt(random(r, 4096), r.Int64N(fi.Size())); err != nil {
			t.Fatal(err)
		}
	}
}

func sparse(t *testing.T, p string, r *rand.Rand) {
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Truncate(500 << 20)
	for i := range 10 {
		f.WriteAt(random(r, 70_000), int64(i)*45<<20)
	}
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			b[i+k] = byte(v >> (8 * k))
		}
	}
	return b
}

func text(r *rand.Rand, n int) []byte {
	words := strings.Fields("the vitrine shows what lies inside and nobody can harm it error warning info connection opened closed user admin")
	var b []byte
	for len(b) < n {
		b = append(b, words[r.IntN(len(words))]...)
		b = append(b, ' ')
	}
	return b[:n]
}
