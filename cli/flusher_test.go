package cli

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// What was written is done when it is on the disk, all of it at the end, and a
// disk that falls behind is waited for.
func TestFlusher(t *testing.T) {
	var done, flushes atomic.Int64
	gate := make(chan struct{})
	f := newFlusher(func() error { flushes.Add(1); <-gate; return nil }, func(n int64) { done.Add(n) })
	f.wrote(leastFlush) // begins a flush
	f.wrote(leastFlush - 1)
	if done.Load() != 0 {
		t.Errorf("%d bytes are done before any is on the disk", done.Load())
	}
	var writer sync.WaitGroup
	var through atomic.Bool
	writer.Go(func() { f.wrote(1); through.Store(true) })
	if through.Load() {
		t.Error("the writer did not wait")
	}
	gate <- struct{}{}
	writer.Wait()
	if done.Load() != leastFlush {
		t.Errorf("%d bytes are done", done.Load())
	}
	close(gate)
	if f.piece < leastFlush || f.piece > mostFlush {
		t.Errorf("%d bytes are flushed at a time", f.piece)
	}
	if err := f.end(); err != nil || done.Load() != 2*leastFlush || flushes.Load() < 2 {
		t.Errorf("%d bytes in %d flushes, %v", done.Load(), flushes.Load(), err)
	}
}

func TestFlusherKeepsTheError(t *testing.T) {
	bad := errors.New("disk gone")
	var n atomic.Int64
	f := newFlusher(func() error {
		if n.Add(1) == 1 {
			return bad
		}
		return nil
	}, func(int64) {})
	f.wrote(leastFlush)
	f.wrote(leastFlush)
	if err := f.end(); err != bad {
		t.Error(err)
	}
}
