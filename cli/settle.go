package cli

import (
	"io"
	"sync"
	"time"
)

// How long and how much a settling writer holds back.
const (
	settleAfter = 50 * time.Millisecond
	settleBytes = 64 << 10
)

// settling gathers small writes: a listing has hundreds of thousands of lines,
// and a system call for each takes longer than reading them. What is written is
// on its way after settleAfter, so that whoever waits for a line gets it. It is
// safe for parallel use.
type settling struct {
	w io.Writer

	mu    sync.Mutex
	buf   []byte
	timer *time.Timer // runs while buf holds something
	err   error       // of the first write that failed; the last one
}

func (s *settling) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buf)+len(p) > settleBytes {
		s.flush()
	}
	switch {
	case s.err != nil:
		return 0, s.err
	case len(p) >= settleBytes:
		var n int
		n, s.err = s.w.Write(p)
		return n, s.err
	case len(s.buf) == 0:
		s.timer = time.AfterFunc(settleAfter, func() { s.settle() })
	}
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// settle writes out what was gathered, and tells what kept the writer from
// writing anything so far.
func (s *settling) settle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

func (s *settling) flush() {
	if len(s.buf) == 0 {
		return
	}
	s.timer.Stop()
	if s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:0]
}

// behind writes to w what comes after all that was written to first.
type behind struct {
	first *settling
	w     io.Writer
}

func (b behind) Write(p []byte) (int, error) {
	b.first.settle()
	return b.w.Write(p)
}

// gather gives s with results that are written in larger pieces, and what must
// be called at the end: it tells whether all of them could be written.
func gather(s *Streams) (*Streams, func() error) {
	out := &settling{w: s.Out}
	g := *s
	g.Out, g.Err = out, behind{out, s.Err}
	return &g, out.settle
}

// unshown is the error for results that could not be written.
func unshown(err error) error {
	if err == nil {
		return nil
	}
	return &problem{exitFailed, "standard output could not be written: " + plain(err),
		"what it got is incomplete; what the command did besides is not undone", err}
}
