package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"vitrine/internal/bounds"
	"vitrine/volume"
)

// deepFS is a file system of folders in each other, each with files before and behind
// the next folder. All of it is made up when it is asked for.
type deepFS struct {
	*fakeFS
	depth int
	files int    // of each folder
	name  string // of each folder
}

// walkMemory is what a walk through folders may take, with the garbage it makes: the
// rest of the 128 MiB of a command is the reader's and its caches'.
const walkMemory = 80 << 20

func (f *deepFS) Attr(_ context.Context, id volume.ID) (volume.Attr, error) {
	a := volume.Attr{ID: id, Kind: volume.Dir, Links: 1, ModTime: fakeTime, AccessTime: fakeTime, ChangeTime: fakeTime, BirthTime: fakeTime}
	if int(id) > f.depth {
		a.Kind, a.Size = volume.File, 1
	}
	return a, nil
}

func (f *deepFS) ReadDir(ctx context.Context, dir volume.ID, after uint64, _ bool, yield func(*volume.Entry) bool) error {
	for i := int(after); i <= f.files; i++ {
		e := volume.Entry{Cookie: uint64(i + 1), Name: f.name, ID: dir + 1}
		switch half := f.files / 2; {
		case i < half:
			e.Name, e.ID = f.file(dir, "a", i)
		case i > half:
			e.Name, e.ID = f.file(dir, "z", i)
		case int(dir) == f.depth:
			continue
		}
		a, _ := f.Attr(ctx, e.ID)
		if e.Kind, e.Attr = a.Kind, &a; !yield(&e) {
			return nil
		}
	}
	return nil
}

func (f *deepFS) file(dir volume.ID, first string, i int) (string, volume.ID) {
	return fmt.Sprintf("%s%04d%s", first, i, strings.Repeat(" file", 40)), volume.ID(f.depth + int(dir)*(f.files+1) + i)
}

func (f *deepFS) Open(context.Context, volume.ID) (volume.OpenFile, error) {
	return &fakeFile{&fakeNode{}, []byte{'x'}}, nil
}

func (f *deepFS) top() found {
	a, _ := f.Attr(context.Background(), 1)
	return found{"/", "", a}
}

// lines counts those of an output, and keeps none.
type lines int

func (l *lines) Write(p []byte) (int, error) {
	*l += lines(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// TestDeepFolders: neither the paths of folders in each other nor their entries are
// held on each level, where a volume would dictate how much that is.
func TestDeepFolders(t *testing.T) {
	for _, f := range []*deepFS{
		{depth: maxLevels, name: strings.Repeat("\u4e00", 255)},
		{depth: maxLevels + 10, name: "m"},
		{depth: 3000, files: 100, name: "m"},
		{depth: 20, files: 3 * folderBatch, name: "m"},
	} {
		levels := min(f.depth, maxLevels)
		deep := min(1, f.depth-levels) // folders that are not gone into
		top := f.top()
		hurt := &tally{}
		for _, w := range []struct {
			name  string
			shown int
			walk  func(e *env) error
		}{
			{"find", levels * f.files, func(e *env) error {
				o := findOptions{kind: "f"}
				tests, _ := o.tests(time.Time{})
				s := searcher{e: e, o: &o, f: finder{fs: f}, tests: tests, hurt: hurt}
				return s.run(t.Context(), top)
			}},
			{"tree", levels*f.files + levels - 1 + deep, func(e *env) error {
				d := drawer{e: e, o: &treeOptions{}, f: finder{fs: f}, hurt: hurt, path: trail("/"), seen: map[volume.ID]bool{}}
				return d.below(t.Context(), volume.Dir, 1, 1)
			}},
			{"diff", 0, func(e *env) error {
				d := differ{e: e, a: newSide(finder{fs: f}, top), b: newSide(finder{fs: f}, top), hurt: hurt}
				return d.top(t.Context(), &top, &top)
			}},
		} {
			var out, errs lines
			var err error
			*hurt = tally{}
			peak := bounds.Peak(heapLimit, func() { err = w.walk(&env{Streams: &Streams{Out: &out, Err: &errs}}) })
			if err != nil || int(out) != w.shown || int(errs) != deep || hurt.count() != deep {
				t.Errorf("%s of %d levels: %v, %d lines, want %d, %d problems, want %d", w.name, f.depth, err, out, w.shown, errs, deep)
			}
			if peak > walkMemory {
				t.Errorf("%s of %d levels with %d files took %d MiB", w.name, f.depth, f.files, peak>>20)
			}
		}
	}
}

// TestDeepCount: the same of the bytes that a copy counts before.
func TestDeepCount(t *testing.T) {
	for _, f := range []*deepFS{{depth: 2 * maxDepth, files: 50, name: "m"}, {depth: 20, files: 3 * folderBatch, name: "m"}} {
		n := counter{seen: map[uint64]bool{}}
		top := f.top()
		peak := bounds.Peak(heapLimit, func() { n.add(t.Context(), finder{fs: f}, &top.attr, 0) })
		if want := int64(min(f.depth, maxDepth) * f.files); n.total != want || peak > walkMemory {
			t.Errorf("%d levels: %d, want %d; %d MiB", f.depth, n.total, want, peak>>20)
		}
	}
}

// TestCountStreams: the bytes of streams count where these are copied.
func TestCountStreams(t *testing.T) {
	f := newFakeFS()
	f.file(f.root(), "f", "123").streams = map[string][]byte{"s": make([]byte, 1000)}
	f.dir(f.root(), "d").streams = map[string][]byte{"s": make([]byte, 10)}
	for streams, want := range map[bool]int64{false: 3, true: 1013} {
		n := counter{seen: map[uint64]bool{}, streams: streams}
		if n.add(t.Context(), finder{fs: f}, &f.root().attr, 0); n.total != want {
			t.Errorf("%v: %d bytes", streams, n.total)
		}
	}
}

// TestLetGo: a list that was let go is given to its end all the same, each entry once, a
// name that is there twice, too.
func TestLetGo(t *testing.T) {
	f := newFakeFS()
	var want []string
	for _, name := range []string{"a", "B", "b", "b", "b", "C", "d"} {
		f.file(f.root(), name, "")
		want = append(want, name)
	}
	top := finder{fs: f}
	for _, every := range []int{1, 2, 3, 100} {
		var lists heldLists
		ordered := top.inOrder(t.Context(), &lists, f.Root(), nil, keepAll)
		batches := top.inBatches(&lists, f.Root(), nil)
		for i, name := range want {
			if e := ordered.next(); e == nil || e.Name != name {
				t.Fatalf("every %d: %v for entry %d, want %s", every, e, i, name)
			}
			if e := batches.next(t.Context()); e == nil || e.Cookie != uint64(i+1) {
				t.Fatalf("every %d: %v for entry %d of the batch", every, e, i)
			}
			if i%every == 0 {
				for range 2 {
					big := &heldList{}
					lists.enter(big)
					lists.hold(big, make([]volume.Entry, 2*heldEntries/256))
				}
				if ordered.entries != nil || batches.entries != nil {
					t.Error("outer lists are held")
				}
				lists.leave()
				lists.leave()
			}
		}
		if a, b := ordered.next(), batches.next(t.Context()); a != nil || b != nil {
			t.Errorf("every %d: %v and %v at the end", every, a, b)
		}
		lists.leave()
		if lists.leave(); lists.bytes != 0 || len(lists.open) != 0 {
			t.Errorf("%d bytes are held of nothing", lists.bytes)
		}
	}
}
