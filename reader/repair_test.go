package reader

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// TestDamagedHeaderAndFooter: one flipped byte of either costs nothing and is
// reported, in the point's own file and in an ancestor's.
func TestDamagedHeaderAndFooter(t *testing.T) {
	full, inc, want := smallImage(t)
	root := open(t, inc, Options{}).Tail().Root
	for _, path := range []string{full, inc} {
		st, err := os.Stat(path)
		must(t, err)
		for i := int64(0); i < 2*index.HeaderSize; i += 1 + i%31*(i%4096)/200 {
			off := i
			if off >= index.HeaderSize {
				off += st.Size() - 2*index.HeaderSize
			}
			flip(t, path, off)
			if got, err := Resolve(t.Context(), filepath.Dir(inc)); got != inc {
				t.Fatalf("byte %d: %q %v", off, got, err)
			}
			p, err := Open(t.Context(), inc, Options{})
			if err != nil {
				t.Fatalf("byte %d: %v", off, err)
			}
			failed := readAll(t, p.Disks()[0].View, want)
			r, err := Verify(t.Context(), p, VerifyOptions{Level: Quick})
			if err != nil || failed > 0 || !r.OK() || len(r.Repaired) != 1 || r.Repaired[0].Path != path || p.Tail().Root != root {
				t.Fatalf("%s byte %d: %d %+v %v", path, off, failed, r, err)
			}
			p.Close()
			flip(t, path, off)
		}
	}
}

func TestDamagedHeadersOfParts(t *testing.T) {
	for _, off := range []int64{3, 10, 50, 300} {
		set, paths, want := threeMembers(t, index.MinSplit)
		parts, err := filepath.Glob(filepath.Join(set.Dir, "*-0002*.vtr"))
		must(t, err)
		for _, member := range []uint32{0, 2} {
			for i := range parts {
				path := set.Name(member, i)
				if _, err := os.Stat(path); err != nil {
					continue
				}
				flip(t, path, off)
				if err := readEverything(t, paths[2], want[2], Options{}); err != nil {
					t.Fatalf("byte %d of %s: %v", off, path, err)
				}
				r, err := Verify(t.Context(), open(t, paths[2], Options{}), VerifyOptions{Level: Quick})
				if err != nil || !r.OK() || len(r.Repaired) != 1 || r.Repaired[0].Path != path {
					t.Fatalf("byte %d of %s: %+v %v", off, path, r, err)
				}
				flip(t, path, off)
			}
		}
	}
}

// TestMissingPartBlamesNoOther: bytes of a part that is not there are not put
// down to those that are.
func TestMissingPartBlamesNoOther(t *testing.T) {
	for part := range 4 {
		for _, member := range []uint32{0, 2} {
			set, paths, _ := threeMembers(t, index.MinSplit)
			gone := set.Name(member, part)
			open := open(t, paths[2], Options{})
			if gone == paths[2] || os.Remove(gone) != nil {
				continue
			}
			r, err := Verify(t.Context(), open, VerifyOptions{Level: Full})
			if err != nil {
				if !errors.Is(err, index.ErrUnfinished) {
					t.Fatal(err)
				}
				continue // the last part is the point
			}
			if r.OK() || r.OtherCount+r.DamageCount > 0 || len(r.Repaired)+len(r.Notes) > 0 || len(r.Missing()) != 1 {
				t.Errorf("%s: damage %v, other %v, notes %v", gone, r.Damage, r.Other, r.Notes)
			}
			all := strings.Join(append(r.Proved, r.NotProved...), "\n")
			if !strings.Contains(all, fmt.Sprintf("member %d is not whole", member)) || strings.Contains(all, " 0 of 0 ") {
				t.Error(all)
			}
		}
	}
}

func TestVerifySaysWhatIsNotThere(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	list := map[uint64]readertest.Block{3: {Kind: index.Unreadable}, 4: {Kind: index.Unreadable}}
	path, _ := set.Write(0, index.Full, nil, readertest.BareMeta(10*bs), map[uint16]readertest.Stream{1: {Size: 10 * bs, Blocks: list}})
	r, err := Verify(t.Context(), open(t, path, Options{}), VerifyOptions{Level: Full})
	all := strings.Join(append(r.Proved, r.NotProved...), "\n")
	if err != nil || !r.OK() || r.Salvage || r.NotRead != 2*bs || !strings.Contains(all, "131072 bytes are not there: they could not be read at capture") ||
		!strings.Contains(all, "of 1 file of") || strings.Contains(all, " 0 of 0 ") {
		t.Errorf("%v\n%s", err, all)
	}
	meta := readertest.BareMeta(10 * bs)
	meta.Consistency = "salvaged"
	path, _ = set.Write(1, index.Full, nil, meta, map[uint16]readertest.Stream{1: {Size: 10 * bs}})
	r, err = Verify(t.Context(), open(t, path, Options{}), VerifyOptions{Level: Quick})
	if err != nil || !r.Salvage || !strings.Contains(strings.Join(r.NotProved, "\n"), "not a consistent state") {
		t.Errorf("%v %+v", err, r)
	}
}

func TestResolveSkipsLeftovers(t *testing.T) {
	set, paths, _ := threeMembers(t, 0)
	left := readertest.NewSet(t, set.Dir)
	w, out := left.Writer(0, index.Full, nil)
	must(t, w.Plan(readertest.BareMeta(1<<20), []index.StreamRoot{{ID: 1, Size: 1 << 20}}))
	must(t, w.Checkpoint())
	out.Close()
	must(t, os.Rename(left.Name(0, 0), strings.TrimSuffix(left.Name(0, 0), ".vtr")+index.UnfinishedSuffix))
	must(t, os.WriteFile(filepath.Join(set.Dir, "0123456789ABCDEF-0000.vtr"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(set.Dir, "0123456789ABCDE0-0000.vtr"), []byte("\x89VTR\r\n\x1a\nrotten"), 0o644))
	for _, image := range []string{set.Dir, filepath.Join(set.Dir, set.ID.String())} {
		if got, err := Resolve(t.Context(), image); got != paths[2] {
			t.Errorf("%q %v", got, err)
		}
	}
	other := readertest.NewSet(t, set.Dir)
	second, _ := writeChain(t, other, 1, nil)
	_, err := Resolve(t.Context(), set.Dir)
	if e, ok := errors.AsType[*SeveralSetsError](err); !ok || len(e.Sets) != 2 {
		t.Error(err)
	}
	if got, err := Resolve(t.Context(), filepath.Join(set.Dir, other.ID.String())+"@0"); got != second[0] {
		t.Errorf("%q %v", got, err)
	}
	if _, err := Resolve(t.Context(), filepath.Join(set.Dir, left.ID.String())); !errors.Is(err, index.ErrUnfinished) {
		t.Error(err)
	}
}
