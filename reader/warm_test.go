package reader

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// heads counts the heads of segments in a pool's cache.
func heads(p *Pool) (n int) {
	p.pages.mu.Lock()
	defer p.pages.mu.Unlock()
	for _, pg := range p.pages.m {
		if _, ok := pg.v.(*index.Segment); ok {
			n++
		}
	}
	return n
}

func TestWarm(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	paths, want := writeChain(t, set, 3, func(i int) int { return i - 1 })
	p := open(t, paths[2], Options{})
	p.Warm(t.Context())
	n := heads(p.pool)
	if n < len(p.members) {
		t.Fatalf("%d heads of %d members", n, len(p.members))
	}
	comparePoint(t, p, want[2])
	if m := heads(p.pool); m != n {
		t.Errorf("reads needed %d heads more", m-n)
	}
}

// TestWarmEnds has it end with its context, with the point, and with a damaged
// or missing member.
func TestWarmEnds(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	paths, _ := writeChain(t, set, 3, func(i int) int { return i - 1 })
	p := open(t, paths[2], Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Warm(ctx)
	if n := heads(p.pool); n != 0 {
		t.Errorf("%d heads after the end", n)
	}
	p.Close()
	p.Warm(t.Context())
	if err := os.Remove(paths[0]); err != nil {
		t.Fatal(err)
	}
	p = open(t, paths[2], Options{})
	done := make(chan struct{})
	go func() { p.Warm(t.Context()); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it goes on without the full")
	}
	if _, err := p.segment(&p.members[0], 0); !errors.Is(err, ErrMissing) {
		t.Errorf("the missing member: %v", err)
	}
}
