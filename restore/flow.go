package restore

import (
	"context"
	"sync"

	"vitrine/index"
)

// pieceSize is the most that is handled at once, in bytes.
const pieceSize = 1 << 20

// piece is a range of the content on its way. buf is what the source holds,
// old what the target holds; both only where they are needed.
type piece struct {
	off  int64 // in the content
	n    int
	zero bool // all zeros; nothing has to be read
	buf  []byte
	old  []byte
	sum  uint64 // of buf, for the ledger
	bad  []Damage
	err  error
	done chan struct{}

	written, same, sparse int64 // bytes, as in Report
}

// flow handles the spans of a content: carry does the work on a piece, in
// parallel; take is told of the pieces in order and alone. Memory is bounded by
// the pool of buffers, of which each piece has two.
type flow struct {
	content *content
	workers int
	pool    chan []byte
	skip    func(index.Kind) bool // kinds that are no work
	ahead   func(Extent) error    // told of each extent before its pieces are carried; may be nil
	carry   func(context.Context, *piece)
	take    func(context.Context, *piece) error
}

// newPool has n pairs of buffers; they are allocated when first used.
func newPool(n int) chan []byte {
	pool := make(chan []byte, n)
	for range n {
		pool <- nil
	}
	return pool
}

// run handles spans and returns when all its goroutines have ended.
func (f *flow) run(ctx context.Context, spans []span) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *piece)
	order := make(chan *piece, cap(f.pool)) // never blocks: a piece holds a buffer
	var wg sync.WaitGroup
	for range f.workers {
		wg.Go(func() { f.work(own, work) })
	}
	var cutErr error
	wg.Go(func() {
		defer close(order)
		defer close(work)
		cutErr = f.cut(own, spans, work, order)
	})
	err := f.collect(own, cancel, order)
	wg.Wait()
	return firstError(err, ctx.Err(), cutErr)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// work carries pieces until there are no more.
func (f *flow) work(ctx context.Context, work <-chan *piece) {
	for q := range work {
		f.carry(ctx, q)
		close(q.done)
	}
}

// collect takes the pieces in order; after an error it only lets them go.
func (f *flow) collect(ctx context.Context, cancel func(), order <-chan *piece) (err error) {
	for q := range order {
		<-q.done
		if err == nil {
			if err = firstError(q.err, ctx.Err()); err == nil {
				err = f.take(ctx, q)
			}
			if err != nil {
				cancel()
			}
		}
		f.pool <- q.buf[:cap(q.buf)]
	}
	return err
}

// cut makes pieces of all that is work.
func (f *flow) cut(ctx context.Context, spans []span, work, order chan<- *piece) (err error) {
	for _, s := range spans {
		xerr := f.content.extents(ctx, s, func(e Extent) bool {
			if f.skip(e.Kind) {
				return true
			}
			if f.ahead != nil {
				err = f.ahead(e)
			}
			if err == nil {
				err = f.cutExtent(ctx, e, work, order)
			}
			return err == nil
		})
		if err := firstError(err, xerr); err != nil {
			return err
		}
	}
	return nil
}

func (f *flow) cutExtent(ctx context.Context, e Extent, work, order chan<- *piece) error {
	for at, end := e.Off, e.Off+e.Len; at < end; {
		q := &piece{off: at, n: int(min(pieceSize, end-at)), zero: e.Kind != index.Data, done: make(chan struct{})}
		if err := f.buffer(ctx, q); err != nil {
			return err
		}
		select {
		case work <- q:
			order <- q
		case <-ctx.Done():
			return ctx.Err()
		}
		at += int64(q.n)
	}
	return nil
}

// buffer waits until memory is free and gives q its share: one half for the
// source, one for the target.
func (f *flow) buffer(ctx context.Context, q *piece) error {
	select {
	case b := <-f.pool:
		if b == nil {
			b = make([]byte, 2*pieceSize)
		}
		q.buf, q.old = b[:q.n], b[pieceSize:pieceSize+q.n]
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
