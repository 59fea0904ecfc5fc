package check

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"vitrine/ntfsparse"
)

// TestLargerDevice checks volumes that end before their device does, whose end
// may hold an older volume's backup boot sector.
func TestLargerDevice(t *testing.T) {
	img := append(bytes.Clone(smallVolume()), make([]byte, 1<<20)...)
	rep := judged(t, img, Options{})
	sound(t, rep)
	if got := codes(rep, Info); len(got) == 0 || got[0] != "B4" {
		t.Errorf("%v", got)
	}
	old := img[len(img)-512:]
	copy(old, img[:512])
	u64(old, 40, uint64(len(img)/512-1))
	sound(t, judged(t, img, Options{}))
}

func TestOtherFileSystems(t *testing.T) {
	for _, name := range []string{"-FVE-FS-", "ReFS\x00\x00\x00\x00", "EXFAT   ", "MSDOS5.0", "\x00\x00\x00\x00"} {
		for _, size := range []int{512, 513, 1 << 20} {
			b := make([]byte, size)
			copy(b[3:], name)
			rep := judged(t, b, Options{})
			if rep.Worst != Fatal || len(rep.Findings) != 1 || rep.Findings[0].Code != "B8" {
				t.Errorf("%q, %d bytes: %+v", name, size, rep.Findings)
			}
		}
	}
	for _, size := range []int{0, 1, 511} {
		if rep := judged(t, make([]byte, size), Options{}); rep.Worst != Fatal || rep.Findings[0].Code != "B8" {
			t.Errorf("%d bytes: %s", size, rep.Summary)
		}
	}
}

// TestNoBootSector: a volume that lost both its boot sectors is none the less a
// damaged NTFS volume.
func TestNoBootSector(t *testing.T) {
	img := bytes.Clone(smallVolume())
	clear(img[:512])
	clear(img[len(img)-512:])
	rep := judged(t, img, Options{})
	if got := codes(rep, Fatal); len(got) < 2 || got[0] != "B1" || got[1] != "B2" {
		t.Errorf("%v", got)
	}
}

// TestBackupDiffers: a byte that only one of the boot sectors has so is a remark.
func TestBackupDiffers(t *testing.T) {
	img := bytes.Clone(smallVolume())
	for _, sector := range [][]byte{img[:512], img[len(img)-512:]} {
		for _, at := range []int{0, 24, 36, 65, 80, 200, 509} {
			sector[at] ^= 0xFF
			if rep := judged(t, img, Options{}); !slices.Equal(codes(rep, Info), []string{"B6"}) || rep.Worst != Info {
				t.Errorf("byte %d: %v", at, codes(rep, Info))
			}
			sector[at] ^= 0xFF
		}
	}
}

// TestCutShort: of an image that ends too early, each file that cannot be read is named.
func TestCutShort(t *testing.T) {
	img := unzipped("../testdata/used.img.gz")
	told := 0
	for cut := len(img) / 32; cut < len(img); cut += len(img) / 32 &^ 511 {
		rep := judged(t, img[:cut], Options{})
		readAll(img[:cut], func(no uint64, err error) bool {
			named := slices.ContainsFunc(rep.Findings, func(f Finding) bool { return f.Record == no && f.Severity == Error })
			if told++; !named && !errors.Is(err, ntfsparse.ErrNotCaptured) {
				t.Errorf("%d of %d bytes: record %d, %v: %v", cut, len(img), no, err, codes(rep, Info))
			}
			return true
		})
	}
	if told == 0 {
		t.Error("all could be read")
	}
}
