package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// threeMembers writes a chain of three and a view's reader that needs all.
func threeMembers(t *testing.T, split int64) (*readertest.Set, []string, []shadow) {
	set := readertest.NewSet(t, t.TempDir())
	set.Split, set.Prefix = split, "pc_"
	paths, want := writeChain(t, set, 3, func(i int) int { return i - 1 })
	return set, paths, want
}

// readEverything reads all partitions of a point to the end.
func readEverything(t *testing.T, path string, want shadow, o Options) error {
	t.Helper()
	o.FillUnreadable = true
	p := open(t, path, o)
	defer p.Close()
	var first error
	for _, part := range p.Disks()[0].Partitions {
		b := make([]byte, 1<<20)
		for off := int64(0); off < part.Size(); off += int64(len(b)) {
			n, err := part.ReadAt(b[:min(int64(len(b)), part.Size()-off)], off)
			if good := want.at(part.Meta.Stream, off, int64(n)); string(good) != string(b[:len(good)]) {
				t.Fatalf("wrong bytes at %d", off)
			}
			if err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}

func TestMembersAreFoundByIdentity(t *testing.T) {
	for _, c := range []struct {
		name   string
		split  int64
		change func(t *testing.T, set *readertest.Set) (search []string)
	}{
		{"as written", 0, func(*testing.T, *readertest.Set) []string { return nil }},
		{"renamed to anything", 0, func(t *testing.T, set *readertest.Set) []string {
			must(t, os.Rename(set.Name(0, 0), filepath.Join(set.Dir, "holiday photos.zip")))
			must(t, os.Rename(set.Name(1, 0), filepath.Join(set.Dir, "copy of 1.vtr")))
			return nil
		}},
		{"names swapped", 0, func(t *testing.T, set *readertest.Set) []string {
			a, b, tmp := set.Name(0, 0), set.Name(1, 0), filepath.Join(set.Dir, "tmp")
			must(t, os.Rename(a, tmp))
			must(t, os.Rename(b, a))
			must(t, os.Rename(tmp, b))
			return nil
		}},
		{"in another folder", 0, func(t *testing.T, set *readertest.Set) []string {
			dir := t.TempDir()
			must(t, os.Rename(set.Name(0, 0), filepath.Join(dir, filepath.Base(set.Name(0, 0)))))
			must(t, os.Rename(set.Name(1, 0), filepath.Join(dir, "x")))
			return []string{filepath.Join(dir, "not there"), dir}
		}},
		{"still named unfinished", 0, func(t *testing.T, set *readertest.Set) []string {
			must(t, os.Rename(set.Name(1, 0), strings.TrimSuffix(set.Name(1, 0), ".vtr")+index.UnfinishedSuffix))
			return nil
		}},
		{"parts scattered", index.MinSplit, func(t *testing.T, set *readertest.Set) []string {
			dir := t.TempDir()
			must(t, os.Rename(set.Name(0, 1), filepath.Join(dir, "0.1")))
			must(t, os.Rename(set.Name(1, 0), filepath.Join(set.Dir, "1.0")))
			return []string{dir}
		}},
		{"a cut copy in front", 0, func(t *testing.T, set *readertest.Set) []string {
			dir := t.TempDir()
			b, err := os.ReadFile(set.Name(0, 0))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, "whole.vtr"), b, 0o644))
			must(t, os.WriteFile(set.Name(0, 0), b[:len(b)/2], 0o644))
			return []string{dir}
		}},
		{"among rubbish", 0, func(t *testing.T, set *readertest.Set) []string {
			must(t, os.Rename(set.Name(0, 0), filepath.Join(set.Dir, "y.vtr")))
			must(t, os.WriteFile(filepath.Join(set.Dir, "a.vtr"), nil, 0o644))
			must(t, os.WriteFile(filepath.Join(set.Dir, "b.vtr"), []byte("\x89VTR\r\n\x1a\nrotten"), 0o644))
			must(t, os.Mkdir(filepath.Join(set.Dir, "c.vtr"), 0o755))
			fifo(t, filepath.Join(set.Dir, "d.vtr"))
			must(t, os.Symlink("d.vtr", filepath.Join(set.Dir, "e.vtr")))
			must(t, os.Symlink("nowhere", filepath.Join(set.Dir, "f.vtr")))
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, paths, want := threeMembers(t, c.split)
			search := c.change(t, set)
			if lack := open(t, paths[2], Options{Search: search}).Missing(); lack != nil {
				t.Errorf("missing: %+v", lack)
			}
			if err := readEverything(t, paths[2], want[2], Options{Search: search}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Run("member", func(t *testing.T) {
		set, paths, want := threeMembers(t, 0)
		must(t, os.Remove(paths[1]))
		m := missingFrom(t, paths[2], want[2])
		if m.Number != 1 || m.Part != -1 || m.Set != set.ID || m.Name != filepath.Base(paths[1]) || m.Dirs[0] != set.Dir ||
			!m.Created.Equal(set.Start.Add(time.Hour)) || m.UID == (index.UID{}) {
			t.Errorf("%+v", m)
		}
		p := open(t, paths[2], Options{})
		chain := p.Chain()
		if len(chain) != 3 || chain[0].Err != nil || !errors.Is(chain[1].Err, ErrMissing) || chain[1].Number != 1 || chain[2].Err != nil {
			t.Errorf("chain %+v", chain)
		}
	})
	t.Run("another set's member in its place", func(t *testing.T) {
		_, paths, want := threeMembers(t, 0)
		other := readertest.NewSet(t, t.TempDir())
		foreign, _ := writeChain(t, other, 1, nil)
		b, err := os.ReadFile(foreign[0])
		must(t, err)
		must(t, os.WriteFile(paths[1], b, 0o644))
		if m := missingFrom(t, paths[2], want[2]); m.Number != 1 || !strings.Contains(m.Found, other.ID.String()) {
			t.Errorf("%+v", m)
		}
	})
	t.Run("another capture with the same number", func(t *testing.T) {
		set, paths, want := threeMembers(t, 0)
		must(t, os.Remove(paths[1]))
		again := readertest.NewSet(t, set.Dir)
		again.ID, again.Prefix = set.ID, set.Prefix
		p := open(t, paths[0], Options{})
		meta, sizes := twoParts()
		again.Write(1, index.Incremental, p, meta, map[uint16]readertest.Stream{0: {Size: sizes[0]}, 1: {Size: sizes[1]}, gapStream: {Size: sizes[gapStream]}})
		if m := missingFrom(t, paths[2], want[2]); m.Number != 1 || !strings.Contains(m.Found, "UID") {
			t.Errorf("%+v", m)
		}
	})
	for part := range 4 {
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			set, paths, want := threeMembers(t, index.MinSplit)
			must(t, os.Remove(set.Name(0, part)))
			if m := missingFrom(t, paths[2], want[2]); m.Number != 0 || m.Part != part || m.Name != filepath.Base(set.Name(0, part)) {
				t.Errorf("%+v", m)
			}
			err := open(t, paths[2], Options{}).Chain()[0].Err
			if m, ok := errors.AsType[*MissingError](err); !ok || m.Part != part {
				t.Error(err)
			}
		})
	}
}

func missingFrom(t *testing.T, path string, want shadow) *MissingError {
	t.Helper()
	err := readEverything(t, path, want, Options{})
	m, ok := errors.AsType[*MissingError](err)
	if !ok || !errors.Is(err, ErrMissing) {
		t.Fatalf("%v", err)
	}
	lack := open(t, path, Options{}).Missing()
	if len(lack) != 1 || lack[0].Number != m.Number || lack[0].Err.Error() != m.Error() {
		t.Errorf("missing %+v, reads say %v", lack, m)
	}
	return m
}

func TestWhatWasMissingIsFoundLater(t *testing.T) {
	for _, split := range []int64{0, index.MinSplit} {
		set, paths, want := threeMembers(t, split)
		last := set.Name(1, 0)
		for part := 1; ; part++ {
			if _, err := os.Stat(set.Name(1, part)); err != nil {
				break
			}
			last = set.Name(1, part)
		}
		away := filepath.Join(t.TempDir(), "away")
		must(t, os.Rename(last, away))
		p := open(t, paths[2], Options{FillUnreadable: true})
		if lack := p.Missing(); len(lack) != 1 || lack[0].Number != 1 || !errors.Is(lack[0].Err, ErrMissing) {
			t.Errorf("split %d: missing %+v", split, lack)
		}
		must(t, os.Rename(away, last))
		if lack := p.Missing(); lack != nil {
			t.Errorf("split %d: missing %+v", split, lack)
		}
		for _, part := range p.Disks()[0].Partitions {
			b := make([]byte, part.Size())
			n, err := part.ReadAt(b, 0)
			good := want[2].at(part.Meta.Stream, 0, int64(n)) // until what is unreadable
			if err != nil || string(b[:len(good)]) != string(good) {
				t.Errorf("split %d: %d bytes, %v", split, n, err)
			}
		}
	}
}

func TestShortenedFilesAreMissing(t *testing.T) {
	_, paths, _ := threeMembers(t, 0)
	info, err := os.Stat(paths[1])
	must(t, err)
	must(t, os.Truncate(paths[1], info.Size()-index.Align))
	lack := open(t, paths[2], Options{}).Missing()
	if len(lack) != 1 || lack[0].Number != 1 || lack[0].Err == nil {
		t.Errorf("missing %+v", lack)
	}
}

func TestAnyPartOpens(t *testing.T) {
	set, _, want := threeMembers(t, index.MinSplit)
	parts, err := filepath.Glob(filepath.Join(set.Dir, "*-0002*.vtr"))
	if err != nil || len(parts) < 3 {
		t.Fatal(parts, err)
	}
	for _, path := range parts {
		if err := readEverything(t, path, want[2], Options{}); err != nil {
			t.Error(path, err)
		}
	}
}

func TestUnfinishedIsNotDamaged(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	w, out := set.Writer(0, index.Full, nil)
	must(t, w.Plan(readertest.BareMeta(1<<20), []index.StreamRoot{{ID: 1, Size: 1 << 20}}))
	must(t, w.Checkpoint())
	out.Close()
	_, err := Open(t.Context(), set.Name(0, 0), Options{})
	if u, ok := errors.AsType[*UnfinishedError](err); !ok || u.Path != set.Name(0, 0) || !errors.Is(err, index.ErrUnfinished) {
		t.Fatal(err)
	}
	if _, err := Resolve(t.Context(), set.Dir); !errors.Is(err, index.ErrUnfinished) {
		t.Fatal(err)
	}
	sets, err := ScanDir(t.Context(), set.Dir)
	if err != nil || len(sets) != 1 || sets[0].Members[0].Finished || sets[0].Members[0].Err != nil {
		t.Fatal(sets, err)
	}
}

func TestSalvageReadsTheUnfinishedMember(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	size := int64(10 * bs)
	meta, roots := readertest.BareMeta(size), []index.StreamRoot{{ID: 1, Size: 10 * bs}}
	w, out := set.Writer(0, index.Full, nil)
	must(t, w.Plan(meta, roots))
	data := readertest.Block{Kind: index.Data, Data: corpus()[:bs]}
	ref := set.Store(w, 1, 4, data)
	must(t, w.Checkpoint())
	out.Close()
	broken := strings.TrimSuffix(set.Name(0, 0), ".vtr") + index.UnfinishedSuffix
	must(t, os.Rename(set.Name(0, 0), broken))

	b, err := os.Open(broken)
	must(t, err)
	defer b.Close()
	h, err := index.ReadHeader(b)
	must(t, err)
	st, _ := b.Stat()
	var segs []index.SegmentPtr
	must(t, index.Scan(b, st.Size(), st.Size(), h, index.ScanVisitor{Segment: func(p index.SegmentPtr, _ *index.Segment, _ []int) error {
		segs = append(segs, p)
		return nil
	}}))
	w, out = set.Writer(1, index.Salvage, nil)
	must(t, w.Plan(meta, roots))
	must(t, w.Adopt(index.MemberEntry{Number: 0, Parent: index.NoParent, Kind: h.Kind, UID: h.UID, Length: st.Size(), Created: h.Created}, segs))
	var refs [index.LeafBlocks]index.Ref
	refs[4] = ref
	must(t, w.Leaf(1, 0, &refs))
	_, err = w.Finish(meta)
	must(t, err)
	out.Close()

	p := open(t, set.Name(1, 0), Options{})
	want := shadow{1: {4: data}}
	want.sameAt(t, p.Disks()[0].View, 1, 0, size)
	r, err := Verify(t.Context(), p, VerifyOptions{Level: Full})
	if err != nil || !r.OK() || r.OtherCount > 0 || r.Chunks != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	p.Close()
	b.Close()
	must(t, os.Remove(broken))
	if m := missingFrom(t, set.Name(1, 0), want); m.Number != 0 || m.Name != filepath.Base(broken) {
		t.Errorf("%+v", m)
	}
}

func TestScanDir(t *testing.T) {
	set, paths, _ := threeMembers(t, index.MinSplit)
	other := readertest.NewSet(t, set.Dir)
	writeChain(t, other, 1, nil)
	rotten := filepath.Join(set.Dir, fmt.Sprintf("%s-0009.vtr", set.ID))
	must(t, os.WriteFile(rotten, []byte("\x89VTR\r\n\x1a\nrotten"), 0o644))
	must(t, os.WriteFile(filepath.Join(set.Dir, "readme.txt"), []byte("hello"), 0o644))
	must(t, os.Remove(set.Name(1, 1)))
	sets, err := ScanDir(t.Context(), set.Dir)
	if err != nil || len(sets) != 2 {
		t.Fatal(sets, err)
	}
	if sets[0].ID != set.ID {
		sets[0], sets[1] = sets[1], sets[0]
	}
	s := sets[0]
	if len(s.Members) != 4 || s.Prefix != "" || len(sets[1].Members) != 1 {
		t.Fatalf("%+v", s)
	}
	m := s.Members
	if m[0].Path != paths[0] || m[0].Err != nil || !m[0].Finished || m[0].Kind != index.Full || len(m[0].Parts) < 3 || m[0].Size < 2*index.MinSplit {
		t.Errorf("%+v", m[0])
	}
	if miss, ok := errors.AsType[*MissingError](m[1].Err); !ok || miss.Part != 1 || m[1].ParentUID != m[0].UID {
		t.Errorf("%+v", m[1])
	}
	if m[3].Number != 9 || m[3].Path != rotten || m[3].Err == nil {
		t.Errorf("%+v", m[3])
	}
	if _, err := ScanDir(t.Context(), filepath.Join(set.Dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestResolve(t *testing.T) {
	set, paths, _ := threeMembers(t, 0)
	at := set.Name(9, 0)
	must(t, os.WriteFile(filepath.Join(t.TempDir(), "x"), nil, 0o644))
	several := t.TempDir()
	for range 2 {
		writeChain(t, readertest.NewSet(t, several), 1, nil)
	}
	odd := filepath.Join(set.Dir, "name@2.vtr")
	b, err := os.ReadFile(paths[1])
	must(t, err)
	must(t, os.WriteFile(odd, b, 0o644))
	must(t, os.WriteFile(filepath.Join(several, "text"), []byte("hello"), 0o644))
	hour := func(n int, d time.Duration, layout string) string {
		return set.Start.Add(time.Duration(n)*time.Hour + d).Format(layout)
	}
	for _, c := range []struct {
		image string
		want  string
		err   error
	}{
		{paths[1], paths[1], nil},
		{paths[1] + "@0", paths[0], nil},
		{paths[0] + "@latest", paths[2], nil},
		{odd, odd, nil},
		{odd + "@0", paths[0], nil},
		{set.Dir, paths[2], nil},
		{set.Dir + "@1", paths[1], nil},
		{set.Dir + "@" + hour(1, 0, "2006-01-02T15:04"), paths[1], nil},
		{set.Dir + "@" + hour(1, -time.Second, "2006-01-02T15:04:05"), paths[0], nil},
		{set.Dir + "@" + hour(1, 59*time.Minute, time.RFC3339), paths[1], nil},
		{set.Dir + "@" + hour(0, 0, "2006-01-02"), paths[2], nil},
		{set.Dir + "@2026-01-01", "", fs.ErrNotExist},
		{set.Dir + "@7", "", fs.ErrNotExist},
		{set.Dir + "@yesterday", "", fs.ErrInvalid},
		{set.ID.String(), paths[2], nil},
		{strings.ToLower(set.ID.String()) + "@1", paths[1], nil},
		{"0011223344556677", "", fs.ErrNotExist},
		{at, "", fs.ErrNotExist},
		{several, "", fs.ErrInvalid},
		{t.TempDir(), "", index.ErrNotMember},
		{filepath.Join(several, "text"), "", index.ErrNotMember},
	} {
		got, err := Resolve(t.Context(), c.image, filepath.Join(several, "none"), set.Dir)
		if got != c.want && !(c.want == paths[1] && got == odd) || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %q %v, want %q %v", c.image, got, err, c.want, c.err)
		}
	}
	_, err = Resolve(t.Context(), set.Dir+"@7")
	if e, ok := errors.AsType[*NoPointError](err); !ok || len(e.Have) != 3 {
		t.Errorf("%v", err)
	}
	_, err = Resolve(t.Context(), several)
	if e, ok := errors.AsType[*SeveralSetsError](err); !ok || len(e.Sets) != 2 {
		t.Errorf("%v", err)
	}
}

func TestRottenHeaderOfAnAncestor(t *testing.T) {
	_, paths, want := threeMembers(t, 0)
	flip(t, paths[0], 50)
	if err := readEverything(t, paths[2], want[2], Options{}); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(t.Context(), open(t, paths[2], Options{}), VerifyOptions{Level: Full})
	if err != nil || !r.OK() || r.OtherCount != 0 || len(r.Repaired) != 1 || r.Repaired[0].Path != paths[0] || r.Chunks != r.ChunksNeeded {
		t.Fatalf("%+v %v", r, err)
	}
}
