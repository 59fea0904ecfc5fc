package e2e

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// checkers are the programs that look at the three partitions of threeSystems.
var checkers = [3][][]string{
	{{"ntfsfix", "-n"}, {"ntfsresize", "--info", "--force"}, {"fsstat"}, {"fls", "-r", "-p"}},
	{{"fsck.ext4", "-f", "-n"}, {"fsstat"}, {"fls", "-r", "-p"}},
	{{"fsck.vfat", "-n", "-v"}, {"fsstat"}, {"fls", "-r", "-p"}},
}

// TestCheckers has the checkers of three file systems say of an attached disk
// what they say of the original, when it is sound and when it is damaged.
func TestCheckers(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	parts := partitionsOf(t, threeSystems(t))
	t.Run("sound", func(t *testing.T) {
		for _, v := range compareCheckers(t, parts) {
			if v.code != 0 {
				t.Errorf("%s found something: exit %d\n%s", v.name, v.code, v.said)
			}
		}
	})
	damageNTFS(t, parts[0])
	damageExt4(t, parts[1])
	damageFAT(t, parts[2])
	t.Run("damaged", func(t *testing.T) {
		found := map[string]bool{}
		for _, v := range compareCheckers(t, parts) {
			found[v.name] = found[v.name] || v.code != 0
		}
		for _, name := range []string{"ntfsfix", "ntfsresize", "fsck.ext4", "fsck.vfat"} {
			if !found[name] {
				t.Errorf("%s found nothing", name)
			}
		}
	})
}

// partitionsOf puts the partitions of threeSystems into files.
func partitionsOf(t *testing.T, img string) (parts [3]string) {
	t.Helper()
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range parts {
		at := 1<<20 + i*40<<20
		parts[i] = filepath.Join(dir, strconv.Itoa(i+1))
		write(t, parts[i], b[at:at+40<<20])
	}
	return parts
}

// verdict is what a checker said, the device's name left out.
type verdict struct {
	name, said string
	code       int
}

func verdictOf(checker []string, dev string) verdict {
	out, err := exec.Command(checker[0], append(checker[1:], dev)...).CombinedOutput()
	v := verdict{name: checker[0], said: strings.ReplaceAll(string(out), dev, "DEVICE")}
	if err != nil {
		v.code = 1
	}
	return v
}

// compareCheckers captures the partitions, attaches each, and has the checkers
// look at both; the original is write-protected as well.
func compareCheckers(t *testing.T, parts [3]string) (all []verdict) {
	t.Helper()
	for i, p := range parts {
		images := t.TempDir()
		vitrine(t, "capture", p, "-o", images)
		a := attachDisk(t, images)
		loop := strings.TrimSpace(sh(t, "losetup", "--find", "--show", "-r", p))
		t.Cleanup(func() { exec.Command("losetup", "-d", loop).Run() })
		for _, c := range checkers[i] {
			want, got := verdictOf(c, loop), verdictOf(c, a.Device)
			if got != want {
				t.Errorf("%s on the attached disk: exit %d\n%s\non the original: exit %d\n%s", c[0], got.code, got.said, want.code, want.said)
			}
			all = append(all, want)
		}
		vitrine(t, "detach", a.Device)
	}
	return all
}

// damageNTFS takes a file's record out of use, and harms the copy of the first
// records.
func damageNTFS(t *testing.T, p string) {
	t.Helper()
	boot := readAt(t, p, 0, 512)
	cluster := int64(binary.LittleEndian.Uint16(boot[11:])) * int64(boot[13])
	mft := int64(binary.LittleEndian.Uint64(boot[0x30:])) * cluster
	mirror := int64(binary.LittleEndian.Uint64(boot[0x38:])) * cluster
	const record, firstUser, flags = 1024, 64, 22
	patchAt(t, p, []byte{0, 0}, mft+firstUser*record+flags)
	patchAt(t, p, []byte("harmed"), mirror+record+100)
}

// damageExt4 clears a file's inode under its name, and frees blocks in use.
func damageExt4(t *testing.T, p string) {
	t.Helper()
	sh(t, "debugfs", "-w", "-R", "clri /another", p)
	sh(t, "debugfs", "-w", "-R", "freeb 100 20", p)
}

// damageFAT cuts a file's chain in one of the two tables.
func damageFAT(t *testing.T, p string) {
	t.Helper()
	boot := readAt(t, p, 0, 512)
	table := int64(binary.LittleEndian.Uint16(boot[14:])) * int64(binary.LittleEndian.Uint16(boot[11:]))
	patchAt(t, p, []byte{0, 0, 0, 0}, table+80)
}

func readAt(t *testing.T, p string, off int64, n int) []byte {
	t.Helper()
	f, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}
