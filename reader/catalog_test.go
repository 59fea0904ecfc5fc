package reader

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// manyMembers writes a chain of n almost empty members.
func manyMembers(t *testing.T, set *readertest.Set, n int) (paths []string) {
	var last *Point
	for i := range uint32(n) {
		kind, parent := index.Incremental, readertest.Parent(nil)
		if i == 0 {
			kind = index.Full
		} else {
			parent = last
		}
		block := readertest.Block{Kind: index.Data, Data: corpus()[:bs]}
		path, _ := set.Write(i, kind, parent, readertest.BareMeta(bs), map[uint16]readertest.Stream{1: {Size: bs, Blocks: map[uint64]readertest.Block{0: block}}})
		if last != nil {
			last.Close() // so that Windows lets the file be renamed
		}
		paths, last = append(paths, path), open(t, path, Options{})
	}
	last.Close()
	return paths
}

// resolveCounted resolves an image and lists the files that were opened for it.
func resolveCounted(t *testing.T, image string, search ...string) (path string, opened []string, err error) {
	h := newHandles(func(path string) (file, error) {
		opened = append(opened, filepath.Base(path))
		return openFile(path)
	})
	defer h.close()
	r := resolver{ctx: t.Context(), h: h, search: search}
	path, err = r.image(image)
	return path, opened, err
}

func TestResolveOpensWhatItTakes(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	set.Prefix = "pc_"
	paths := manyMembers(t, set, 40)
	at := func(n int, d time.Duration) string {
		return set.Dir + "@" + set.Start.Add(time.Duration(n)*time.Hour+d).Format("2006-01-02T15:04:05")
	}
	for _, c := range []struct {
		image string
		want  int
		opens int
	}{
		{set.Dir, 39, 1},
		{set.Dir + "@latest", 39, 1},
		{set.Dir + "@20", 20, 1},
		{set.Dir + "@0", 0, 1},
		{filepath.Join(set.Dir, set.ID.String()), 39, 1},
		{set.ID.String() + "@7", 7, 1},
		{paths[3] + "@30", 30, 2}, // the file named, and the one taken
		{paths[3], 3, 1},
		{at(25, time.Minute), 25, 2}, // the newest knows the times of the others
		{at(39, 0), 39, 1},
	} {
		got, opened, err := resolveCounted(t, c.image, set.Dir)
		if err != nil || got != paths[c.want] || len(opened) != c.opens {
			t.Errorf("%s: %s %v; opened %q", c.image, got, err, opened)
		}
	}
}

func TestResolveOpensOddNames(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	paths := manyMembers(t, set, 10)
	odd := filepath.Join(set.Dir, "copy of the newest.vtr")
	must(t, os.Rename(paths[9], odd))
	must(t, os.WriteFile(filepath.Join(set.Dir, "notes on x.vtr"), []byte("text"), 0o644))
	for image, want := range map[string]string{set.Dir: odd, set.Dir + "@9": odd, set.Dir + "@4": paths[4]} {
		got, opened, err := resolveCounted(t, image)
		if err != nil || got != want || len(opened) > 3 {
			t.Errorf("%s: %s %v; opened %q", image, got, err, opened)
		}
	}
}

