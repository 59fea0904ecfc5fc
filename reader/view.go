package reader

import (
	"context"
	"errors"
	"io"
	"sort"

	"vitrine/index"
)

// View is one virtual disk: a whole disk, or one partition. It is read-only and
// safe for parallel use.
type View struct {
	p      *Point
	size   int64
	sector int
	spans  []span // in order, without gaps
	ahead  readAhead
}

func (p *Point) newView(size int64, sector int) *View {
	if sector < 512 || sector > index.BlockSize || sector&(sector-1) != 0 {
		sector = 512
	}
	v := &View{p: p, size: size, sector: sector}
	v.ahead.v = v
	return v
}

// Size is the view's length in bytes.
func (v *View) Size() int64 { return v.size }

// SectorSize is the logical sector size in bytes, a power of two.
func (v *View) SectorSize() int { return v.sector }

// ReadAt reads as io.ReaderAt. Holes, zero blocks and what was not captured are
// zeros.
func (v *View) ReadAt(b []byte, off int64) (int, error) {
	return v.ReadAtContext(context.Background(), b, off)
}

// ReadAtContext is ReadAt that stops waiting when ctx ends. With an error the
// bytes before it are good.
func (v *View) ReadAtContext(ctx context.Context, b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	if off >= v.size {
		return 0, io.EOF
	}
	want := len(b)
	b = b[:min(int64(want), v.size-off)]
	if err := v.p.enter(); err != nil {
		return 0, err
	}
	defer v.p.leave()
	v.ahead.note(off, int64(len(b)))
	n, err := v.read(ctx, b, off)
	if err == nil && n < want {
		err = io.EOF
	}
	return n, err
}

// spanAt is the index of the span that holds off.
func (v *View) spanAt(off int64) int {
	return sort.Search(len(v.spans), func(i int) bool { return v.spans[i].off > off }) - 1
}

// read fills b from off, within the view.
func (v *View) read(ctx context.Context, b []byte, off int64) (int, error) {
	done := 0
	for i := v.spanAt(off); done < len(b); i++ {
		sp := &v.spans[i]
		at := off + int64(done) - sp.off
		part := b[done:min(int64(len(b)), int64(done)+sp.n-at)]
		n, err := sp.read(ctx, part, at)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

func (sp *span) read(ctx context.Context, b []byte, at int64) (int, error) {
	if sp.s == nil {
		clear(b)
		return len(b), nil
	}
	n, err := sp.s.read(ctx, b, sp.at+at)
	if u, ok := errors.AsType[*UnreadableError](err); ok {
		from := u.Off - sp.at
		err = &UnreadableError{from + sp.off, min(u.Len, sp.n-from)}
	}
	return n, err
}

// Extent is a range of a view that has one kind.
type Extent struct {
	Off, Len int64
	Kind     index.Kind
}

// Extents yields what lies in the n bytes from off: extents in order, without
// gaps, neighbours of different kinds, cut to the range. It stops when yield
// returns false. The cost depends on the number of extents, not on their
// lengths.
func (v *View) Extents(ctx context.Context, off, n int64, yield func(Extent) bool) error {
	if off < 0 || n < 0 {
		return errors.New("negative range")
	}
	if off >= v.size || n == 0 {
		return nil
	}
	if err := v.p.enter(); err != nil {
		return err
	}
	defer v.p.leave()
	end := off + min(n, v.size-off)
	j := joiner{yield: yield, next: Extent{Off: off}}
	for i := v.spanAt(off); off < end && !j.done; i++ {
		sp := &v.spans[i]
		to := min(end, sp.off+sp.n)
		if err := sp.extents(ctx, off-sp.off, to-off, &j); err != nil {
			return err
		}
		off = to
	}
	j.flush()
	return nil
}

// joiner merges neighbouring extents of one kind.
type joiner struct {
	yield func(Extent) bool
	next  Extent
	done  bool
}

func (j *joiner) add(n int64, k index.Kind) {
	if n <= 0 || j.done {
		return
	}
	if j.next.Len > 0 && j.next.Kind != k {
		j.flush()
	}
	j.next.Kind = k
	j.next.Len += n
}

func (j *joiner) flush() {
	if j.next.Len > 0 && !j.done {
		j.done = !j.yield(j.next)
		j.next = Extent{Off: j.next.Off + j.next.Len}
	}
}

// extents adds the n bytes from at of a span.
func (sp *span) extents(ctx context.Context, at, n int64, j *joiner) error {
	if sp.s == nil {
		j.add(n, sp.kind)
		return nil
	}
	return sp.s.extents(ctx, sp.at+at, n, j)
}

// extents adds the n bytes from off of a stream.
func (s *stream) extents(ctx context.Context, off, n int64, j *joiner) error {
	for end := off + n; off < end && !j.done; {
		if err := ctx.Err(); err != nil {
			return err
		}
		block := uint64(off / index.BlockSize)
		ref, run, err := s.blocks.Lookup(block)
		if err != nil {
			return s.blockError(err, block)
		}
		to := end
		if next := block + run; next < uint64(end+index.BlockSize-1)/index.BlockSize {
			to = int64(next) * index.BlockSize
		}
		s.overlay(off, to, ref.Kind, j)
		off = to
	}
	return nil
}

// overlay adds a range of one kind, with the listed unreadable bytes in it.
func (s *stream) overlay(off, to int64, k index.Kind, j *joiner) {
	for i := s.firstUnreadable(off); i < len(s.unreadable) && s.unreadable[i].Off < to; i++ {
		r := s.unreadable[i]
		from, end := max(r.Off, off), min(r.Off+r.Len, to)
		j.add(from-off, k)
		j.add(end-from, index.Unreadable)
		off = end
	}
	j.add(to-off, k)
}
