package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"vitrine/internal/wreck"
	"vitrine/ntfsparse"
)

// TestAgreement: what the check calls sound, warnings aside, the reader reads. The two
// share nothing but the spelling of names and the proof of deduplicated files, so that
// each tells what the other overlooks.
func TestAgreement(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, agreeRounds))
	for _, name := range []string{"testdata/small", "../testdata/used", "../testdata/fuzz", "../testdata/large"} {
		img := unzipped(name + ".img.gz")
		was := truthOf(t, img)
		v := wreck.New(img, structures(img)...)
		for range agreeRounds {
			n := rnd.IntN(v.Structures())
			at := rnd.IntN(v.Used(n))
			edit := []byte{byte(n), byte(n >> 8), byte(at), byte(at >> 8), byte(rnd.Uint32())}
			b := v.Damaged(edit)
			rep, err := Run(context.Background(), bytes.NewReader(b), int64(len(b)), Options{Deep: true, MaxPerCode: 5})
			must(t, err)
			if rep.Worst >= Error {
				continue
			}
			if !was.agreed(t, b, rep) {
				t.Errorf("%s, %#x in the structure at %#x, done %#x", name, at, v.Offset(n), edit[4])
			}
		}
	}
}

// truth is what a sound volume has.
type truth struct {
	away  map[uint64]bool // placeholders, at most one, whose contents are not on it
	names map[string]bool // paths of all that is in the root, true for folders
}

func truthOf(t testing.TB, img []byte) *truth {
	t.Helper()
	w := &truth{away: map[uint64]bool{}}
	var err error
	w.names, err = readAll(img, func(no uint64, err error) bool {
		w.away[no] = errors.Is(err, ntfsparse.ErrNotCaptured)
		return w.away[no]
	})
	if err != nil || len(w.away) > 1 {
		t.Fatalf("%v, %v", err, w.away)
	}
	return w
}

// agreed tells whether the reader reads all of a volume in which the check found no error,
// and whether it has the names it had.
func (w *truth) agreed(t *testing.T, img []byte, rep *Report) bool {
	t.Helper()
	names, err := readAll(img, func(no uint64, err error) bool {
		return errors.Is(err, ntfsparse.ErrNotCaptured) && w.away[no] ||
			errors.Is(err, ntfsparse.ErrUnsupported) && slices.ContainsFunc(rep.Findings, func(f Finding) bool {
				return f.Code == "T17" && f.Severity == Info && f.Record == no // in an archive, which is said
			})
	})
	if err == nil && !maps.Equal(names, w.names) {
		err = errors.New("the names are not those of the sound volume:")
		for _, path := range slices.Sorted(maps.Keys(w.names)) {
			if dir, ok := names[path]; !ok || dir != w.names[path] {
				err = fmt.Errorf("%w -%q", err, path)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(names)) {
			if dir, ok := w.names[path]; !ok || dir != names[path] {
				err = fmt.Errorf("%w +%q", err, path)
			}
		}
	}
	if err != nil {
		t.Errorf("%q %v, and %v", rep.Summary, codes(rep, Info), err)
	}
	return err == nil
}

// readAll reads a volume until something cannot be read, and gives the paths; away tells
// whether a file's contents that cannot be read may be elsewhere.
func readAll(b []byte, away func(no uint64, err error) bool) (names map[string]bool, err error) {
	v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	root, err := v.Root()
	if err != nil {
		return nil, err
	}
	type item struct {
		path string
		file *ntfsparse.File
	}
	names = map[string]bool{}
	for todo := []item{{"", root}}; len(todo) > 0 && err == nil; todo = todo[1:] {
		at := todo[0]
		if err = unreadOf(at.file, away); err != nil || !at.file.IsDir() {
			continue
		}
		var d *ntfsparse.Dir
		if d, err = at.file.Dir(); err != nil {
			continue
		}
		d.Read(0, func(e ntfsparse.DirEntry, bad error) bool {
			if err = bad; err != nil || at.path == "" && e.Ref.Record() < ntfsparse.FirstUser {
				return err == nil
			}
			var c *ntfsparse.File
			if c, err = v.FileRef(e.Ref); err == nil {
				path := at.path + "/" + e.Name()
				names[path] = c.IsDir()
				todo = append(todo, item{path, c})
			}
			return err == nil
		})
	}
	return names, err
}

func unreadOf(f *ntfsparse.File, away func(no uint64, err error) bool) error {
	if err := f.Damage(); err != nil {
		return err
	}
	in := f.Info()
	if _, err := in.LinkTarget(); errors.Is(err, ntfsparse.ErrCorrupt) {
		return err
	}
	if _, err := f.EAs(); err != nil {
		return err
	}
	read := func(s *ntfsparse.Stream, err error) error {
		if err == nil {
			_, err = io.Copy(io.Discard, io.NewSectionReader(s, 0, s.Size()))
		}
		if err != nil && away(f.Ref().Record(), err) {
			return nil
		}
		if errors.Is(err, ntfsparse.ErrEncrypted) {
			_, err = f.EFSInfo() // with the keys, it is as it should be
		}
		return err
	}
	for _, s := range f.Streams() {
		if err := read(f.Stream(s.Name)); err != nil {
			return fmt.Errorf("stream %q: %w", s.Name, err)
		}
	}
	if f.IsDir() {
		return nil
	}
	return read(f.Open())
}