// Names that are wrong are found out, and the headers are asked.
func TestResolveDoesNotTrustNames(t *testing.T) {
	swap := func(t *testing.T, a, b string) {
		must(t, os.Rename(a, a+"~"))
		must(t, os.Rename(b, a))
		must(t, os.Rename(a+"~", b))
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, set *readertest.Set, paths []string)
		want   map[string]int // point: the file that it lies in
	}{
		{"swapped", func(t *testing.T, set *readertest.Set, p []string) { swap(t, p[2], p[5]) },
			map[string]int{"": 2, "@5": 2, "@2": 5, "@3": 3}},
		{"another set's file", func(t *testing.T, set *readertest.Set, p []string) {
			other := readertest.NewSet(t, t.TempDir())
			must(t, os.Rename(manyMembers(t, other, 1)[0], set.Name(6, 0)))
		}, map[string]int{"@5": 5, "@0": 0}},
		{"a failed capture behind it", func(t *testing.T, set *readertest.Set, p []string) {
			w, out := set.Writer(6, index.Incremental, open(t, p[5], Options{}))
			must(t, w.Plan(readertest.BareMeta(bs), []index.StreamRoot{{ID: 1, Size: bs}}))
			must(t, out.Close())
			must(t, os.Rename(set.Name(6, 0), strings.TrimSuffix(set.Name(6, 0), ".vtr")+index.UnfinishedSuffix))
		}, map[string]int{"": 5, "@latest": 5, "@2": 2}},
		{"a failed capture of another set", func(t *testing.T, set *readertest.Set, p []string) {
			other := readertest.NewSet(t, set.Dir)
			must(t, os.WriteFile(strings.TrimSuffix(other.Name(0, 0), ".vtr")+index.UnfinishedSuffix, nil, 0o644))
		}, map[string]int{"": 5, "@2": 2}},
		{"a rotten header", func(t *testing.T, set *readertest.Set, p []string) { flip(t, p[5], 50) },
			map[string]int{"": 5, "@5": 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := readertest.NewSet(t, t.TempDir())
			paths := manyMembers(t, set, 6)
			c.change(t, set, paths)
			for point, n := range c.want {
				if got, err := Resolve(t.Context(), set.Dir+point); err != nil || got != paths[n] {
					t.Errorf("%q: %s %v", point, got, err)
				}
			}
		})
	}
}

// A folder whose newest member is broken does not pass for the one before.
func TestBrokenNewestPointIsSaid(t *testing.T) {
	for _, byHeaders := range []bool{false, true} {
		for name, harm := range map[string]func(path string, b []byte) error{
			"rotten": func(path string, b []byte) error { return os.WriteFile(path, make([]byte, len(b)), 0o644) },
			"cut":    func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o644) },
			"empty":  func(path string, b []byte) error { return os.WriteFile(path, nil, 0o644) },
		} {
			t.Run(fmt.Sprint(name, byHeaders), func(t *testing.T) {
				set := readertest.NewSet(t, t.TempDir())
				paths := manyMembers(t, set, 4)
				if byHeaders {
					other := readertest.NewSet(t, set.Dir)
					must(t, os.WriteFile(other.Name(0, 0), []byte("rubbish"), 0o644))
				}
				b, err := os.ReadFile(paths[3])
				must(t, err)
				must(t, harm(paths[3], b))
				_, err = Resolve(t.Context(), set.Dir)
				if e, ok := errors.AsType[*BrokenPointError](err); !ok || e.Path != paths[3] || e.Number != 3 || e.Earlier != 2 {
					t.Errorf("newest: %v", err)
				}
				if _, err = Resolve(t.Context(), set.Dir+"@3"); err == nil || errors.Is(err, os.ErrNotExist) {
					t.Errorf("by number: %v", err)
				}
				if got, err := Resolve(t.Context(), set.Dir+"@2"); err != nil || got != paths[2] {
					t.Errorf("the one before: %s %v", got, err)
				}
				before := set.Start.Add(150 * time.Minute).Format("2006-01-02T15:04")
				if got, err := Resolve(t.Context(), set.Dir+"@"+before); name == "cut" && (err != nil || got != paths[2]) {
					t.Errorf("a time before: %s %v", got, err)
				}
			})
		}
	}
}

func TestPartsAreFoundByName(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	set.Split = index.MinSplit
	writeChain(t, set, 3, func(i int) int { return i - 1 })
	var opened []string
	p := open(t, set.Name(2, 0), Options{open: func(path string) (file, error) {
		opened = append(opened, filepath.Base(path))
		return openFile(path)
	}})
	if i := slices.IndexFunc(opened, func(name string) bool { return !strings.Contains(name, "-0002") }); i >= 0 {
		t.Errorf("opening %s opened %q", p.Path(), opened)
	}
}
