//go:build linux

package device

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs the program %s", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func blank(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return path
}

func loop(t *testing.T, path string, args ...string) string {
	t.Helper()
	dev := run(t, "", "losetup", append([]string{"-f", "--show", path}, args...)...)
	t.Cleanup(func() { exec.Command("losetup", "-d", dev).Run() })
	return dev
}

func mountAt(t *testing.T, dev string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "", "mount", append(args, dev, dir)...)
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	return dir
}

func TestOpenLoop(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		img := blank(t, 4<<20)
		data := make([]byte, 4<<20)
		rand.New(rand.NewSource(3)).Read(data)
		os.WriteFile(img, data, 0o600)
		dev := loop(t, img, "-b", fmt.Sprint(sector))
		d, err := Open(dev)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if d.Size() != 4<<20 || d.SectorSize() != sector || !d.Info().Block {
			t.Errorf("%+v", d.Info())
		}
		for _, r := range []struct{ off, n int }{{0, 512}, {1, 3}, {511, 2}, {100, 2 << 20}, {4<<20 - 7, 7}, {4096, 1 << 20}} {
			p := make([]byte, r.n)
			if n, err := d.ReadAt(p, int64(r.off)); n != r.n || err != nil || !bytes.Equal(p, data[r.off:r.off+r.n]) {
				t.Errorf("%+v: %d, %v", r, n, err)
			}
		}
		if n, err := d.ReadAt(make([]byte, 100), 4<<20-50); n != 50 || err != io.EOF {
			t.Errorf("at the end: %d, %v", n, err)
		}
		if why, _ := d.InUse(); why != "" {
			t.Errorf("in use: %s", why)
		}
	}
}

// What is written through a file system is seen, whatever the page cache of
// the device node holds.
func TestReadsAreFresh(t *testing.T) {
	img := blank(t, 16<<20)
	dev := loop(t, img)
	d, err := Open(dev)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	io.Copy(io.Discard, io.NewSectionReader(d, 0, d.Size()))
	f, _ := os.OpenFile(img, os.O_RDWR, 0)
	f.WriteAt([]byte("news"), 5<<20)
	f.Close()
	p := make([]byte, 100<<10)
	if d.ReadAt(p, 5<<20); string(p[:4]) != "news" {
		t.Errorf("stale: %q", p[:4])
	}
}

func TestDataExtent(t *testing.T) {
	img := blank(t, 64<<20)
	f, _ := os.OpenFile(img, os.O_RDWR, 0)
	for _, off := range []int64{0, 10 << 20, 63 << 20} {
		f.WriteAt(bytes.Repeat([]byte{1}, 1<<20), off)
	}
	f.Close()
	d, err := Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var got []int64
	for off := int64(0); off < d.Size(); {
		s, e, err := d.DataExtent(off)
		if err != nil {
			t.Fatal(err)
		}
		if s < e {
			got = append(got, s, e)
		}
		off = e
	}
	want := []int64{0, 1 << 20, 10 << 20, 11 << 20, 63 << 20, 64 << 20}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	d.DropCache(0, d.Size())
}

