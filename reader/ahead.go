package reader

import (
	"runtime"
	"sync"

	"vitrine/index"
)

// Read-ahead: when reads of a view go on where others ended, what follows is
// brought into the cache by goroutines of the pool, in steps of aheadStep, from
// a window that doubles up to maxWindow.
const (
	minWindow  = 256 << 10
	maxWindow  = 8 << 20
	aheadStep  = groupChunks * index.BlockSize
	aheadSlack = 2 << 20 // how far behind the furthest read one still goes on with it
	maxRuns    = 8       // sequential readers of one view that are told apart
)

// readAhead notices sequential reads of one view.
type readAhead struct {
	v     *View
	mu    sync.Mutex
	runs  [maxRuns]seqRun
	clock uint64
}

// seqRun is one sequential reader.
type seqRun struct {
	next   int64 // behind the furthest byte read
	done   int64 // behind the furthest byte asked of read-ahead
	window int64
	reads  int
	used   uint64 // clock of the last read
}

// note enters a read, and asks for what should follow it.
func (a *readAhead) note(off, n int64) {
	if a.v.p.o.NoReadAhead || a.v.p.o.Once {
		return
	}
	from, to := a.advance(off, n)
	for ; from < to; from += aheadStep {
		if !a.v.p.pool.ahead.add(aheadJob{a.v, from, min(aheadStep, to-from)}) {
			a.missed(from)
			return
		}
	}
}

// advance finds the run that a read belongs to and gives the range to ask for.
func (a *readAhead) advance(off, n int64) (from, to int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	r := a.run(off)
	r.used = a.clock
	if off+n <= r.next {
		return 0, 0
	}
	r.next = off + n
	if r.reads++; r.reads < 2 {
		return 0, 0
	}
	limit := min(maxWindow, a.v.p.pool.ahead.window)
	r.window = min(max(2*r.window, minWindow, 2*n), limit)
	r.done = max(r.done, r.next)
	if r.done-r.next > r.window/2 {
		return 0, 0
	}
	from, to = r.done, min(r.next+r.window, a.v.size)
	r.done = max(from, to)
	return from, to
}

// run finds the run that a read at off goes on with, or begins one in place of
// the one that was used longest ago.
func (a *readAhead) run(off int64) *seqRun {
	oldest := &a.runs[0]
	for i := range a.runs {
		r := &a.runs[i]
		if r.used > 0 && off >= r.next-aheadSlack && off <= r.next+r.window/4 {
			return r
		}
		if r.used < oldest.used {
			oldest = r
		}
	}
	*oldest = seqRun{next: off, done: off}
	return oldest
}

// missed takes back what the queue had no room for.
func (a *readAhead) missed(from int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.runs {
		if r := &a.runs[i]; r.done > from && r.next <= from {
			r.done = from
		}
	}
}

// aheadJob is a range of a view to bring into the cache.
type aheadJob struct {
	v      *View
	off, n int64
}

// aheadQueue is the pool's queue of read-ahead and its workers, which start
// with the first job.
type aheadQueue struct {
	workers int
	window  int64 // bound for one run
	jobs    chan aheadJob
	start   sync.Once
	wg      sync.WaitGroup
	mu      sync.RWMutex
	closed  bool
}

func (q *aheadQueue) init(p *Pool, workers int) {
	cache := int64(p.chunks.limit) * index.BlockSize
	q.workers, q.window = workers, cache/8
	q.jobs = make(chan aheadJob, max(cache/2/aheadStep, 1))
}

// add queues a job; false: there is no room. It never waits.
func (q *aheadQueue) add(j aheadJob) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return false
	}
	q.start.Do(q.run)
	select {
	case q.jobs <- j:
		return true
	default:
		return false
	}
}

func (q *aheadQueue) run() {
	for range q.workers {
		q.wg.Go(func() {
			for j := range q.jobs {
				j.do()
			}
		})
	}
}

func (q *aheadQueue) close() {
	q.mu.Lock()
	was := q.closed
	q.closed = true
	q.mu.Unlock()
	if !was {
		close(q.jobs)
		q.wg.Wait()
	}
}

// do brings the job's range into the cache. Errors are left to the reads.
func (j aheadJob) do() {
	if j.v.p.enter() != nil {
		return
	}
	defer j.v.p.leave()
	j.v.p.pool.loading.Add(1)
	defer j.v.p.pool.loading.Add(-1)
	for i := j.v.spanAt(j.off); i < len(j.v.spans) && j.v.spans[i].off < j.off+j.n; i++ {
		sp := &j.v.spans[i]
		from, to := max(j.off, sp.off), min(j.off+j.n, sp.off+sp.n)
		if sp.s != nil {
			sp.s.prefetch(from-sp.off+sp.at, to-from)
		}
	}
}

// prefetch brings n bytes from off of the stream into the cache.
func (s *stream) prefetch(off, n int64) {
	for end := off + n; off < end; {
		block, in := uint64(off/index.BlockSize), off%index.BlockSize
		ref, run, err := s.blocks.Lookup(block)
		if err != nil {
			return
		}
		took := min(end-off, int64(min(run, maxRun))*index.BlockSize-in)
		if ref.Kind == index.Data {
			s.prefetchRun(ref, in, took)
		}
		off += took
	}
}

// prefetchRun brings chunks that follow each other into the cache, a group at a
// time, letting other goroutines run in between.
func (s *stream) prefetchRun(ref index.Ref, in, n int64) {
	m, err := s.p.member(ref.Member)
	if err != nil {
		return
	}
	chunks := uint64((in + n + index.BlockSize - 1) / index.BlockSize)
	for chunks > 0 {
		k := min(chunks, groupChunks, index.SegmentChunks-ref.Chunk%index.SegmentChunks)
		s.p.loadGroup(m, ref.Chunk, int(k))
		ref.Chunk, chunks = ref.Chunk+k, chunks-k
		runtime.Gosched()
	}
}
