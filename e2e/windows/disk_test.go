package windows

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/wine"
)

const diskDriver = `C:\windows\system32\drivers\vitrinedisk.sys`

// install puts a disk of some bytes into the machine, by the driver in
// testdata/disk, and gives what it was asked since the last call.
func (d *desktop) install(t *testing.T, size int64) (asked func() []string) {
	t.Helper()
	must(t, os.WriteFile(d.Path(`C:\disk.img`), nil, 0o600))
	must(t, os.Truncate(d.Path(`C:\disk.img`), size))
	must(t, wine.BuildDriver(t.Context(), d.Path(diskDriver), "testdata/disk/disk.c"))
	d.run(t, "sc", "create", "vitrinedisk", "type=", "kernel", "start=", "demand", "binPath=", diskDriver)
	d.run(t, "sc", "start", "vitrinedisk")
	return func() []string {
		log := d.Path(`C:\disk.log`)
		b, err := os.ReadFile(log)
		must(t, err)
		must(t, os.Truncate(log, 0))
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

// A whole disk is restored with the system kept away from it: offline before the
// first write, its table written last, online after that. The disk refuses what is
// not whole sectors. What it then holds is what the Linux program restores, and a
// capture of it reads the same.
func TestDisk(t *testing.T) {
	image, raw := sampleImage(t)
	info, err := os.Stat(raw)
	must(t, err)
	d := newDesktop(t)
	asked := d.install(t, info.Size())
	must(t, os.CopyFS(d.Path(`C:\images`), os.DirFS(image)))
	want := filepath.Join(t.TempDir(), "linux.img")
	native(t, "restore", image, want, "--yes")

	d.vitrine(t, "restore", `C:\images`, `\\.\PhysicalDrive7`, "--yes")
	if sum(t, d.Path(`C:\disk.img`)) != sum(t, want) {
		t.Error("the disk is not what the Linux program restores")
	}
	log := asked()
	if log[0] != "attributes 1, for good 0" || !strings.HasPrefix(log[1], "write ") {
		t.Errorf("not offline before the first write: %q", log)
	}
	end := slices.IndexFunc(log, func(line string) bool { return line == "update" })
	table, others := 0, 0 // the last writes to the table's place and behind it
	for i, line := range log {
		var at, n int64
		if got, _ := fmt.Sscanf(line, "write %d %d", &at, &n); got == 2 && at == 0 {
			table = i
		} else if got == 2 && at >= 1<<20 {
			others = i
		}
	}
	if table < others || end < table || strings.Join(log[end:], "\n") != "update\nattributes 0, for good 0\nupdate\nlayout" {
		t.Errorf("the end is not the table, and then online: %q", log[max(0, others-3):])
	}

	// Free space is given back when asked for, and only that.
	d.vitrine(t, "restore", `C:\images`, `\\.\PhysicalDrive7`, "--yes", "--trim")
	var trimmed, written [][2]int64
	for _, line := range asked() {
		var r [2]int64
		if n, _ := fmt.Sscanf(line, "trim %d %d", &r[0], &r[1]); n == 2 {
			trimmed = append(trimmed, r)
		} else if n, _ := fmt.Sscanf(line, "write %d %d", &r[0], &r[1]); n == 2 && r[0] >= 1<<20 {
			written = append(written, r)
		}
	}
	for _, a := range trimmed {
		for _, b := range written {
			if a[0] < b[0]+b[1] && b[0] < a[0]+a[1] {
				t.Errorf("trimmed %v, written %v", a, b)
			}
		}
	}
	if len(trimmed) == 0 {
		t.Error("nothing was given back")
	}

	// One partition into its place; and the whole disk captured again.
	d.vitrine(t, "restore", `C:\images:2`, `\\.\PhysicalDrive7:2`, "--yes")
	d.vitrine(t, "capture", `\\.\PhysicalDrive7`, "-o", `C:\again`)
	again := filepath.Join(t.TempDir(), "again.img")
	native(t, "restore", d.Path(`C:\again`), again, "--yes")
	if sum(t, again) != sum(t, want) {
		t.Error("the disk was captured otherwise than it was restored")
	}

	// A disk that is unplugged ends the capture; it is not taken for bad sectors.
	must(t, os.WriteFile(d.Path(`C:\disk.gone`), nil, 0o600))
	if _, errs, code := d.try(t, "capture", `\\.\PhysicalDrive7`, "-o", `C:\gone`, "--all-sectors"); code != 1 || !strings.Contains(errs, "the source is gone") {
		t.Errorf("an unplugged disk: exit %d\n%s", code, errs)
	}
	for target, why := range map[string]string{`\\.\PhysicalDrive0`: "holds the running system", `C:`: "holds the running system"} {
		if _, errs, code := d.try(t, "restore", `C:\images`, target, "--yes"); code != 1 || !strings.Contains(errs, why) {
			t.Errorf("%s: exit %d\n%s", target, code, errs)
		}
	}
}
