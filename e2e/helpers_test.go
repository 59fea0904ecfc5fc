package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

type scaleOf struct {
	points int      // of the chain
	small  int      // small files
	volume int64    // bytes
	trees  []string // folders of this machine that are copied into the volume
}

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vitrine-e2e")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "vitrine")
	out, err := exec.Command("go", "build", "-o", program, "vitrine/cmd/vitrine").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// vitrine runs the program and fails the test unless it exits with 0.
func vitrine(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, code := try(args...)
	if code != 0 {
		t.Fatalf("vitrine %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func try(args ...string) (out, errs string, code int) {
	var o, e bytes.Buffer
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = &o, &e
	err := c.Run()
	code = c.ProcessState.ExitCode()
	if err != nil && code == 0 {
		code = -1
	}
	return o.String(), e.String(), code
}

// sh runs a command of this machine.
func sh(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// makeVolume makes an empty NTFS volume in a sparse file.
func makeVolume(t testing.TB, size int64) string {
	t.Helper()
	img := filepath.Join(t.TempDir(), "volume.img")
	f, err := os.Create(img)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	sh(t, "mkntfs", "-F", "-Q", "-q", "-L", "E2E", img)
	return img
}

// ntfs3g mounts img, calls do with the mount point and unmounts.
func ntfs3g(t testing.TB, img, opts string, do func(dir string)) {
	t.Helper()
	dir := t.TempDir()
	sh(t, "ntfs-3g", "-o", opts, img, dir)
	defer func() {
		for i := 0; exec.Command("umount", dir).Run() != nil; i++ {
			if i > 50 {
				t.Fatalf("%s does not unmount", dir)
			}
			time.Sleep(100 * time.Millisecond)
		}
		waitGone(t, img)
	}()
	do(dir)
}

// waitGone waits until no ntfs-3g process has img any more: umount returns
// before the daemon has written everything.
func waitGone(t testing.TB, img string) {
	for range 600 {
		out, _ := exec.Command("pgrep", "-f", "ntfs-3g.*"+img).Output()
		if len(out) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("ntfs-3g still runs on %s", img)
}

// object is what a tree is compared by.
type object struct {
	Mode  fs.FileMode
	Size  int64
	Mtime time.Time
	Links uint64
	Sum   string // SHA-256 of the contents, or the link's target
}

type tree map[string]object

// treeOf walks dir, while others read the files that it finds.
func treeOf(t testing.TB, dir string) tree {
	t.Helper()
	out := tree{}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(4)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		o := object{Mode: info.Mode().Type(), Mtime: info.ModTime().UTC(), Links: uint64(info.Sys().(*syscall.Stat_t).Nlink)}
		if info.IsDir() {
			o.Links = 0 // ntfs-3g and others count them differently
		}
		g.Go(func() (err error) {
			switch {
			case info.Mode().IsRegular():
				o.Size = info.Size()
				o.Sum, err = sumOf(p)
			case info.Mode()&fs.ModeSymlink != 0:
				o.Sum, err = os.Readlink(p)
			}
			mu.Lock()
			defer mu.Unlock()
			out[rel] = o
			return err
		})
		return nil
	})
	if err := errors.Join(err, g.Wait()); err != nil {
		t.Fatal(err)
	}
	return out
}

// led is tree with links told by where they lead: mounts and copies show links
// from the volume's root as relative ones.
func led(in tree) tree {
	out := tree{}
	for p, o := range in {
		if o.Mode&fs.ModeSymlink != 0 {
			if !path.IsAbs(o.Sum) {
				o.Sum = path.Join("/", path.Dir(p), o.Sum)
			}
			o.Sum = path.Clean(o.Sum)
		}
		out[p] = o
	}
	return out
}

func sumOf(p string) (string, error) {
	f, err := os.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", p, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// same fails the test with the first few differences. ignore changes both
// sides before they are compared.
func same(t testing.TB, what string, got, want tree, ignore func(*object)) {
	t.Helper()
	bad := 0
	report := func(format string, a ...any) {
		if bad++; bad <= 10 {
			t.Errorf(what+": "+format, a...)
		}
	}
	for p, w := range want {
		g, ok := got[p]
		if ignore != nil {
			ignore(&g)
			ignore(&w)
		}
		switch {
		case !ok:
			report("%q is missing", p)
		case g != w:
			report("%q is %+v, want %+v", p, g, w)
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			report("%q is too many", p)
		}
	}
	if bad > 0 {
		t.Fatalf("%s: %d differences in %d objects", what, bad, len(want))
	}
}
