package cli

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"vitrine/internal/bounds"
)

// TestDeepCopy: a copy of folders in each other holds no path of each, in its handles
// neither.
func TestDeepCopy(t *testing.T) {
	f := &deepFS{fakeFS: newFakeFS(), depth: 1500, files: 2, name: strings.Repeat("m", 250)}
	dir := t.TempDir()
	peak := bounds.Peak(heapLimit, func() {
		if errs, err := copyFake(t, f, "/", dir, cpOptions{noSync: true}); err != nil {
			t.Errorf("%v\n%.1000s", err, errs)
		}
	})
	if peak > walkMemory {
		t.Errorf("%d MiB", peak>>20)
	}
	if n := levelsBelow(t, dir, f.name); n != f.depth {
		t.Errorf("%d levels, want %d", n, f.depth)
	}
}

// TestCopyTooDeep: a folder that is not gone into is told.
func TestCopyTooDeep(t *testing.T) {
	var most unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &most); most.Max < maxDepth+1000 {
		t.Fatalf("this test needs %d open files, and the system allows %d: see ulimit -Hn", maxDepth+1000, most.Max)
	}
	f := &deepFS{fakeFS: newFakeFS(), depth: maxDepth + 10, name: "m"}
	dir := t.TempDir()
	errs, err := copyFake(t, f, "/", dir, cpOptions{noSync: true})
	if code(err) != exitIncomplete || strings.Count(errs, "problem: ") != 1 || !strings.Contains(errs, strings.Repeat("/m", maxDepth+1)+": more than 4096 folders in each other") {
		t.Errorf("%v\n%.1000s", err, errs)
	}
	if n := levelsBelow(t, dir, f.name); n != maxDepth+1 {
		t.Errorf("%d levels, want %d", n, maxDepth+1)
	}
}

// TestCopyDeepAgain: folders that are there already are gone through.
func TestCopyDeepAgain(t *testing.T) {
	f := &deepFS{fakeFS: newFakeFS(), depth: 300, name: "m"}
	dir := t.TempDir()
	for range 2 {
		if errs, err := copyFake(t, f, "/", dir, cpOptions{noSync: true}); err != nil {
			t.Errorf("%v\n%s", err, errs)
		}
	}
	f.files = 2
	if errs, err := copyFake(t, f, "/", dir, cpOptions{noSync: true}); err != nil {
		t.Errorf("%v\n%s", err, errs)
	}
	if _, err := copyFake(t, f, "/", dir, cpOptions{noSync: true}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("%v", err)
	}
}

// TestHandlesPaths: where handles hold the paths of their folders, there is a bound.
func TestHandlesPaths(t *testing.T) {
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	dir.Mkdir("m", 0o777)
	f := &folder{up: &folder{root: dir, names: heldNames - 1}, name: "m"}
	if err := f.open(); err == nil || !strings.Contains(err.Error(), "longer than 32.0 MiB together") {
		t.Errorf("%v", err)
	}
}

// levelsBelow counts dir and folders of one name in each other.
func levelsBelow(t *testing.T, dir, name string) int {
	at, err := os.OpenRoot(dir)
	n := 0
	for ; err == nil; n++ {
		next, deeper := openIn(at, name)
		at.Close()
		at, err = next, deeper
	}
	return n
}
