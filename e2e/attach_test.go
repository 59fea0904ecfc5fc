package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// threeSystems makes a GPT disk with NTFS ("a file"), ext4 ("another") and FAT
// ("third").
func threeSystems(t *testing.T) (img string) {
	t.Helper()
	dir := t.TempDir()
	img = filepath.Join(dir, "disk.img")
	os.WriteFile(img, nil, 0o600)
	os.Truncate(img, 128<<20)
	sh(t, "sh", "-c", `printf 'label: gpt\nstart=2048, size=40MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\nsize=40MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\nsize=40MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n' | sfdisk -q `+img)
	part := func(n int) string {
		p := filepath.Join(dir, strconv.Itoa(n))
		os.WriteFile(p, nil, 0o600)
		os.Truncate(p, 40<<20)
		return p
	}
	a, b, c := threeFiles()
	ntfs, ext, fat := part(1), part(2), part(3)
	sh(t, "mkntfs", "-F", "-Q", "-q", "-p", "2048", ntfs)
	ntfs3g(t, ntfs, "rw,noatime", func(dir string) { write(t, filepath.Join(dir, "a file"), a) })
	files := filepath.Join(dir, "files")
	os.Mkdir(files, 0o755)
	write(t, filepath.Join(files, "another"), b)
	sh(t, "mke2fs", "-q", "-F", "-t", "ext4", "-d", files, ext)
	sh(t, "mkfs.vfat", fat)
	write(t, filepath.Join(dir, "third"), c)
	sh(t, "mcopy", "-i", fat, filepath.Join(dir, "third"), "::third")
	for i, p := range []string{ntfs, ext, fat} {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		patchAt(t, img, b, 1<<20+int64(i)*40<<20)
	}
	return img
}

// threeFiles are the contents of the files of threeSystems.
func threeFiles() (ntfs, ext, fat []byte) {
	r := rand.New(rand.NewPCG(3, 4))
	return random(r, 3<<20), random(r, 2<<20), random(r, 1<<20)
}

// attached is what attach --json tells.
type attached struct {
	Device     string
	Partitions []string
	PID        int
}

func attachDisk(t *testing.T, args ...string) (a attached) {
	t.Helper()
	if err := json.Unmarshal([]byte(vitrine(t, append([]string{"attach", "--json"}, args...)...)), &a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // when the test failed
		if strings.Contains(vitrine(t, "mounts"), a.Device) {
			vitrine(t, "detach", a.Device)
		}
	})
	return a
}

// TestAttach has the system's own tools work on attached disks.
func TestAttach(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	img, images := threeSystems(t), t.TempDir()
	vitrine(t, "capture", img, "-o", images, "--all-sectors")
	before := sums(t, images)
	t.Run("read-only", func(t *testing.T) { attachReadOnly(t, img, images) })
	t.Run("overlay", func(t *testing.T) { attachOverlay(t, images) })
	t.Run("partition", func(t *testing.T) {
		dev := strings.TrimSpace(vitrine(t, "attach", images+":2"))
		sh(t, "fsck.ext4", "-f", "-n", dev)
		if out := vitrine(t, "detach", images, "--json"); !strings.HasPrefix(out, `{"type":"detached","schema":1,"device":"/dev/`) {
			t.Errorf("detach --json: %s", out)
		}
	})
	t.Run("kill", func(t *testing.T) { attachKill(t, images) })
	checkSums(t, images, before)
}

func checkSums(t *testing.T, images string, before map[string][32]byte) {
	t.Helper()
	after := sums(t, images)
	if len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	}
	for p, s := range before {
		if after[p] != s {
			t.Errorf("%s has changed", p)
		}
	}
}

