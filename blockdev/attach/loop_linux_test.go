package attach

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/blockdev"
	"vitrine/blockdev/vdisk"
)

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// image makes a disk with one ext4 partition in a GPT.
func image(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("loop devices need root")
	}
	dir := t.TempDir()
	fs := filepath.Join(dir, "fs")
	run(t, "truncate", "-s", "16M", fs)
	run(t, "mke2fs", "-q", "-F", "-t", "ext4", fs)
	part, err := blockdev.OpenFile(fs, 512)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	d, err := vdisk.GPT(part, vdisk.GPTOptions{Type: vdisk.TypeLinux})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, d.Size())
	if err := blockdev.ReadFull(t.Context(), d, b, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "disk.img")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoop(t *testing.T) {
	path := image(t)
	before, _ := os.ReadFile(path)
	l, err := Loop(path, LoopOptions{ReadOnly: true, Partitions: []Partition{{1, 1 << 20, 16 << 20}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	parts, err := l.Partitions()
	if err != nil || len(parts) != 1 || parts[0] != l.Path()+"p1" {
		t.Fatalf("partitions %v: %v", parts, err)
	}
	run(t, "fsck.ext4", "-f", "-n", parts[0])
	if got, err := os.ReadFile(l.Path()); err != nil || !bytes.Equal(got, before) {
		t.Errorf("the device's contents differ: %v", err)
	}
	if f, err := os.OpenFile(l.Path(), os.O_WRONLY, 0); err == nil {
		if _, err = f.Write(make([]byte, 512)); err == nil {
			err = f.Sync()
		}
		f.Close()
		if err == nil {
			t.Error("the device can be written to")
		}
	}
	checkListed(t, l, path)
	checkBusy(t, l, parts[0])
	if err := l.Detach(); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the image was written to")
	}
}

func checkListed(t *testing.T, l *LoopDevice, path string) {
	t.Helper()
	all, err := Attached()
	for _, d := range all {
		if d.Path == l.Path() && d.File == path && d.ReadOnly {
			return
		}
	}
	t.Errorf("%s is not listed: %v, %v", l.Path(), all, err)
}

func checkBusy(t *testing.T, l *LoopDevice, part string) {
	t.Helper()
	dir := t.TempDir()
	run(t, "mount", "-o", "ro,noload", part, dir)
	err := l.Detach()
	run(t, "umount", dir)
	if !errors.Is(err, ErrBusy) {
		t.Errorf("detached while mounted: %v", err)
	}
}

// TestLoopEndsWithItsProcess kills a process that attached a device.
func TestLoopEndsWithItsProcess(t *testing.T) {
	path := image(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestAttachAndWait$")
	cmd.Env = append(os.Environ(), "ATTACH="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "attached", func() bool { return attached(path) })
	cmd.Process.Kill()
	cmd.Wait()
	until(t, "gone", func() bool { return !attached(path) })
}

func TestAttachAndWait(t *testing.T) {
	path := os.Getenv("ATTACH")
	if path == "" {
		return // it is the child of the test above
	}
	if _, err := Loop(path, LoopOptions{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
}

func attached(path string) bool {
	all, _ := Attached()
	for _, d := range all {
		if d.File == path {
			return true
		}
	}
	return false
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("not %s in time", what)
}

func TestSectorSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	os.WriteFile(path, b, 0o600)
	l, err := Loop(path, LoopOptions{SectorSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Detach()
	if out := run(t, "blockdev", "--getss", l.Path()); strings.TrimSpace(out) != "4096" {
		t.Errorf("sectors of %s bytes", out)
	}
}
