//go:build long

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bootSector prints a text to the first serial port and stops.
//
//	xor ax, ax; mov ds, ax; mov si, 7c00h+text; mov dx, 3f8h
//	next: lodsb; test al, al; jz stop; out dx, al; jmp next
//	stop: hlt; jmp stop
func bootSector(text string) []byte {
	const at = 0x20
	code := []byte{
		0x31, 0xc0, 0x8e, 0xd8, 0xfc, 0xbe, at, 0x7c, 0xba, 0xf8, 0x03,
		0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8,
		0xf4, 0xeb, 0xfd,
	}
	b := make([]byte, 440)
	copy(b, code)
	copy(b[at:], text+"\r\n")
	return b
}

// TestBoot boots points of a chain by their BIOS boot code.
func TestBoot(t *testing.T) {
	dir, images := t.TempDir(), t.TempDir()
	img := filepath.Join(dir, "disk.img")
	os.WriteFile(img, nil, 0o600)
	os.Truncate(img, 32<<20)
	sh(t, "sh", "-c", `printf 'label: dos\nsize=16MiB, type=83, bootable\n' | sfdisk -q `+img)
	marks := []string{"POINT ZERO IS UP", "POINT ONE IS UP", "POINT TWO IS UP"}
	for i, m := range marks {
		patchAt(t, img, bootSector(m), 0)
		args := []string{"capture", img, "-o", images}
		if i > 0 {
			args = append(args, "--onto", images)
		}
		vitrine(t, args...)
	}
	before := sums(t, images)
	for i, point := range []string{"@0", "@1", ""} {
		m := marks[min(i, 2)]
		serial, shot := filepath.Join(dir, "serial"+point), filepath.Join(dir, "shot.png")
		vitrine(t, "boot", images+point, "--emulate", "--no-window", "--memory", "64M", "--serial", serial, "--screenshot", shot, "--after", "10s")
		if out, _ := os.ReadFile(serial); !strings.Contains(string(out), m) {
			t.Errorf("%s: the serial port said %q", point, out)
		}
		if b, _ := os.ReadFile(shot); !bytes.HasPrefix(b, []byte("\x89PNG")) {
			t.Errorf("%s: no screenshot", point)
		}
	}
	checkSums(t, images, before)
	t.Run("uefi", func(t *testing.T) { bootUEFI(t) })
}

// bootUEFI boots a disk with an EFI system partition into the firmware's shell,
// which runs startup.nsh from it.
func bootUEFI(t *testing.T) {
	images, img := t.TempDir(), threeSystems(t)
	vitrine(t, "capture", img, "-o", images, "--all-sectors")
	before := sums(t, images)
	serial := filepath.Join(t.TempDir(), "serial")
	vitrine(t, "boot", images, "--emulate", "--no-window", "--memory", "256M", "--serial", serial, "--after", "25s")
	if out, _ := os.ReadFile(serial); !strings.Contains(string(out), "BdsDxe") {
		t.Errorf("the serial port said %q", out)
	}
	checkSums(t, images, before)
}
