package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSystem builds /sys and /proc of a machine: sda with two partitions, an
// LVM volume on sda2 with the root, sdb under md0, sdc swapped to.
func fakeSystem(t *testing.T) system {
	s := system{filepath.Join(t.TempDir(), "sys"), t.TempDir(), "/dev"}
	dev := func(num, dir string, files ...string) {
		full := filepath.Join(s.sys, "devices", dir)
		os.MkdirAll(full, 0o700)
		os.WriteFile(filepath.Join(full, "dev"), []byte(num+"\n"), 0o600)
		for i := 0; i < len(files); i += 2 {
			os.MkdirAll(filepath.Dir(filepath.Join(full, files[i])), 0o700)
			os.WriteFile(filepath.Join(full, files[i]), []byte(files[i+1]+"\n"), 0o600)
		}
		link := filepath.Join(s.sys, "dev/block", num)
		os.MkdirAll(filepath.Dir(link), 0o700)
		os.Symlink(full, link)
	}
	hold := func(lower, upper string) {
		for _, l := range [][3]string{{lower, "holders", upper}, {upper, "slaves", lower}} {
			dir := filepath.Join(s.sys, "devices", l[0], l[1])
			os.MkdirAll(dir, 0o700)
			os.Symlink(filepath.Join(s.sys, "devices", l[2]), filepath.Join(dir, filepath.Base(l[2])))
		}
	}
	dev("8:0", "sda", "size", "1000", "ro", "0", "device/vendor", "ATA ", "device/model", "Disk  ", "device/serial", "S123")
	dev("8:1", "sda/sda1", "partition", "1", "start", "8", "size", "92")
	dev("8:2", "sda/sda2", "partition", "2", "start", "100", "size", "900")
	dev("8:16", "sdb")
	dev("8:32", "sdc", "ro", "1")
	dev("253:0", "dm-0", "dm/name", "vg-root")
	dev("9:0", "md0")
	hold("sda/sda2", "dm-0")
	hold("sdb", "md0")
	os.MkdirAll(filepath.Join(s.proc, "self"), 0o700)
	os.WriteFile(filepath.Join(s.proc, "self/mountinfo"), []byte(
		"21 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n"+
			"22 1 8:1 / /boot\\040loader ro,nosuid shared:1 - vfat /dev/sda1 ro,fmask=0022\n"), 0o600)
	return s
}

func TestUsers(t *testing.T) {
	s := fakeSystem(t)
	for _, c := range []struct {
		dev, why string
		rw       bool
	}{
		{"8:0", "/dev/mapper/vg-root is mounted on /", true},
		{"8:1", "is mounted on /boot loader (read-only)", false},
		{"8:2", "/dev/mapper/vg-root is mounted on /", true},
		{"8:16", "is part of /dev/md0", true},
		{"8:32", "", false},
	} {
		d, _ := parseDev(c.dev)
		if why, rw := s.inUse(d); why != c.why || rw != c.rw {
			t.Errorf("%s: %q, %v, want %q, %v", c.dev, why, rw, c.why, c.rw)
		}
	}
}

func TestBelow(t *testing.T) {
	s := fakeSystem(t)
	var names []string
	for _, d := range s.below(devNum{253, 0}) {
		names = append(names, s.node(d))
	}
	if got := strings.Join(names, " "); got != "/dev/mapper/vg-root /dev/sda2 /dev/sda" {
		t.Error(got)
	}
}

func TestDescribe(t *testing.T) {
	s := fakeSystem(t)
	if model, serial := s.describe(devNum{8, 2}); model != "ATA Disk" || serial != "S123" {
		t.Errorf("%q, %q", model, serial)
	}
}
