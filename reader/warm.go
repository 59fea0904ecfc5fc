package reader

import (
	"context"
	"time"
)

// Bounds of Warm.
const (
	slowHead = 2 * time.Millisecond // a disk that takes longer is better left to those who wait for it …
	slowMost = 3                    // … after that often
)

// Warm reads the heads of segments before a read needs them, newest member
// first, until half the page cache is full. It is for points that will be read
// at random for long, and to be run beside them; it ends early on a disk that
// has to move its heads, with ctx, and when the point is closed. What it cannot
// read is left to the reads.
func (p *Point) Warm(ctx context.Context) {
	for i, slow := len(p.members)-1, 0; i >= 0; i-- {
		for seg := uint64(0); ; seg++ {
			began := time.Now()
			if ctx.Err() != nil || slow >= slowMost || !p.pool.pages.roomy() || p.enter() != nil {
				return
			}
			_, err := p.segment(&p.members[i], seg)
			p.leave()
			if time.Since(began) > slowHead {
				slow++
			}
			if err != nil {
				break // behind the last one, most likely
			}
		}
	}
}

// roomy reports whether less than half of the cache is used.
func (c *pageCache) roomy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes < c.limit/2
}