func attachReadOnly(t *testing.T, img, images string) {
	a := attachDisk(t, images)
	if len(a.Partitions) != 3 {
		t.Fatalf("%+v", a)
	}
	sh(t, "cmp", img, a.Device)
	sh(t, "ntfsfix", "-n", a.Partitions[0])
	sh(t, "fsck.ext4", "-f", "-n", a.Partitions[1])
	sh(t, "fsck.vfat", "-n", a.Partitions[2])
	if out := sh(t, "fls", a.Partitions[0]); !strings.Contains(out, "a file") {
		t.Errorf("fls: %s", out)
	}
	if out := sh(t, "blockdev", "--getro", a.Device); strings.TrimSpace(out) != "1" {
		t.Errorf("not write-protected: %s", out)
	}
	if list := vitrine(t, "mounts"); !strings.Contains(list, a.Device) {
		t.Errorf("not listed: %s", list)
	}
	ntfs3g(t, a.Partitions[0], "ro", func(dir string) {
		if info, err := os.Stat(filepath.Join(dir, "a file")); err != nil || info.Size() != 3<<20 {
			t.Error(info, err)
		}
		if _, errs, code := try("detach", a.Device); code != 1 || !strings.Contains(errs, "in use") {
			t.Errorf("detach while in use: %d %s", code, errs)
		}
	})
	vitrine(t, "detach", a.Device)
	gone(t, a)
	if _, _, code := try("detach", a.Device); code != 1 {
		t.Errorf("detached twice: %d", code)
	}
}

func attachOverlay(t *testing.T, images string) {
	a := attachDisk(t, images, "--overlay")
	sh(t, "ntfsfix", a.Partitions[0])
	ntfs3g(t, a.Partitions[0], "rw", func(dir string) {
		write(t, filepath.Join(dir, "new"), make([]byte, 1<<20))
	})
	sh(t, "ntfsfix", "-n", a.Partitions[0])
	sh(t, "fio", "--name=storm", "--filename="+a.Partitions[1], "--rw=randwrite", "--bs=4k", "--size=32m", "--direct=1",
		"--ioengine=libaio", "--iodepth=16", "--verify=crc32c", "--do_verify=1", "--verify_state_save=0", "--verify_fatal=1")
	sh(t, "mke2fs", "-q", "-F", "-t", "ext4", a.Partitions[1])
	sh(t, "fsck.ext4", "-f", "-n", a.Partitions[1])
	vitrine(t, "detach", a.Device)
	gone(t, a)
}

func attachKill(t *testing.T, images string) {
	a := attachDisk(t, images)
	if err := syscall.Kill(a.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, a)
}

// gone waits until nothing of an attached disk is left.
func gone(t *testing.T, a attached) {
	t.Helper()
	for range 250 {
		size, _ := os.ReadFile("/sys/block/" + filepath.Base(a.Device) + "/size")
		running := syscall.Kill(a.PID, 0) == nil && !zombie(a.PID)
		listed := strings.Contains(vitrine(t, "mounts"), a.Device)
		if empty := len(size) == 0 || strings.TrimSpace(string(size)) == "0"; empty && !running && !listed {
			mounts, _ := os.ReadFile("/proc/self/mountinfo")
			if strings.Contains(string(mounts), "vitrine-disk") {
				t.Error("a mount is left behind")
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%+v is still there", a)
}

func zombie(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return strings.Contains(string(b), ") Z ")
}

// TestRawFormats has qemu and libvhdi compare the virtual files of a mount with
// the disk.
func TestRawFormats(t *testing.T) {
	img, images, dir := threeSystems(t), t.TempDir(), t.TempDir()
	vitrine(t, "capture", img, "-o", images, "--all-sectors")
	vitrine(t, "mount", images, dir, "--raw", "--raw-formats", "--background")
	defer vitrine(t, "unmount", dir)
	sh(t, "qemu-img", "compare", "-U", "-f", "raw", "-F", "vpc", img, filepath.Join(dir, "disk.vhd"))
	sh(t, "qemu-img", "compare", "-U", "-f", "raw", "-F", "vmdk", img, filepath.Join(dir, "disk.vmdk"))
	sh(t, "cmp", img, filepath.Join(dir, "disk.raw"))
	if out := sh(t, "qemu-img", "info", "-U", filepath.Join(dir, "disk.vhd")); !strings.Contains(out, "128 MiB") {
		t.Error(out)
	}
	vhd := t.TempDir()
	sh(t, "vhdimount", filepath.Join(dir, "disk.vhd"), vhd)
	defer sh(t, "umount", vhd)
	sh(t, "cmp", img, filepath.Join(vhd, "vhdi1"))
}
