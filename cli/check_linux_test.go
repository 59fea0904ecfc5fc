package cli

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
)

const (
	checkSector = 512
	checkPart   = 10 << 20 // each partition of checkDisk
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// partAt is where partition n of checkDisk begins.
func partAt(n int) int64 { return int64(n-1)*checkPart + 1<<20 }

// checkDisk is a disk with two NTFS volumes, 1 and 2, and partitions that hold
// none, five of them of the type of Windows' data.
func checkDisk(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	types := []string{"0700", "8300", "0700", "8200", "0C01", "0700", "0700", "0700", "8300"}
	must(t, os.WriteFile(disk, nil, 0o666))
	must(t, os.Truncate(disk, partAt(len(types)+1)+1<<20))
	var args []string
	for i, typ := range types {
		args = append(args, "-n", fmt.Sprintf("%d:%d:+%d", i+1, partAt(i+1)/checkSector, checkPart/checkSector), "-t", fmt.Sprintf("%d:%s", i+1, typ))
	}
	testvol.Run(t, "sgdisk", append(append([]string{"-a", "1"}, args...), disk)...)
	b, err := os.ReadFile(disk)
	must(t, err)
	volume := func(n int, program string, args ...string) {
		v := filepath.Join(dir, "volume")
		must(t, os.WriteFile(v, nil, 0o666))
		must(t, os.Truncate(v, checkPart))
		if program == "mkntfs" {
			testvol.Format(t, v, testvol.Options{})
		} else {
			testvol.Run(t, program, append(args, v)...)
		}
		x, err := os.ReadFile(v)
		must(t, err)
		copy(b[partAt(n):], x)
		must(t, os.Remove(v))
	}
	volume(1, "mkntfs")
	volume(2, "mkntfs")
	volume(3, "mkfs.ext4", "-q", "-F")
	volume(4, "mkswap")
	copy(b[partAt(7)+3:], "-FVE-FS-")
	// Partition 8 has noise and, as its last sector, the backup of an NTFS boot
	// sector, 9 old file records in noise, too.
	_, err = rand.Read(b[partAt(8):partAt(10)])
	must(t, err)
	copy(b[partAt(9)-checkSector:], b[partAt(1):][:checkSector])
	copy(b[partAt(9)+64<<10:], b[partAt(1)+4*4096:][:64<<10])
	return b
}

// checked runs the command and gives what it prints.
func checked(t *testing.T, args ...string) (code exitCode, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = exitCode(Main(append([]string{"check"}, args...), &Streams{In: strings.NewReader(""), Out: &o, Err: &e}))
	return code, o.String(), e.String()
}

const passedOver = "not checked: partition 3 holds ext4; partition 4 holds swap; " +
	"partition 5 holds nothing that is recognised; partition 6 holds nothing that is recognised; partition 7 is encrypted with BitLocker; " +
	"partition 8 holds nothing that is recognised, but traces of NTFS: ':8' behind the name has it checked all the same; " +
	"partition 9 holds nothing that is recognised, but traces of NTFS: ':9' behind the name has it checked all the same"

// TestCheckFindsDamagedBootSectors: that the boot sector of one of several
// partitions is damaged does not hide it; what is no NTFS is passed over and named.
func TestCheckFindsDamagedBootSectors(t *testing.T) {
	good := checkDisk(t)
	disk := filepath.Join(t.TempDir(), "disk")
	for name, damage := range map[string]func(b []byte){
		"sound":                func([]byte) {},
		"name spoiled":         func(b []byte) { b[6] = 'X' },
		"signature swapped":    func(b []byte) { b[510], b[511] = 0xaa, 0x55 },
		"sector of 500 bytes":  func(b []byte) { b[11], b[12] = 0xf4, 1 },
		"zero":                 func(b []byte) { clear(b[:512]) },
		"zero as far as 8 KiB": func(b []byte) { clear(b[:8192]) },
		"noise":                func(b []byte) { rand.Read(b[:512]) },
		"no backup":            func(b []byte) { b[11] = 7; clear(b[checkPart-512 : checkPart]) },
	} {
		b := bytes.Clone(good)
		damage(b[partAt(2):])
		must(t, os.WriteFile(disk, b, 0o666))
		want := exitDamage
		if name == "sound" {
			want = exitDone
		}
		code, out, errs := checked(t, "--device", disk)
		if code != want || strings.Contains(out, "partition 2: The file system is sound") != (want == exitDone) ||
			strings.Count(out, "partition") != 2 || !strings.Contains(errs, passedOver) {
			t.Errorf("%s: %d\n%s%s", name, code, out, errs)
		}
	}
	clear(good[partAt(2):][:512])
	must(t, os.WriteFile(disk, good, 0o666))
	code, out, errs := checked(t, "--device", disk, "--json")
	if code != exitDamage || strings.Count(out, `"type":"unchecked"`) != 7 || strings.Count(out, `"type":"checked"`) != 2 ||
		!strings.Contains(out, `"partition":3,"fs":"ext4","reason":"holds ext4"`) || strings.Contains(errs, "not checked") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	for n, want := range map[int]exitCode{3: exitFailed, 6: exitFailed, 7: exitFailed, 8: exitDamage} {
		if code, out, errs := checked(t, "--device", fmt.Sprintf("%s:%d", disk, n)); code != want || strings.Contains(errs, "not checked") {
			t.Errorf("partition %d: %d\n%s%s", n, code, out, errs)
		}
	}
}

// TestCheckCapturedBootSectors: the same in an image, of which a file may be
// missing: damage counts more, and both are told.
func TestCheckCapturedBootSectors(t *testing.T) {
	b := checkDisk(t)
	clear(b[partAt(2):][:512])
	dir := t.TempDir()
	disk, images := filepath.Join(dir, "disk"), filepath.Join(dir, "images")
	must(t, os.WriteFile(disk, b, 0o666))
	quiet := &Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	if code := Main([]string{"capture", disk, "-o", images, "--split", "1M", "--level", "none", "--partition", "1,2,3,9"}, quiet); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	code, out, errs := checked(t, images)
	if code != exitDamage || strings.Count(out, "partition") != 2 || !strings.Contains(out, "B2") ||
		!strings.Contains(errs, "partition 4 was not selected when the image was made") || !strings.Contains(errs, "partition 9 holds nothing that is recognised, but") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if code, out, errs = checked(t, images+":4"); code != exitIncomplete || !strings.Contains(errs, "not selected") || out != "" {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	code, out, errs = checked(t, filepath.Join(dir, "none"), images)
	if code != exitDamage || !strings.Contains(out, "B2") || !strings.Contains(errs, "note: ") || !strings.Contains(errs, "none") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}

	// Partition 9 is noise, which is stored as it is.
	parts, err := filepath.Glob(filepath.Join(images, "*"))
	must(t, err)
	start, gone := b[partAt(9)+900<<10:][:4096], 0
	for _, p := range parts {
		x, err := os.ReadFile(p)
		must(t, err)
		if bytes.Contains(x, start) {
			must(t, os.Remove(p))
			gone++
		}
	}
	code, out, errs = checked(t, images)
	if gone != 1 || code != exitDamage || !strings.Contains(out, "B2") || !strings.Contains(errs, "note: partition 9: ") || !strings.Contains(errs, "missing") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if code, out, errs = checked(t, images+":9"); code != exitMissing {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}
