package cli

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"vitrine/internal/mirage"
)

// interrupter cancels a context once limit bytes were read, and tells what is read
// after it.
type interrupter struct {
	io.ReaderAt
	cancel       context.CancelFunc
	limit        int64
	before, late atomic.Int64
}

func (r *interrupter) ReadAt(p []byte, off int64) (int, error) {
	if r.before.Load() > r.limit {
		r.late.Add(1)
	}
	if r.before.Add(int64(len(p))) > r.limit {
		r.cancel()
	}
	return r.ReaderAt.ReadAt(p, off)
}

// TestInterruptEndsReading: a listing that looks for lost names in all of the file
// table, which the reader does without a context, reads no more once it is interrupted.
func TestInterruptEndsReading(t *testing.T) {
	m := &mirage.Volume{Records: 1 << 14, Blocks: 1 << 8}
	read := func(limit int64) (*interrupter, error, string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := &interrupter{ReaderAt: m, cancel: cancel, limit: limit}
		s := &shelf{parts: []*part{{number: 1, r: r, size: m.Size()}}}
		s.endWith(ctx)
		fs, err := s.parts[0].files()
		if err != nil {
			t.Fatal(err)
		}
		e, _, errs := testEnv()
		l := lister{e: e, o: &lsOptions{}, f: finder{fs: fs, note: e.note}, hurt: &tally{}}
		all, err := l.f.glob(ctx, "/", true)
		if err == nil {
			err = l.run(ctx, all)
		}
		return r, err, errs.String()
	}
	whole, err, _ := read(1 << 40)
	all := whole.before.Load()
	if err == nil || errors.Is(err, context.Canceled) || all < int64(m.Records)<<10 {
		t.Fatalf("not the volume that this test needs: %d bytes read, %v", all, err)
	}
	for i := range int64(8) {
		r, err, told := read(all - all*(i+1)/16)
		if n := r.late.Load(); !errors.Is(err, context.Canceled) || n > 0 || told != "" {
			t.Errorf("after %d bytes: %d reads more, %v, %q", r.limit, n, err, told)
		}
	}
}
