package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"vitrine/index"
)

// Reading a bad medium: a failing range is cut into smaller and smaller pieces
// and what remains is given up after a retry. A dying disk answers slowly;
// after slowBudget in failing reads, pieces below coarsePiece are not tried.
const (
	coarsePiece = 64 << 10
	finePiece   = 4 << 10
	retries     = 1
	slowBudget  = 2 * time.Minute
)

// faultReader reads a source that may fail in places. It is safe for parallel
// use.
type faultReader struct {
	src    Source
	sector int
	spent  atomic.Int64 // nanoseconds in failing reads
	read   atomic.Int64 // bytes read

	mu    sync.Mutex
	ended int64 // where the source ended early; -1: it did not
	first error // the first read error
}

func newFaultReader(src Source, sector int) *faultReader {
	return &faultReader{src: src, sector: max(sector, 512), ended: -1}
}

// fill reads len(p) bytes at off. What cannot be read is appended to bad, in
// order; those bytes of p are undefined. The error is one that ends the
// capture.
func (r *faultReader) fill(ctx context.Context, p []byte, off int64, bad []extent) ([]extent, error) {
	return r.try(ctx, p, off, bad, 0)
}

// pieces are the sizes that a failing range is cut into, in turn.
func (r *faultReader) piece(depth int) int64 {
	return [...]int64{coarsePiece, finePiece, int64(r.sector), 0}[min(depth, 3)]
}

func (r *faultReader) try(ctx context.Context, p []byte, off int64, bad []extent, depth int) ([]extent, error) {
	n, err := r.attempt(ctx, p, off)
	if p, off = p[n:], off+int64(n); len(p) == 0 || err != nil {
		return bad, err
	}
	if r.endsAt(off) {
		return append(bad, extent{Off: off, Len: int64(len(p))}), nil
	}
	size := r.piece(depth)
	for size >= int64(len(p)) && size > int64(r.sector) {
		depth++
		size = r.piece(depth)
	}
	if int64(len(p)) <= int64(r.sector) || size < coarsePiece && r.spent.Load() > int64(slowBudget) {
		return append(bad, extent{Off: off, Len: int64(len(p))}), nil
	}
	for len(p) > 0 && err == nil {
		n := min(size-off%size, int64(len(p)))
		bad, err = r.try(ctx, p[:n], off, bad, depth+1)
		p, off = p[n:], off+n
	}
	return bad, err
}

// attempt reads as much as it can from off, trying again where it fails
// without having read anything. The error is one that ends the capture.
func (r *faultReader) attempt(ctx context.Context, p []byte, off int64) (int, error) {
	done := 0
	for tries := 0; tries <= retries && done < len(p); tries++ {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		start := time.Now()
		n, err := r.src.ReadAt(p[done:], off+int64(done))
		n = min(max(n, 0), len(p)-done)
		done += n
		r.read.Add(int64(n))
		if done == len(p) {
			break
		}
		if gone(err) {
			return done, fmt.Errorf("%w: read at byte %d: %w", ErrSourceGone, off+int64(done), err)
		}
		if err == nil && n > 0 { // a short read
			tries = -1
			continue
		}
		if err == nil || errors.Is(err, io.EOF) {
			r.noteEnd(off + int64(done))
			break
		}
		r.spent.Add(int64(time.Since(start)))
		r.noteError(err)
		if n > 0 {
			tries = -1
		}
	}
	return done, nil
}

// gone tells whether an error means that there is no device any more.
func gone(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) || errors.Is(err, fs.ErrClosed) || errors.Is(err, os.ErrClosed)
}

func (r *faultReader) noteEnd(off int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended < 0 || off < r.ended {
		r.ended = off
	}
}

func (r *faultReader) endsAt(off int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended >= 0 && off >= r.ended
}

func (r *faultReader) noteError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first = err
	}
}

// holes finds what of a range the source has data for, asking it as seldom as
// it can. It is for one goroutine.
type holes struct {
	src    extentSource // nil: data everywhere
	asked  int64        // the last question
	lo, hi int64        // its answer
}

func newHoles(src Source) *holes {
	x, _ := src.(extentSource)
	return &holes{src: x, asked: 0, lo: -1, hi: -1}
}

// data appends to dst the parts of e that may hold data.
func (h *holes) data(dst []extent, e extent) []extent {
	if h.src == nil {
		return append(dst, e)
	}
	for e.Len > 0 {
		if e.Off < h.asked || e.Off >= h.hi {
			lo, hi, err := h.src.DataExtent(e.Off)
			if err != nil || lo < e.Off || hi < lo || hi <= e.Off {
				h.src = nil
				return append(dst, e)
			}
			h.asked, h.lo, h.hi = e.Off, lo, hi
		}
		if d := clip(e, h.lo, h.hi); d.Len > 0 {
			dst = append(dst, d)
		}
		next := min(h.hi, end(e))
		e = extent{Off: next, Len: end(e) - next}
	}
	return dst
}

// maxUnreadable bounds the ranges that are listed; more make the list coarser.
const maxUnreadable = 1 << 16

// badList collects the unreadable ranges of one stream, in order.
type badList struct {
	ranges *[]index.Range
	grain  int64 // 0: exact
}

func (l *badList) add(e extent, size int64) {
	if l.grain > 0 {
		lo := e.Off / l.grain * l.grain
		hi := min((end(e)+l.grain-1)/l.grain*l.grain, size)
		e = extent{Off: lo, Len: hi - lo}
	}
	list := *l.ranges
	if k := len(list) - 1; k >= 0 && e.Off <= list[k].Off+list[k].Len {
		list[k].Len = max(list[k].Off+list[k].Len, end(e)) - list[k].Off
		return
	}
	if *l.ranges = append(list, index.Range{Off: e.Off, Len: e.Len}); len(*l.ranges) > maxUnreadable {
		l.coarsen(size)
	}
}

// coarsen widens all ranges to whole blocks, or to twice what they were.
func (l *badList) coarsen(size int64) {
	l.grain = max(index.BlockSize, 2*l.grain)
	old := *l.ranges
	*l.ranges = (*l.ranges)[:0:0]
	for _, r := range old {
		l.add(extent{Off: r.Off, Len: r.Len}, size)
	}
}
