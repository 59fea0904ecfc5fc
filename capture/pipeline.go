package capture

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vitrine/index"
)

// checkpointEvery bounds what a crash can cost while data flows.
const checkpointEvery = 10 * time.Second

// pipeline moves windows from the source into the member: one goroutine plans
// them in order, workers read, hash and compress, and the caller's goroutine
// appends them in order.
type pipeline struct {
	plan   *plan
	reader *faultReader
	o      *Options
	w      *index.Writer
	meter  *meter

	free  *jobs
	work  chan *job
	order chan *job

	at      position
	refs    [index.LeafBlocks]index.Ref
	parents map[uint16]*parentStream
	bad     map[uint16]*badList
	stats   index.Stats
	saved   time.Time // last checkpoint

	uncompared int
	whyNot     error
}

// position is the leaf that is being put together.
type position struct {
	stream int    // index in the plan
	leaf   uint64 // its leaves before this one are recorded
	open   bool   // refs holds blocks of leaf
}

func newPipeline(p *plan, r *faultReader, o *Options, w *index.Writer, m *meter) *pipeline {
	l := &pipeline{plan: p, reader: r, o: o, w: w, meter: m, parents: map[uint16]*parentStream{}, bad: map[uint16]*badList{}, saved: time.Now()}
	n := o.Workers + 1 + max(spare, o.Workers/2)
	l.free, l.work, l.order = newJobs(n), make(chan *job, n), make(chan *job, n)
	for _, s := range p.streams {
		l.parents[s.id] = newParentStream(o.Parent, s.id, s.size)
		l.bad[s.id] = &badList{ranges: s.bad}
	}
	return l
}

// run moves everything. It returns when all its goroutines have ended.
func (l *pipeline) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(l.work)
		err := l.produce(ctx)
		if err == nil {
			close(l.order)
		}
		return err
	})
	for range l.o.Workers {
		enc, err := newEncoder(l.o.Level)
		if err != nil {
			return err
		}
		w := &worker{r: l.reader, holes: newHoles(l.reader.src), enc: enc, parent: l.o.Parent}
		g.Go(func() error {
			defer enc.close()
			for j := range l.work {
				w.run(ctx, j)
			}
			return nil
		})
	}
	g.Go(func() error { return l.append(ctx) })
	return g.Wait()
}

