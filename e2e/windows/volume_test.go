package windows

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A volume captured through \\.\X: and everything that is done with the image
// give what the Linux program gives.
func TestVolume(t *testing.T) {
	m := &shared
	dir := t.TempDir()
	source := filepath.Join(dir, "volume.img")
	files := newVolume(t, source)
	m.drive(t, 'x', source)

	images := filepath.Join(dir, "images")
	m.ok(t, nil, "capture", `\\.\X:`, "-o", at(images), "--verify")
	ours := filepath.Join(dir, "linux")
	native(t, "capture", source, "-o", ours)

	for _, args := range [][]string{{"ls", "-l"}, {"tree"}, {"find"}} {
		theirs := native(t, append(args, ours+":/")...)
		if got := m.ok(t, nil, append(args, at(images)+":/")...); got != theirs {
			t.Errorf("%s: got\n%s\nwant\n%s", args[0], got, theirs)
		}
	}
	m.ok(t, nil, "check", at(images))
	if got := m.ok(t, nil, "cat", "--device", `\\.\X:`, "/hello.txt"); got != "hello" {
		t.Errorf("from the volume itself: %q", got)
	}
	if list := m.ok(t, nil, "list", at(images)); !strings.Contains(list, "full") {
		t.Error(list)
	}
	m.ok(t, nil, "verify", at(images))
	native(t, "verify", images)

	copied := filepath.Join(dir, "copied")
	m.ok(t, nil, "cp", at(images)+":/", at(copied))
	if got := hashes(t, copied); !reflect.DeepEqual(got, files) {
		t.Errorf("cp: got %v, want %v", got, files)
	}

	theirs, back := filepath.Join(dir, "linux.img"), filepath.Join(dir, "back.img")
	native(t, "restore", ours, theirs, "--yes")
	must(t, os.WriteFile(back, nil, 0o600))
	must(t, os.Truncate(back, 48<<20))
	m.drive(t, 'y', back)
	m.ok(t, nil, "restore", at(images), `\\.\Y:`, "--yes")
	if sum(t, back) != sum(t, theirs) {
		t.Error("the restored volume differs from the one that the Linux program restores")
	}
	tool(t, "ntfsfix", "-n", back)
}

// An incremental made there is read here, and the other way round.
func TestChain(t *testing.T) {
	m := &shared
	dir := t.TempDir()
	source := filepath.Join(dir, "volume.img")
	newVolume(t, source)
	m.drive(t, 'x', source)
	images := filepath.Join(dir, "images")
	native(t, "capture", source, "-o", images)
	change(t, source, "one")
	m.ok(t, nil, "capture", `X:`, "-o", at(images), "--onto", at(images), "--other-source")
	change(t, source, "two")
	native(t, "capture", source, "-o", images, "--onto", images)
	for point, want := range map[string]string{"@1": "one", "@2": "two"} {
		if got := m.ok(t, nil, "cat", at(images)+point+":/changed.txt"); got != want {
			t.Errorf("%s: %q", point, got)
		}
		if got := native(t, "cat", images+point+":/changed.txt"); got != want {
			t.Errorf("%s on Linux: %q", point, got)
		}
	}
}

func change(t *testing.T, volume, text string) {
	t.Helper()
	mnt := t.TempDir()
	tool(t, "ntfs-3g", volume, mnt)
	defer tool(t, "umount", mnt)
	must(t, os.WriteFile(filepath.Join(mnt, "changed.txt"), []byte(text), 0o644))
}

// What cannot be a target is refused, and nothing is written.
func TestRefusedTargets(t *testing.T) {
	m := &shared
	dir := t.TempDir()
	source := filepath.Join(dir, "volume.img")
	newVolume(t, source)
	images := filepath.Join(dir, "images")
	native(t, "capture", source, "-o", images)
	for target, want := range map[string]string{
		`C:`:                 "holds the running system",
		`c:\`:                "holds the running system",
		`\\.\C:`:             "holds the running system",
		`Z:`:                 "holds the image file",
		`\\.\PhysicalDrive0`: "not known on which disk",
		`\\.\pipe\x`:         "neither a disk nor a plain file",
	} {
		r := m.run(t, nil, "restore", at(images), target, "--yes")
		if r.code == 0 || !strings.Contains(r.errs, want) || strings.Contains(r.errs, "::") {
			t.Errorf("%s: exit %d\n%s", target, r.code, r.errs)
		}
	}
}
