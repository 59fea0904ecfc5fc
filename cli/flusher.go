package cli

import (
	"sync"
	"time"
)

// A copy sends what it wrote to the disk when there is as much of it as the disk
// took in flushTime lately, within bounds, and waits for the disk when twice as
// much is behind.
const (
	flushTime  = time.Second / 2
	leastFlush = 4 << 20
	mostFlush  = 64 << 20
)

// flusher brings what a copy wrote through the system's cache to the disk while
// the copy goes on, and tells of it then: what is not on the disk is not done,
// and a slow disk is known from the start, not from a long wait at the end.
type flusher struct {
	sync func() error  // waits until all that was written is on the disk
	done func(n int64) // so many bytes are

	mu      sync.Mutex
	caught  sync.Cond // a flush has ended
	piece   int64     // how much is flushed at a time
	behind  int64     // bytes written since the last flush began
	busy    bool      // one is under way
	began   time.Time // the last one
	problem error     // the first one
}

func newFlusher(flush func() error, done func(n int64)) *flusher {
	f := &flusher{sync: flush, done: done, piece: leastFlush, began: time.Now()}
	f.caught.L = &f.mu
	return f
}

// wrote counts n bytes more, and waits if the disk is too far behind.
func (f *flusher) wrote(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind += n
	if !f.busy && (f.behind >= f.piece || time.Since(f.began) >= flushTime) {
		f.begin()
	}
	for f.busy && f.behind >= f.piece {
		f.caught.Wait()
	}
}

// begin flushes what is behind, for those who hold the lock.
func (f *flusher) begin() {
	n := f.behind
	f.behind, f.busy, f.began = 0, true, time.Now()
	go func() {
		err := f.sync()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.busy = false
		rate := float64(n) / max(time.Since(f.began), time.Microsecond).Seconds()
		f.piece = min(max(int64(rate*flushTime.Seconds()), leastFlush), mostFlush, 2*f.piece)
		if f.problem == nil {
			f.problem = err
		}
		f.caught.Broadcast()
		f.done(n)
	}()
}

// end flushes the rest.
func (f *flusher) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.busy {
		f.caught.Wait()
	}
	f.begin()
	for f.busy {
		f.caught.Wait()
	}
	return f.problem
}
