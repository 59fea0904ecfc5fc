//go:build long

package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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
}

const bootMiB = 48 // of the FAT partition with kernel and boot loader, at 1 MiB

// linuxDisk makes a disk with a small Linux in it: a boot partition with FAT and
// a root partition with ext4, which is returned too, for other markers.
func linuxDisk(t *testing.T, uefi bool) (img, root string) {
	t.Helper()
	dir := t.TempDir()
	img, root = filepath.Join(dir, "disk.img"), filepath.Join(dir, "root.img")
	boot := filepath.Join(dir, "boot.img")
	for p, mib := range map[string]int64{img: 96, root: 32, boot: bootMiB} {
		write(t, p, nil)
		os.Truncate(p, mib<<20)
	}
	table := `label: dos\nstart=2048, size=48MiB, type=c, bootable\nsize=32MiB, type=83\n`
	if uefi {
		table = `label: gpt\nstart=2048, size=48MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\nsize=32MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n`
	}
	sh(t, "sh", "-c", "printf '"+table+"' | sfdisk -q "+img)
	bootPartition(t, boot, uefi)
	rootFiles(t, root)
	copyInto(t, img, boot, 1<<20)
	if !uefi {
		code, err := os.ReadFile("/usr/lib/SYSLINUX/mbr.bin")
		if err != nil {
			t.Fatal(err)
		}
		patchAt(t, img, code, 0)
	}
	return img, root
}

func copyInto(t *testing.T, img, part string, off int64) {
	t.Helper()
	b, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	patchAt(t, img, b, off)
}

// bootPartition fills the FAT: kernel, initramfs, and systemd-boot or syslinux.
func bootPartition(t *testing.T, boot string, uefi bool) {
	t.Helper()
	kernel, _ := labKernel(t)
	first := guest{script: "root.sh", modules: []string{"ahci", "sd_mod", "crc32c_generic", "ext4"}}
	const line = "console=tty0 console=ttyS0 quiet panic=-1"
	sh(t, "mkfs.vfat", "-F", "16", "-h", "2048", boot)
	put := func(src, dst string) { sh(t, "mcopy", "-i", boot, src, "::"+dst) }
	text := func(s, dst string) {
		p := filepath.Join(t.TempDir(), "text")
		write(t, p, []byte(s))
		put(p, dst)
	}
	put(kernel, "/vmlinuz")
	put(first.initramfs(t), "/initrd.gz")
	if !uefi {
		text("DEFAULT l\nLABEL l\n KERNEL /vmlinuz\n APPEND initrd=/initrd.gz "+line+"\n", "/syslinux.cfg")
		sh(t, "syslinux", "--install", boot)
		return
	}
	sh(t, "mmd", "-i", boot, "::/EFI", "::/EFI/BOOT", "::/loader", "::/loader/entries")
	put(filepath.Join(labDir(t), "usr/lib/systemd/boot/efi/systemd-bootx64.efi"), "/EFI/BOOT/BOOTX64.EFI")
	text("timeout 0\ndefault l\n", "/loader/loader.conf")
	text("title l\nlinux /vmlinuz\ninitrd /initrd.gz\noptions "+line+"\n", "/loader/entries/l.conf")
}

// rootFiles fills the root file system.
func rootFiles(t *testing.T, root string) {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"bin", "sbin", "proc", "sys", "dev"} {
		os.Mkdir(filepath.Join(dir, d), 0o755)
	}
	sh(t, "cp", "/bin/busybox", filepath.Join(dir, "bin"))
	sh(t, "cp", "testdata/lab/booted.sh", filepath.Join(dir, "sbin/init"))
	os.Chmod(filepath.Join(dir, "sbin/init"), 0o755)
	data := random(rand.New(rand.NewPCG(5, 6)), 4<<20)
	write(t, filepath.Join(dir, "data"), data)
	write(t, filepath.Join(dir, "data.sum"), []byte(md5Of(data)+"\n"))
	sh(t, "mke2fs", "-q", "-F", "-t", "ext4", "-d", dir, root)
}