func TestOpenRefuses(t *testing.T) {
	for _, p := range []string{"/dev/null", t.TempDir()} {
		if _, err := Open(p); !errors.Is(err, ErrNotDisk) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := Open("/nowhere/at/all"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestMountedLoop(t *testing.T) {
	img := blank(t, 32<<20)
	run(t, "", "mkfs.ext4", "-qF", img)
	dev := loop(t, img)
	dir := mountAt(t, dev)
	d, err := Open(dev)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if why, rw := d.InUse(); why != "is mounted on "+dir || !rw {
		t.Errorf("%q, %v", why, rw)
	}
	f, err := Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if why, rw := f.InUse(); !strings.Contains(why, dev) || !strings.Contains(why, dir) || !rw {
		t.Errorf("%q, %v", why, rw)
	}
	checkRefused(t, dev, TargetOptions{}, ErrBusy, "is mounted on "+dir)
	checkRefused(t, img, TargetOptions{Overwrite: true}, ErrBusy, "is mounted on "+dir)
	image := filepath.Join(dir, "image.vtr")
	os.WriteFile(image, []byte("x"), 0o600)
	checkRefused(t, dev, TargetOptions{Protect: []string{image}}, ErrProtected, "holds the image file")
	devs, err := Protects(image)
	if err != nil || !slices.Contains(devs, dev) {
		t.Errorf("%v, %v", devs, err)
	}
	future, _ := Protects(filepath.Join(dir, "not/yet/made"))
	if !slices.Equal(devs, future) {
		t.Errorf("%v, %v", devs, future)
	}
	run(t, "", "mount", "-o", "remount,ro", dir)
	if why, rw := d.InUse(); !strings.Contains(why, "read-only") || rw {
		t.Errorf("%q, %v", why, rw)
	}
}

func checkRefused(t *testing.T, path string, o TargetOptions, class error, why string) {
	t.Helper()
	tg, err := OpenTarget(path, o)
	if err == nil {
		tg.Close()
	}
	var r *RefusedError
	if !errors.As(err, &r) || !errors.Is(err, class) || !strings.Contains(r.Why, why) {
		t.Errorf("%s: %v, want %v, %q", path, err, class, why)
	}
}

// A mounted partition makes its disk busy, not its neighbour; an image on a
// partition protects the disk, not the neighbour.
func TestPartitions(t *testing.T) {
	img := blank(t, 64<<20)
	run(t, "label: gpt\n,20M\n,20M\n", "sfdisk", "-q", img)
	dev := loop(t, img)
	run(t, "", "partx", "-a", dev)
	t.Cleanup(func() { exec.Command("partx", "-d", dev).Run() })
	p1, p2 := dev+"p1", dev+"p2"
	run(t, "", "mkfs.ext4", "-qF", p1)
	dir := mountAt(t, p1)
	image := filepath.Join(dir, "image.vtr")
	os.WriteFile(image, []byte("x"), 0o600)
	guard := TargetOptions{Protect: []string{image}}

	checkRefused(t, dev, TargetOptions{}, ErrBusy, p1+" is mounted on "+dir)
	checkRefused(t, dev, guard, ErrProtected, "holds the image file")
	checkRefused(t, p1, guard, ErrProtected, "holds the image file")
	tg, err := OpenTarget(p2, guard)
	if err != nil {
		t.Fatal(err)
	}
	if tg.Start() != 21<<20 {
		t.Errorf("starts at %d", tg.Start())
	}
	tg.Close()
	exec.Command("umount", dir).Run()
	tg, err = OpenTarget(dev, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	if out, err := exec.Command("mount", p1, dir).CombinedOutput(); err == nil {
		exec.Command("umount", dir).Run()
		t.Errorf("mounted under a target: %s", out)
	}
	if err := tg.RereadTable(); err != nil {
		t.Error(err)
	}
}

func TestRunningSystem(t *testing.T) {
	devs, err := Protects("/")
	if err != nil {
		t.Fatal(err)
	}
	if len(devs) == 0 {
		t.Skip("the root file system of this machine is on no disk")
	}
	for _, d := range devs {
		checkRefused(t, d, TargetOptions{}, ErrProtected, "running system")
	}
}

func TestDiskTarget(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		img := blank(t, 8<<20)
		dev := loop(t, img, "-b", fmt.Sprint(sector))
		checkRefused(t, dev, TargetOptions{Size: 8<<20 + 1}, ErrTooSmall, "8388609 are needed")
		tg, err := OpenTarget(dev, TargetOptions{Size: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer tg.Close()
		if !tg.Fixed() || !tg.Exists() || tg.SectorSize() != sector {
			t.Errorf("%+v", tg.Info())
		}
		writeRandomly(t, tg)
		if err := tg.Zero(1<<20, 1<<20); err != nil {
			t.Error(err)
		}
		if err := tg.Discard(2<<20, 1<<20); err != nil {
			t.Error(err)
		}
		p := make([]byte, 1<<20)
		if tg.ReadAt(p, 1<<20); !bytes.Equal(p, make([]byte, 1<<20)) {
			t.Error("not zero")
		}
		if _, err := tg.WriteAt(p, 8<<20-5); err == nil {
			t.Error("written beyond the end")
		}
	}
}

// writeRandomly writes pieces of all sorts and reads them back.
func writeRandomly(t *testing.T, tg *Target) {
	t.Helper()
	rng := rand.New(rand.NewSource(4))
	want := make([]byte, tg.Size())
	tg.ReadAt(want, 0)
	for range 300 {
		off := rng.Intn(len(want))
		n := min(rng.Intn(200<<10), len(want)-off)
		if rng.Intn(2) == 0 {
			off, n = off&^4095, n&^4095
		}
		p := make([]byte, n)
		rng.Read(p)
		if _, err := tg.WriteAt(p, int64(off)); err != nil {
			t.Fatal(err)
		}
		copy(want[off:], p)
	}
	if err := tg.Sync(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if n, err := tg.ReadAt(got, 0); n != len(got) || err != nil || !bytes.Equal(got, want) {
		t.Errorf("read back %d, %v", n, err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dev := loop(t, blank(t, 1<<20), "-r")
	checkRefused(t, dev, TargetOptions{}, ErrReadOnly, "write-protected")
}

func TestImageBehindLoop(t *testing.T) {
	img := blank(t, 1<<20)
	dev := loop(t, img)
	checkRefused(t, dev, TargetOptions{Protect: []string{img}}, ErrProtected, "is the image file")
}

func TestFileTarget(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new.img")
	tg, err := OpenTarget(path, TargetOptions{Size: 1 << 30})
	if err != nil || tg.Exists() || tg.Fixed() {
		t.Fatalf("%+v, %v", tg, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("made before it was wanted")
	}
	if err := tg.SetSize(4<<20+100, true); err != nil {
		t.Fatal(err)
	}
	writeRandomly(t, tg)
	tg.WriteBehind(0, 4<<20)
	if err := tg.Abandon(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("not removed")
	}
	if _, err := OpenTarget(filepath.Join(dir, "no/such/folder.img"), TargetOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	checkRefused(t, dir, TargetOptions{}, ErrNotDisk, "is a folder")
}

func TestExistingFileTarget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.img")
	os.WriteFile(path, []byte("precious"), 0o600)
	checkRefused(t, path, TargetOptions{}, ErrExists, "exists already")
	checkRefused(t, path, TargetOptions{Overwrite: true, Protect: []string{path}}, ErrProtected, "image's own files")
	tg, err := OpenTarget(path, TargetOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 8)
	if tg.ReadAt(p, 0); string(p) != "precious" {
		t.Error("changed by being opened")
	}
	if err := tg.SetSize(4096, true); err != nil {
		t.Fatal(err)
	}
	if tg.ReadAt(p, 0); !bytes.Equal(p, make([]byte, 8)) {
		t.Error("not emptied")
	}
	tg.Abandon()
	if _, err := os.Stat(path); err != nil {
		t.Error("a file that was there before was removed")
	}
}

// Loop devices over the same bytes of a file, or over each other, are as much in
// use as the one that is mounted, which the kernel does not tell.
func TestTargetUsedThroughAnotherLoop(t *testing.T) {
	img := blank(t, 64<<20)
	whole := loop(t, img)
	part := loop(t, img, "-o", "1048576", "--sizelimit", "20971520")
	nested := loop(t, whole, "-o", "2097152")
	other := loop(t, img, "-o", "33554432")
	run(t, "", "mkfs.ext4", "-qF", part)
	checkRefused(t, part, TargetOptions{}, ErrBusy, "shares bytes of its file with "+whole)
	dir := mountAt(t, part)
	why := part + ", over the same file, is mounted on " + dir
	for _, dev := range []string{whole, nested} {
		checkRefused(t, dev, TargetOptions{}, ErrBusy, why)
	}
	checkRefused(t, other, TargetOptions{}, ErrBusy, "shares bytes of its file with ")
	checkRefused(t, img, TargetOptions{Overwrite: true}, ErrBusy, "is mounted on "+dir)

	os.Rename(img, img+".old")
	os.WriteFile(img, nil, 0o600)
	os.Remove(img + ".old")
	checkRefused(t, whole, TargetOptions{}, ErrBusy, why)
}

func TestTargetUnderMountedLoop(t *testing.T) {
	whole := loop(t, blank(t, 64<<20))
	part := loop(t, whole, "-o", "1048576", "--sizelimit", "20971520")
	checkRefused(t, whole, TargetOptions{}, ErrBusy, "is attached as "+part)
	run(t, "", "mkfs.ext4", "-qF", part)
	dir := mountAt(t, part)
	checkRefused(t, whole, TargetOptions{}, ErrBusy, "is mounted on "+dir)
}

// Two loop devices over different parts of a file have nothing to do with each
// other.
func TestTargetBesideMountedLoop(t *testing.T) {
	img := blank(t, 64<<20)
	first := loop(t, img, "--sizelimit", "20971520")
	second := loop(t, img, "-o", "20971520")
	run(t, "", "mkfs.ext4", "-qF", first)
	mountAt(t, first)
	tg, err := OpenTarget(second, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tg.Close()
}

// A file system in user space needs no loop device.
func TestTargetFileMountedItself(t *testing.T) {
	img := blank(t, 20<<20)
	run(t, "", "mkntfs", "-qFf", img)
	dir := t.TempDir()
	run(t, "", "ntfs-3g", img, dir)
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	checkRefused(t, img, TargetOptions{Overwrite: true}, ErrBusy, "is mounted on "+dir)
	checkRefused(t, loop(t, img), TargetOptions{}, ErrBusy, "is over a file that is mounted on "+dir)
}
