package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"vitrine/internal/wreck"
	"vitrine/ntfsparse"
)

// TestAgreement: what the check calls sound, warnings aside, the reader reads. The two
// share nothing but the spelling of names and the proof of deduplicated files, so that
// each tells what the other overlooks.
func TestAgreement(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, agreeRounds))
	for _, name := range []string{"testdata/small", "../testdata/used", "../testdata/fuzz"} {
		img := unzipped(name + ".img.gz")
		away := elsewhere(t, img)
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
			if !agreed(t, b, away, rep) {
				t.Errorf("%s, %#x in the structure at %#x, done %#x", name, at, v.Offset(n), edit[4])
			}
		}
	}
}

// elsewhere are the placeholders of a sound volume, at most one, whose contents are not on it.
func elsewhere(t testing.TB, img []byte) map[uint64]bool {
	t.Helper()
	away := map[uint64]bool{}
	if err := unread(img, func(no uint64) bool { away[no] = true; return true }); err != nil || len(away) > 1 {
		t.Fatalf("%v, %v", err, away)
	}
	return away
}

// agreed tells whether the reader reads all of a volume in which the check found no error.
func agreed(t *testing.T, img []byte, away map[uint64]bool, rep *Report) bool {
	t.Helper()
	err := unread(img, func(no uint64) bool { return away[no] })
	if err != nil {
		t.Errorf("%q %v, and %v", rep.Summary, codes(rep, Info), err)
	}
	return err == nil
}

// unread is the first thing on a volume that the reader cannot read; away tells whether
// the contents of a file may be elsewhere.
func unread(b []byte, away func(no uint64) bool) error {
	v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	root, err := v.Root()
	if err != nil {
		return err
	}
	todo := []*ntfsparse.File{root}
	for ; len(todo) > 0 && err == nil; todo = todo[1:] {
		f := todo[0]
		if err = unreadOf(f, away); err != nil || !f.IsDir() {
			continue
		}
		var d *ntfsparse.Dir
		if d, err = f.Dir(); err != nil {
			continue
		}
		d.Read(0, func(e ntfsparse.DirEntry, bad error) bool {
			if err = bad; err != nil || f == root && e.Ref.Record() < ntfsparse.FirstUser {
				return err == nil
			}
			var c *ntfsparse.File
			if c, err = v.FileRef(e.Ref); err == nil {
				todo = append(todo, c)
			}
			return err == nil
		})
	}
	return err
}

func unreadOf(f *ntfsparse.File, away func(no uint64) bool) error {
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
		if errors.Is(err, ntfsparse.ErrNotCaptured) && away(f.Ref().Record()) {
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
