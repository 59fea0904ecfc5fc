package check

import (
	"bytes"
	"testing"
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
	for name, want := range map[string]string{"-FVE-FS-": "B8", "ReFS\x00\x00\x00\x00": "B8", "EXFAT   ": "B8", "MSDOS5.0": "B2", "\x00\x00\x00\x00": "B1"} {
		b := make([]byte, 1<<20)
		copy(b[3:], name)
		rep := judged(t, b, Options{})
		if rep.Worst != Fatal || rep.Findings[0].Severity != Fatal || !bytes.Contains([]byte(want), []byte(rep.Findings[0].Code)) && want != "B2" {
			t.Errorf("%q: %+v", name, rep.Findings)
		}
	}
	for _, size := range []int{0, 1, 511, 512, 513} {
		if rep := judged(t, make([]byte, size), Options{}); rep.Worst != Fatal {
			t.Errorf("%d bytes: %s", size, rep.Summary)
		}
	}
}
