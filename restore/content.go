package restore

import (
	"context"
	"errors"
	"io"
	"sort"

	"vitrine/index"
	"vitrine/volume"
)

// content is what the target shall hold: the view with some pieces replaced
// and some dropped, at the target's size.
type content struct {
	view    View
	size    int64
	patches []volume.Piece // sorted, apart from each other, inside size
	cuts    []cut          // patches and dropped ranges, sorted
}

// cut is a range whose kind is not the view's.
type cut struct {
	span
	kind index.Kind
}

// newContent puts patches over v and turns drops into free space, except where
// patches are.
func newContent(v View, size int64, patches []volume.Piece, drops []span) *content {
	c := &content{view: v, size: size, patches: patches}
	var own []span
	for _, p := range patches {
		s := span{p.Off, p.Off + int64(len(p.Data))}
		own = append(own, s)
		c.cuts = append(c.cuts, cut{s, index.Data})
	}
	for _, s := range without(drops, own) {
		c.cuts = append(c.cuts, cut{s, index.Hole})
	}
	sort.Slice(c.patches, func(i, j int) bool { return c.patches[i].Off < c.patches[j].Off })
	sort.Slice(c.cuts, func(i, j int) bool { return c.cuts[i].off < c.cuts[j].off })
	return c
}

// read fills p from off. What lies behind the view's end is zeros.
func (c *content) read(ctx context.Context, p []byte, off int64) error {
	n := max(0, min(int64(len(p)), c.view.Size()-off))
	clear(p[n:])
	if n > 0 && !c.covered(span{off, off + n}) {
		got, err := c.view.ReadAtContext(ctx, p[:n], off)
		if int64(got) < n {
			return orUnexpected(err)
		}
	}
	for _, q := range c.patches {
		if s := (span{q.Off, q.Off + int64(len(q.Data))}).clip(span{off, off + int64(len(p))}); s.len() > 0 {
			copy(p[s.off-off:s.end-off], q.Data[s.off-q.Off:])
		}
	}
	return nil
}

func orUnexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// covered reports whether one patch covers s.
func (c *content) covered(s span) bool {
	for _, q := range c.patches {
		if q.Off <= s.off && q.Off+int64(len(q.Data)) >= s.end {
			return true
		}
	}
	return false
}

// extents yields what s holds, in order; free space is index.Hole.
func (c *content) extents(ctx context.Context, s span, yield func(Extent) bool) error {
	s = s.clip(span{0, c.size})
	at, more := s.off, true
	emit := func(x span, k index.Kind) bool {
		x = x.clip(span{at, s.end})
		if more && x.len() > 0 {
			at, more = x.end, c.cutUp(x, k, yield)
		}
		return more
	}
	err := c.view.Extents(ctx, s.off, s.len(), func(e Extent) bool {
		if e.Len <= 0 || e.Off < 0 || e.Len > c.size {
			return true
		}
		return emit(span{at, e.Off}, index.Hole) && emit(span{e.Off, e.Off + e.Len}, e.Kind)
	})
	if err == nil && more {
		emit(span{at, s.end}, index.Hole)
	}
	return err
}

// cutUp yields x, which the view says is of kind k, with the cuts in it.
func (c *content) cutUp(x span, k index.Kind, yield func(Extent) bool) bool {
	one := func(s span, k index.Kind) bool {
		return s.len() <= 0 || yield(Extent{Off: s.off, Len: s.len(), Kind: k})
	}
	i := sort.Search(len(c.cuts), func(i int) bool { return c.cuts[i].end > x.off })
	for ; i < len(c.cuts) && c.cuts[i].off < x.end; i++ {
		in := c.cuts[i].clip(x)
		if !one(span{x.off, in.off}, k) || !one(in, c.cuts[i].kind) {
			return false
		}
		x.off = in.end
	}
	return one(x, k)
}

// readerAt shows a view as the plain interface.
type readerAt struct {
	ctx context.Context
	v   View
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	return r.v.ReadAtContext(r.ctx, p, off)
}