// produce plans the windows of all streams.
func (l *pipeline) produce(ctx context.Context) error {
	for _, s := range l.plan.streams {
		var err error
		if s.mode == modeNone {
			err = l.produceNone(ctx, s)
		} else {
			err = l.produceUsed(ctx, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spare windows are what the workers go on with while a segment is written and
// synced.
const spare = 24

// jobs are the free jobs. The one that was used last is given first, since
// caches still hold its buffers.
type jobs struct {
	mu    sync.Mutex
	stack []*job
	count chan struct{} // as many as there are
}

func newJobs(n int) *jobs {
	f := &jobs{count: make(chan struct{}, n)}
	for range n {
		f.put(newJob())
	}
	return f
}

func (f *jobs) put(j *job) {
	f.mu.Lock()
	f.stack = append(f.stack, j)
	f.mu.Unlock()
	f.count <- struct{}{}
}

// get waits for a free job.
func (f *jobs) get(ctx context.Context) (*job, error) {
	select {
	case <-f.count:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	last := len(f.stack) - 1
	j := f.stack[last]
	f.stack = f.stack[:last]
	return j, nil
}

// send hands a job to a worker and to the appender. Neither blocks: the
// channels have room for every job.
func (l *pipeline) send(j *job) {
	l.work <- j
	l.order <- j
}

// produceNone plans the leaves of a partition that was not selected.
func (l *pipeline) produceNone(ctx context.Context, s *stream) error {
	for off := int64(0); off < s.size; off += leafBytes {
		j, err := l.free.get(ctx)
		if err != nil {
			return err
		}
		j.reset(s, off, 0)
		j.whole = true
		l.send(j)
	}
	return nil
}

const leafBytes = index.LeafBlocks * index.BlockSize

// produceUsed plans a window wherever something is in use.
func (l *pipeline) produceUsed(ctx context.Context, s *stream) error {
	c := newCursor(s.used(), s.size)
	defer c.stop()
	var refs [index.LeafBlocks]index.Ref
	leaf, loaded := uint64(0), false
	for c.cur.Len > 0 {
		j, err := l.free.get(ctx)
		if err != nil {
			return err
		}
		off := c.cur.Off / window * window
		j.reset(s, off, int(min(window, (s.size-off+index.BlockSize-1)/index.BlockSize*index.BlockSize)/index.BlockSize))
		j.used = c.take(j.used, off, off+window)
		j.cover()
		if p := l.parents[s.id]; !loaded || j.leaf != leaf {
			if err := p.leaf(j.leaf, &refs); err != nil {
				return fmt.Errorf("read the parent's index: %w", err)
			}
			leaf, loaded = j.leaf, true
		}
		copy(j.was[:j.n], refs[uint64(off)/index.BlockSize%index.LeafBlocks:])
		l.send(j)
	}
	return c.err
}

// append writes finished windows in order.
func (l *pipeline) append(ctx context.Context) error {
	for {
		select {
		case j, ok := <-l.order:
			if !ok {
				return l.end(ctx)
			}
			if err := l.wait(ctx, j); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *pipeline) wait(ctx context.Context, j *job) error {
	select {
	case <-j.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := cmp.Or(ctx.Err(), j.err); err != nil { // both channels may have been ready
		return err
	}
	if err := l.enter(ctx, j); err != nil {
		return err
	}
	l.free.put(j)
	return l.checkpoint()
}

func (l *pipeline) checkpoint() error {
	if time.Since(l.saved) < checkpointEvery {
		return nil
	}
	l.saved = time.Now()
	if err := l.w.Checkpoint(); err != nil {
		return &outputError{err}
	}
	return nil
}

// end records the last leaf and what follows it. The producer closes order
// only when it has planned everything.
func (l *pipeline) end(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.goTo(ctx, len(l.plan.streams), 0)
}

// enter puts a window's blocks into the member and the map.
func (l *pipeline) enter(ctx context.Context, j *job) error {
	if err := l.goTo(ctx, l.streamIndex(j.stream), j.leaf); err != nil {
		return err
	}
	l.at.open = true
	l.meter.item(j.stream.label)
	if j.whole {
		l.fillNotCaptured(j)
		return nil
	}
	first := uint64(j.off) / index.BlockSize
	for i := range j.blocks[:j.n] {
		ref, err := l.block(j, first+uint64(i), &j.blocks[i], j.was[i])
		if err != nil {
			return &outputError{err}
		}
		l.refs[(first+uint64(i))%index.LeafBlocks] = ref
	}
	l.account(j)
	return nil
}

func (l *pipeline) streamIndex(s *stream) int {
	i := l.at.stream
	for l.plan.streams[i] != s {
		i++
	}
	return i
}

func (l *pipeline) fillNotCaptured(j *job) {
	blocks := (j.stream.size + index.BlockSize - 1) / index.BlockSize
	for i := range l.refs {
		if int64(j.leaf)*index.LeafBlocks+int64(i) < blocks {
			l.refs[i] = index.Ref{Kind: index.NotCaptured}
		}
	}
}

// block stores one block, if it must be, and gives its ref.
func (l *pipeline) block(j *job, n uint64, b *block, was index.Ref) (index.Ref, error) {
	switch {
	case b.kind == index.Zero:
		l.stats.ZeroBlocks++
	case b.kind == index.Data && b.same:
		l.stats.Same += index.BlockSize
		return was, nil
	case b.kind == index.Data:
		l.stats.Chunks++
		l.stats.Changed += index.BlockSize
		l.stats.Stored += int64(len(b.stored))
		return l.w.Chunk(index.Chunk{Stream: j.stream.id, Block: n, Codec: b.codec, Hash: b.hash, Stored: b.stored})
	}
	return index.Ref{Kind: b.kind}, nil
}

// account notes what a window says besides its blocks.
func (l *pipeline) account(j *job) {
	for _, e := range j.bad {
		l.bad[j.stream.id].add(e, j.stream.size)
	}
	if j.uncompared != nil {
		l.uncompared++
		l.whyNot = j.uncompared
	}
	l.stats.Unreadable += j.lost
	l.meter.add(j.bytes, &l.stats)
}

// goTo records the open leaf and, where the parent knows more, the empty leaves
// up to the given one.
func (l *pipeline) goTo(ctx context.Context, stream int, leaf uint64) error {
	for l.at.stream < stream {
		s := l.plan.streams[l.at.stream]
		size := index.StreamRoot{Size: s.size}
		if err := l.leavesUpTo(ctx, s, size.Leaves()); err != nil {
			return err
		}
		l.at = position{stream: l.at.stream + 1}
	}
	if stream == len(l.plan.streams) {
		return nil
	}
	return l.leavesUpTo(ctx, l.plan.streams[stream], leaf)
}

// leavesUpTo may have a thousand million leaves before it, in the largest stream.
func (l *pipeline) leavesUpTo(ctx context.Context, s *stream, leaf uint64) error {
	p := l.parents[s.id]
	for l.at.leaf < leaf {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.at.open || p != nil && p.sized {
			if err := l.w.Leaf(s.id, l.at.leaf, &l.refs); err != nil {
				return &outputError{err}
			}
		}
		if l.at.open {
			clear(l.refs[:])
		}
		l.at.leaf, l.at.open = l.at.leaf+1, false
	}
	return nil
}

// outputError marks errors of writing the member.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }
