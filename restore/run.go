package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"

	"vitrine/index"
)

// block is the unit in which zeros and differences are found, in bytes.
const block = 64 << 10

// maxNoted bounds the ranges that a report lists.
const maxNoted = 10000

// maxWorkers bounds what works at once, and with it memory: each has four
// buffers of a piece.
const maxWorkers = 8

// run is a plan at work.
type run struct {
	*Plan
	ctx      context.Context
	progress func(Progress)
	phase    Phase
	done     int64
	changed  bool // the target is no longer what it was
	exposed  bool // its table or boot sector may be there again
	report   Report
	sums     ledger
	pool     chan []byte
	behind   span // written to a file and not yet handed to the system
}

// Run does what the plan says. It is called once. progress, which may be nil,
// is called from one goroutine at a time.
//
// When it fails after the target was changed, the error is an
// [IncompleteError] (the target cannot be started or mounted by mistake,
// unless its phase is [Prove]) or a [DifferError]. Ending ctx stops it in the
// same way.
func (p *Plan) Run(ctx context.Context, progress func(Progress)) (*Report, error) {
	if p.target == nil {
		return nil, errNoPlan
	}
	r := &run{Plan: p, ctx: ctx, progress: progress, pool: newPool(2 * p.workers())}
	err := r.all()
	var differs *DifferError
	if err != nil && r.changed && !errors.As(err, &differs) {
		r.hide()
		err = &IncompleteError{r.Now.Path, r.phase, err}
	}
	p.target = nil
	return &r.report, err
}

// hide wipes the front of a target again that is not complete. It does what
// it can.
func (r *run) hide() {
	if r.exposed && r.phase != Prove {
		_ = errors.Join(r.wipe(), r.target.Sync())
	}
}

func (r *run) all() error {
	for _, s := range []struct {
		phase Phase
		do    func() error
	}{
		{Prepare, r.prepare},
		{Write, r.write},
		{Prove, r.prove},
	} {
		r.enter(s.phase)
		if err := s.do(); err != nil {
			return err
		}
	}
	r.enter(Done)
	return nil
}

func (r *run) enter(p Phase) {
	r.phase = p
	r.tell(0, r.Off)
}

// tell counts n bytes of work as done.
func (r *run) tell(n, off int64) {
	r.done += n
	if r.progress != nil {
		r.progress(Progress{r.phase, r.done, r.Total(), off})
	}
}

// prepare wipes what is at the front of the target, so that from here on
// nothing on it is found by mistake, and deals with free space.
func (r *run) prepare() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.Fresh {
		r.changed = true
		return r.target.SetSize(r.Size, true)
	}
	if !r.target.Fixed() && r.opts.TargetPartition == 0 {
		if err := r.target.SetSize(r.Size, false); err != nil {
			return err
		}
	}
	r.changed = true
	if err := r.wipe(); err != nil {
		return fmt.Errorf("wipe the old table: %w", err)
	}
	if err := r.target.Sync(); err != nil {
		return err
	}
	return r.clearFree()
}

// wipe overwrites the marks at the front, and of a disk those of a backup GPT
// in its last sector.
func (r *run) wipe() error {
	zeros := make([]byte, wipeSize)
	if _, err := r.target.WriteAt(zeros[:min(wipeSize, r.Size)], r.Off); err != nil {
		return err
	}
	const end = 4096 // the largest sector
	if last := r.target.Size() - end; r.Whole && last >= wipeSize {
		_, err := r.target.WriteAt(zeros[:end], last)
		return err
	}
	return nil
}

// clearFree discards or zeroes what is free in the image or was left out of it.
func (r *run) clearFree() error {
	do := r.target.Discard
	switch {
	case r.opts.ZeroFree:
		do = r.target.Zero
	case !r.opts.Discard:
		return nil
	}
	var failed error
	err := r.content.extents(r.ctx, span{0, r.Size}, func(e Extent) bool {
		if e.Kind == index.Hole || e.Kind == index.NotCaptured {
			failed = r.clearRange(do, span{e.Off, e.Off + e.Len})
		}
		return failed == nil
	})
	if failed != nil && r.opts.Discard && !r.opts.ZeroFree {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("free space was not given back: %v", failed))
		failed = r.ctx.Err()
	}
	return firstError(failed, err)
}

// clearRange works in steps, so that it can be stopped.
func (r *run) clearRange(do func(off, n int64) error, s span) error {
	const step = 1 << 30
	for at := s.off; at < s.end; at += step {
		n := min(step, s.end-at)
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := do(r.Off+at, n); err != nil {
			return err
		}
		r.report.Discarded += n
		if r.opts.ZeroFree {
			r.tell(n, r.Off+at)
		}
	}
	return nil
}

// write does the stages, with the target flushed after each.
func (r *run) write() error {
	for i, s := range r.stages {
		f := r.flow(r.carry, r.enterPiece)
		f.ahead = r.reserve
		r.exposed = i == len(r.stages)-1
		if err := f.run(r.ctx, s.spans); err != nil {
			return err
		}
		r.flushBehind()
		r.enter(Flush)
		if err := r.target.Sync(); err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		r.enter(Write)
	}
	r.phase = Flush
	r.sums.close()
	if err := r.target.RereadTable(); err != nil {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("the system still has the old partition table: %v", err))
	}
	return nil
}

func (r *run) flow(carry func(context.Context, *piece), take func(context.Context, *piece) error) *flow {
	return &flow{content: r.content, workers: r.workers(), pool: r.pool, skip: r.idle, carry: carry, take: take}
}

// reserve has a new file's space allocated: several can write into that at
// once, into holes only one.
func (r *run) reserve(e Extent) error {
	if !r.Fresh || e.Kind != index.Data {
		return nil
	}
	return r.target.Reserve(r.Off+e.Off, e.Len)
}

