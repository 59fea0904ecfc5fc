package attach

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
)

// opened is a disk with one ext4 partition as a device.
func opened(t *testing.T) (dev blockdev.Device, before []byte) {
	t.Helper()
	path := image(t)
	f, err := blockdev.OpenFile(path, 512)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	before, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f, before
}

var table = []Partition{{1, 1 << 20, 16 << 20}}

// eachWay runs a test with both ways to attach, as far as this kernel has them;
// a guest of the long tests has both.
func eachWay(t *testing.T, test func(t *testing.T, attach func(blockdev.Device, DiskOptions) (*Disk, error))) {
	t.Run("file", func(t *testing.T) {
		test(t, func(dev blockdev.Device, o DiskOptions) (*Disk, error) { return attachFile(t.Context(), dev, &o) })
	})
	if _, err := os.Stat("/dev/nbd0"); err != nil {
		return
	}
	t.Run("nbd", func(t *testing.T) {
		test(t, func(dev blockdev.Device, o DiskOptions) (*Disk, error) {
			n, err := attachNBD(t.Context(), dev, &o)
			if err != nil {
				return nil, err
			}
			return &Disk{n, n.done}, nil
		})
	})
}

// TestAttach reads a write-protected disk and its partition.
func TestAttach(t *testing.T) { eachWay(t, testAttach) }

func testAttach(t *testing.T, attach func(blockdev.Device, DiskOptions) (*Disk, error)) {
	dev, before := opened(t)
	// Only what can be read: the file itself must not be taken for writable.
	d, err := attach(struct{ blockdev.Device }{dev}, DiskOptions{Name: "a/b@3", Partitions: table})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	if out := run(t, "blockdev", "--getro", d.Path()); strings.TrimSpace(out) != "1" {
		t.Errorf("getro: %s", out)
	}
	if !strings.HasPrefix(d.Path(), "/dev/loop") {
		t.Logf("it is %s", d.Path())
	} else if out := run(t, "losetup", "-n", "-O", "BACK-FILE", d.Path()); !strings.Contains(out, "a_b@3") {
		t.Errorf("losetup calls it %s", out)
	}
	if got, err := os.ReadFile(d.Path()); err != nil || !bytes.Equal(got, before) {
		t.Errorf("the device's contents differ: %v", err)
	}
	parts, err := d.Partitions()
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	run(t, "fsck.ext4", "-f", "-n", parts[0])
	if out, err := exec.Command("dd", "if=/dev/zero", "of="+d.Path(), "bs=4096", "count=1", "oflag=direct").CombinedOutput(); err == nil {
		t.Errorf("it can be written to: %s", out)
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if bytes.Contains(mounts, []byte("vitrine-disk")) {
		t.Error("the inner mount can be seen")
	}
	if err := d.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if attachedPath(d.Path()) {
		t.Error("still attached")
	}
}

func attachedPath(path string) bool {
	all, _ := Attached()
	for _, d := range all {
		if d.Path == path {
			return true
		}
	}
	return false
}

// TestAttachWritable uses a file system on an overlay, discards included.
func TestAttachWritable(t *testing.T) { eachWay(t, testAttachWritable) }

func testAttachWritable(t *testing.T, attach func(blockdev.Device, DiskOptions) (*Disk, error)) {
	dev, before := opened(t)
	ov, err := overlay.New(struct{ blockdev.Device }{dev}, overlay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ov.Close()
	d, err := attach(ov, DiskOptions{Partitions: table})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	parts, err := d.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run(t, "mount", "-o", "discard", parts[0], dir)
	data := bytes.Repeat([]byte("written "), 100_000)
	werr := os.WriteFile(dir+"/file", data, 0o600)
	err = d.Detach(t.Context())
	run(t, "fstrim", dir)
	run(t, "umount", dir)
	if !errors.Is(err, ErrBusy) || werr != nil {
		t.Fatal(err, werr)
	}
	run(t, "fsck.ext4", "-f", "-n", parts[0])
	run(t, "mount", "-o", "ro", parts[0], dir)
	got, err := os.ReadFile(dir + "/file")
	run(t, "umount", dir)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read back wrong: %v", err)
	}
	if err := d.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := make([]byte, dev.Size())
	if err := blockdev.ReadFull(t.Context(), dev, after, 0); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the disk below has changed: %v", err)
	}
}