// captureAs captures the disk with a text in its root file system's /NAME.
func captureAs(t *testing.T, img, root, images, name, text string) {
	t.Helper()
	p := filepath.Join(t.TempDir(), "text")
	write(t, p, []byte(text+"\n"))
	sh(t, "debugfs", "-w", "-R", "rm /"+name, root)
	sh(t, "debugfs", "-w", "-R", "write "+p+" /"+name, root)
	copyInto(t, img, root, (1+bootMiB)<<20)
	args := []string{"capture", img, "-o", images}
	if m, _ := filepath.Glob(filepath.Join(images, "*.vtr")); len(m) > 0 {
		args = append(args, "--onto", images)
	}
	vitrine(t, args...)
}

// TestBootLinux boots a Linux from the images of its disk, to the words of its
// init, with the firmware that the disk needs.
func TestBootLinux(t *testing.T) {
	for name, uefi := range map[string]bool{"BIOS": false, "UEFI": true} {
		t.Run(name, func(t *testing.T) {
			img, root := linuxDisk(t, uefi)
			images := t.TempDir()
			for _, m := range []string{"POINT ZERO", "POINT ONE", "POINT TWO"} {
				captureAs(t, img, root, images, "marker", m)
			}
			before := sums(t, images)
			bootTo(t, images+"@1", "LAB POINT ONE is up: "+name+", data right, writing done")
			checkSums(t, images, before)
			captureAs(t, img, root, images, "stay", "on")
			before = sums(t, images)
			bootPicture(t, images)
			checkSums(t, images, before)
		})
	}
}

// bootTo boots until the system powers off, or for as long as it may take.
func bootTo(t *testing.T, point, want string) {
	t.Helper()
	serial := filepath.Join(t.TempDir(), "serial")
	vitrine(t, "boot", point, "--emulate", "--no-window", "--memory", "512M", "--serial", serial, "--after", "15m")
	if out, _ := os.ReadFile(serial); !strings.Contains(string(out), want) {
		t.Errorf("%s: the serial port said %q", point, out)
	}
}

// bootPicture boots a system that stays up and takes its picture, later and
// later until it is one of the system: machines may be busy.
// VITRINE_BOOT_PICTURES names a folder that keeps it, to be looked at.
func bootPicture(t *testing.T, point string) {
	t.Helper()
	dir := os.Getenv("VITRINE_BOOT_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	shot := filepath.Join(dir, filepath.Base(t.Name())+".png")
	serial := filepath.Join(t.TempDir(), "serial")
	for after := time.Minute; ; after *= 2 {
		vitrine(t, "boot", point, "--emulate", "--no-window", "--memory", "512M", "--serial", serial, "--screenshot", shot, "--after", after.String())
		out, _ := os.ReadFile(serial)
		if strings.Contains(string(out), " is up: ") {
			break
		}
		if after > 10*time.Minute {
			t.Fatalf("after %v the serial port had said %q", after, out)
		}
	}
	if b, _ := os.ReadFile(shot); !bytes.HasPrefix(b, []byte("\x89PNG")) {
		t.Error("no screenshot")
	}
}

// TestBootKilled kills the program without warning: qemu must end too.
func TestBootKilled(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // it leaves its folder behind
	img, images := filepath.Join(t.TempDir(), "disk.img"), t.TempDir()
	write(t, img, nil)
	os.Truncate(img, 32<<20)
	sh(t, "sh", "-c", `printf 'label: dos\nsize=16MiB, type=83, bootable\n' | sfdisk -q `+img)
	patchAt(t, img, bootSector("UP"), 0)
	vitrine(t, "capture", img, "-o", images)
	serial := filepath.Join(t.TempDir(), "serial")
	c := exec.Command(program, "boot", images, "--emulate", "--no-window", "--memory", "64M", "--serial", serial, "--after", "10m")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the disk boots", func() bool { b, _ := os.ReadFile(serial); return bytes.Contains(b, []byte("UP")) })
	child := strings.TrimSpace(sh(t, "pgrep", "-P", strconv.Itoa(c.Process.Pid)))
	c.Process.Kill()
	c.Wait()
	until(t, "qemu ends", func() bool { return !exists("/proc/" + child) })
}

// until waits for what takes its time on a busy machine.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it never came that ", what)
}