// workers are two more than processors, so that these have work while others
// wait for the medium.
func (p *Plan) workers() int {
	if p.opts.Workers > 0 {
		return p.opts.Workers
	}
	return min(runtime.GOMAXPROCS(0)+2, maxWorkers)
}

// idle are the kinds that need no writing.
func (r *run) idle(k index.Kind) bool {
	switch k {
	case index.Data:
		return false
	case index.Zero, index.Unreadable:
		return r.Fresh
	}
	return true
}

// carry brings a piece from the image to the target.
func (r *run) carry(ctx context.Context, q *piece) {
	r.fetch(ctx, q)
	if q.err != nil || ctx.Err() != nil {
		return
	}
	q.sum = maphash.Bytes(seed, q.buf)
	if err := r.put(q); err != nil {
		q.err = fmt.Errorf("write: %w", err)
	}
}

// fetch reads a piece from the image, and for a delta from the target.
func (r *run) fetch(ctx context.Context, q *piece) {
	if q.zero {
		clear(q.buf)
	} else if err := r.content.read(ctx, q.buf, q.off); err != nil {
		r.fetchBlocks(ctx, q, err)
	}
	if !r.opts.Delta || q.err != nil {
		q.old = nil
		return
	}
	if n, _ := r.target.ReadAt(q.old, r.Off+q.off); n < q.n {
		q.old = nil // cannot be read: write it
	}
}

// fetchBlocks reads a piece that failed block by block; those that stay bad
// are zeros.
func (r *run) fetchBlocks(ctx context.Context, q *piece, err error) {
	if !r.opts.SkipDamaged || ctx.Err() != nil {
		q.err = fmt.Errorf("read the image: %w", err)
		return
	}
	for at := 0; at < q.n; at += block {
		b := q.buf[at:min(at+block, q.n)]
		if err := r.content.read(ctx, b, q.off+int64(at)); err != nil {
			clear(b)
			q.bad = append(q.bad, Damage{index.Range{Off: r.Off + q.off + int64(at), Len: int64(len(b))}, err})
		}
	}
	q.err = ctx.Err()
}

// put writes what of a piece has to be written.
func (r *run) put(q *piece) error {
	switch {
	case q.old != nil:
		return r.putRuns(q, &q.same, func(b []byte, at int) bool { return bytes.Equal(b, q.old[at:at+len(b)]) })
	case r.Fresh:
		return r.putRuns(q, &q.sparse, func(b []byte, _ int) bool { return allZero(b) })
	case q.zero:
		q.written += int64(q.n)
		return r.target.Zero(r.Off+q.off, int64(q.n))
	}
	return r.putBytes(q, 0, q.n)
}

// putRuns writes runs of blocks for which same does not hold, and counts the
// others.
func (r *run) putRuns(q *piece, count *int64, same func(b []byte, at int) bool) error {
	from := 0 // of the run that is to be written
	for at := 0; at < q.n; at += block {
		b := q.buf[at:min(at+block, q.n)]
		if !same(b, at) {
			continue
		}
		*count += int64(len(b))
		if err := r.putBytes(q, from, at); err != nil {
			return err
		}
		from = at + len(b)
	}
	return r.putBytes(q, from, q.n)
}

func (r *run) putBytes(q *piece, from, to int) error {
	if from == to {
		return nil
	}
	q.written += int64(to - from)
	_, err := r.target.WriteAt(q.buf[from:to], r.Off+q.off+int64(from))
	return err
}

// enterPiece enters a piece that was written into the report and the ledger.
func (r *run) enterPiece(_ context.Context, q *piece) error {
	r.report.Damaged = append(r.report.Damaged, q.bad[:min(len(q.bad), maxNoted-len(r.report.Damaged))]...)
	r.report.Written += q.written
	r.report.Same += q.same
	r.report.Sparse += q.sparse
	r.sums.add(q)
	r.writeBehind(span{r.Off + q.off, r.Off + q.off + int64(q.n)})
	r.tell(int64(q.n), r.Off+q.off)
	return nil
}

// writeBehind keeps the system from collecting much that is not written yet.
func (r *run) writeBehind(s span) {
	if r.target.Fixed() {
		return
	}
	if r.behind.len() == 0 || s.off < r.behind.end {
		r.flushBehind()
		r.behind = s
		return
	}
	r.behind.end = s.end
	if r.behind.len() >= 32<<20 {
		r.flushBehind()
	}
}

func (r *run) flushBehind() {
	if r.behind.len() > 0 {
		r.target.WriteBehind(r.behind.off, r.behind.len())
	}
	r.behind = span{}
}

var zeroBlock = make([]byte, block)

func allZero(b []byte) bool { return bytes.Equal(b, zeroBlock[:len(b)]) }

// listUnreadable notes where zeros stand for what the source did not give.
func (r *run) listUnreadable() error {
	return r.content.extents(r.ctx, span{0, r.Size}, func(e Extent) bool {
		if e.Kind == index.Unreadable {
			r.report.Unreadable = append(r.report.Unreadable, index.Range{Off: r.Off + e.Off, Len: e.Len})
		}
		return len(r.report.Unreadable) < maxNoted
	})
}

// sortRanges puts ranges in order and joins those that touch.
func sortRanges(in []index.Range) (out []index.Range) {
	slices.SortFunc(in, func(a, b index.Range) int { return int(min(max(a.Off-b.Off, -1), 1)) })
	for _, x := range in {
		if n := len(out); n > 0 && out[n-1].Off+out[n-1].Len == x.Off {
			out[n-1].Len += x.Len
			continue
		}
		out = append(out, x)
	}
	return out
}
