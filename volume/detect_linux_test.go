package volume

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// blkid gives one of blkid's words about a volume, "" when it has none.
func blkid(t *testing.T, path, tag string) string {
	t.Helper()
	if _, err := exec.LookPath("blkid"); err != nil {
		t.Fatal("this test needs the program blkid")
	}
	out, _ := exec.Command("blkid", "-p", "-o", "value", "-s", tag, path).Output() // fails where there is no such tag
	return strings.TrimRight(string(out), "\n")
}

func detectFile(t *testing.T, path string) FSInfo {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, _ := f.Seek(0, 2)
	return Detect(f, size)
}

type mkfs struct {
	kind    string
	size    int64
	cluster int64
	cmd     []string
}

func (c mkfs) run(t *testing.T) {
	img := blank(t, c.size)
	tool(t, "", c.cmd[0], append(c.cmd[1:], img)...)
	got := detectFile(t, img)
	if got.Kind != c.kind || got.Cluster != c.cluster {
		t.Errorf("kind %q, cluster %d, want %q, %d", got.Kind, got.Cluster, c.kind, c.cluster)
	}
	if label, id := blkid(t, img, "LABEL"), blkid(t, img, "UUID"); got.Label != label || got.ID != id {
		t.Errorf("label %q, id %q; blkid says %q, %q", got.Label, got.ID, label, id)
	}
}

func TestDetectAgreesWithBlkid(t *testing.T) {
	for _, c := range []mkfs{
		{"ntfs", 20 << 20, 4096, []string{"mkntfs", "-qFf", "-L", "Däten 数据"}},
		{"ntfs", 20 << 20, 512, []string{"mkntfs", "-qFf", "-c", "512"}},
		{"ntfs", 2 << 30, 2 << 20, []string{"mkntfs", "-qFf", "-c", "2097152", "-L", "big"}},
		{"fat12", 2 << 20, 2048, []string{"mkfs.vfat", "-n", "SMALL"}},
		{"fat16", 32 << 20, 2048, []string{"mkfs.vfat", "-F", "16", "-s", "4"}},
		{"fat32", 512 << 20, 4096, []string{"mkfs.vfat", "-F", "32", "-n", "EFI SYS"}},
		{"fat32", 512 << 20, 4096, []string{"mkfs.vfat", "-F", "32", "-S", "4096", "-s", "1"}},
		{"exfat", 64 << 20, 4096, []string{"mkfs.exfat", "-L", "Stick ü"}},
		{"ext2", 16 << 20, 1024, []string{"mkfs.ext2", "-qF", "-L", "two"}},
		{"ext3", 16 << 20, 1024, []string{"mkfs.ext3", "-qF"}},
		{"ext4", 64 << 20, 4096, []string{"mkfs.ext4", "-qF", "-b", "4096", "-L", "four"}},
		{"xfs", 512 << 20, 4096, []string{"mkfs.xfs", "-qf", "-L", "ex"}},
		{"btrfs", 256 << 20, 4096, []string{"mkfs.btrfs", "-qf", "-L", "butter"}},
		{"swap", 16 << 20, 4096, []string{"mkswap", "-L", "swp"}},
	} {
		t.Run(strings.Join(c.cmd, " "), c.run)
	}
}

// The headers of 21 real BitLocker volumes, Vista to Windows 11 and To Go.
func TestDetectBitLocker(t *testing.T) {
	path := filepath.Join(samples(t), "bitlocker", "cryptsetup-bitlk-images.tar.xz")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the samples are not here: %v", err)
	}
	raw, err := exec.Command("xz", "-dc", path).Output()
	if err != nil {
		t.Fatalf("this test needs the program xz: %v", err)
	}
	seen := 0
	for tr := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(h.Name, ".img") {
			continue
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if info := Detect(bytes.NewReader(b), int64(len(b))); info.Kind != "bitlocker" {
			t.Errorf("%s: recognised as %q", h.Name, info.Kind)
		}
		if _, err := OpenFS(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrLocked) || !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: opened: %v", h.Name, err)
		}
		if l, err := ReadLayout(bytes.NewReader(b), int64(len(b)), 0); err != nil || l.Table != TableNone {
			t.Errorf("%s: %+v, %v", h.Name, l, err)
		}
	}
	if seen == 0 {
		t.Error("no images in the archive")
	}
}

// samples is the folder of volumes that others made.
func samples(t *testing.T) string {
	if dir := os.Getenv("VITRINE_SAMPLES"); dir != "" {
		return dir
	}
	wd, _ := os.Getwd()
	return filepath.Join(wd, "..", "..", "shared", "samples")
}

func TestOpenUnsupported(t *testing.T) {
	img := blank(t, 16<<20)
	tool(t, "", "mkfs.ext4", "-qF", img)
	f, _ := os.Open(img)
	defer f.Close()
	for _, c := range []struct {
		size int64
		want string
	}{{16 << 20, "ext4: not supported"}, {512, "no file system recognised: not supported"}} {
		_, err := OpenFS(f, c.size)
		_, uerr := OpenUsed(f, c.size)
		if err == nil || err.Error() != c.want || uerr == nil || uerr.Error() != c.want || !errors.Is(err, ErrUnsupported) {
			t.Errorf("got %v, %v, want %q", err, uerr, c.want)
		}
	}
}
