package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/volume"
)

// TestCopyListsAgain: a folder whose listing gave an error is listed once more, and
// what it left out before is copied, and nothing else twice.
func TestCopyListsAgain(t *testing.T) {
	f := newFakeFS()
	for _, name := range []string{"a", "b", "c"} {
		d := f.dir(f.root(), name)
		f.file(d, "one", "1")
		f.file(f.dir(d, "sub"), "two", "2")
		f.file(d, "three", "3")
		d.hides = 2
	}
	f.root().hides = 1
	dir := filepath.Join(t.TempDir(), "out")
	errs, err := copyFake(t, f, "/", dir, cpOptions{})
	if code(err) != exitIncomplete || strings.Count(errs, "problem:") != 4 || strings.Contains(errs, "in the way") {
		t.Errorf("%v\n%s", err, errs)
	}
	for _, name := range []string{"a", "b", "c"} {
		wantFile(t, filepath.Join(dir, name, "one"), "1")
		wantFile(t, filepath.Join(dir, name, "sub", "two"), "2")
		wantFile(t, filepath.Join(dir, name, "three"), "3")
	}
}

// TestCopyOfDamagedRoot: that the root cannot be read whole is no reason to copy
// nothing into a folder that exists.
func TestCopyOfDamagedRoot(t *testing.T) {
	f := newFakeFS()
	f.file(f.root(), "one", "1")
	f.file(f.root(), "two", "2")
	f.root().hides = 1
	dir := t.TempDir()
	if errs, err := copyFake(t, f, "/", dir, cpOptions{}); err != nil {
		t.Errorf("%v\n%s", err, errs)
	}
	wantFile(t, filepath.Join(dir, "two"), "2")
}

// TestCopyOfDamagedFolder: what may have been a link is copied as a folder, and told.
func TestCopyOfDamagedFolder(t *testing.T) {
	f := newFakeFS()
	d := f.dir(f.root(), "d")
	f.file(d, "one", "1")
	d.attr.Damage, d.attr.NoSize = volume.ErrCorrupt, true
	dir := t.TempDir()
	errs, err := copyFake(t, f, "/", dir, cpOptions{})
	if code(err) != exitIncomplete || !strings.Contains(errs, "/d: copied as the folder") {
		t.Errorf("%v\n%s", err, errs)
	}
	wantFile(t, filepath.Join(dir, "d", "one"), "1")
}

// TestCopyLost: what no folder leads to is copied into its place, once, whatever the
// order in which it is found; a name that is taken is not taken away.
func TestCopyLost(t *testing.T) {
	f := &lostFS{fakeFS: newFakeFS()}
	file := func(data string) *fakeNode {
		n := f.add(volume.File)
		n.data, n.attr.Size = []byte(data), int64(len(data))
		return n
	}
	d := f.dir(f.root(), "d")
	listed := f.file(d, "x.txt", "listed")
	deep := f.add(volume.Dir)
	f.file(deep, "in", "in a lost folder")
	deeper := f.add(volume.Dir)
	several := f.file(d, "name 1", "of two names")
	several.attr.Links = 2
	f.lost = []lostEntry{
		{deeper.attr.ID, "deepest", file("deepest")},
		{deep.attr.ID, "deeper", deeper},
		{d.attr.ID, "lost", file("lost")},
		{d.attr.ID, "X.txt", file("lost x")},
		{d.attr.ID, "LOST", file("lost too")},
		{f.Root(), "x.txt", listed},       // the same one again
		{d.attr.ID, "other name", listed}, // its own; the folder gives it another
		{d.attr.ID, "name 2", several},
		{f.Root(), "top", file("top")},
		{f.Root(), "deep", deep},
	}
	for _, o := range []cpOptions{{}, {overwrite: true}, {skipExisting: true}} {
		dir := t.TempDir()
		errs, err := copyFake(t, f, "/", dir, o)
		if code(err) != exitIncomplete || strings.Count(errs, "problem:") != 2 {
			t.Errorf("%+v: %v\n%s", o, err, errs)
		}
		x, lost := f.lost[3].node.attr.ID, f.lost[4].node.attr.ID
		want := map[string]string{
			"top": "top", "d/x.txt": "listed", "d/lost": "lost", "d/name 1": "of two names", "d/name 2": "of two names", "d/other name": "listed",
			"d/" + lostAs("X", x) + ".txt": "lost x", "d/" + lostAs("LOST", lost): "lost too",
			"deep/in": "in a lost folder", "deep/deeper/deepest": "deepest",
		}
		for name, data := range want {
			wantFile(t, filepath.Join(dir, filepath.FromSlash(name)), data)
		}
		n := 0
		filepath.WalkDir(dir, func(_ string, e os.DirEntry, _ error) error {
			if !e.IsDir() {
				n++
			}
			return nil
		})
		if n != len(want) {
			t.Errorf("%+v: %d files, want %d", o, n, len(want))
		}
	}
	f.lost = []lostEntry{{999, "nowhere", file("")}}
	if errs, err := copyFake(t, f, "/", t.TempDir(), cpOptions{}); code(err) != exitIncomplete || !strings.Contains(errs, "not copied: 1") {
		t.Errorf("%v\n%s", err, errs)
	}
}
