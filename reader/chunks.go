package reader

import (
	"sync"

	"vitrine/index"
)

// chunkCache keeps decoded chunks in a fixed number of buffers of BlockSize
// bytes. A chunk in use is pinned; all others can be evicted, by S3-FIFO: new
// chunks pass a small queue, and only those used again reach the main queue, so
// that one pass over a large file does not push out what is used all the time.
// Whoever finds a chunk missing loads it; others wait for that.
type chunkCache struct {
	mu     sync.Mutex
	freed  *sync.Cond // a buffer was freed or a chunk unpinned
	m      map[chunkKey]*chunk
	free   [][]byte
	made   int // buffers made so far …
	limit  int // … and at most
	arena  arena
	small  queue
	main   queue
	ghosts ghosts // keys that left the small queue unused
	stats  Stats
}

// chunkKey names a chunk's contents: the directory that proves it, by its
// number in the pool, and the chunk's number.
type chunkKey struct {
	dir   uint32
	chunk uint64
}

type chunk struct {
	key   chunkKey
	buf   []byte // of bufferSize; plain data in front once loaded
	pins  int
	uses  uint8 // 0 to 3
	ahead bool  // read ahead and not yet used
	next  int   // where the last read of it ended: reading on is no second use
	done  chan struct{}
	err   error
	ready bool

	queue      *queue
	prev, succ *chunk
}

// Stats counts what a pool did.
type Stats struct {
	Hits, Loads, Evictions int64 // of chunks
	PageReads              int64 // index pages and segment heads that were read
	Pages                  int64 // … and that were asked for
	Buffers                int   // chunk buffers made, of BlockSize bytes
}

// minChunks is the least number of buffers: enough for every worker of a large
// machine to hold one.
const minChunks = 64

// bufferSize is a chunk and room behind it: the zstd decoder is a good deal
// faster when it may write up to 16 bytes past a block.
const bufferSize = index.BlockSize + 64

func newChunkCache(bytes int64) *chunkCache {
	c := &chunkCache{m: map[chunkKey]*chunk{}, limit: int(max(bytes/index.BlockSize, minChunks))}
	c.freed = sync.NewCond(&c.mu)
	c.ghosts.init(c.limit)
	return c
}

// claim tells what is to be done about a chunk.
type claim int

const (
	hit  claim = iota // it is there, and pinned for the caller
	mine              // the caller must load it: fill, then ready or fail
	busy              // another goroutine loads it: wait for done, claim again
)

// claim looks a chunk up for a read of the bytes from to to; ahead: for
// read-ahead.
func (c *chunkCache) claim(key chunkKey, from, to int, ahead bool) (*chunk, claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.m[key]
	switch {
	case ch == nil:
		ch = &chunk{key: key, pins: 1, ahead: ahead, next: to, done: make(chan struct{})}
		c.m[key] = ch
		c.stats.Loads++
		return ch, mine
	case !ch.ready:
		return ch, busy
	case !ahead:
		ch.use(from, to)
		c.stats.Hits++
	}
	ch.pins++
	return ch, hit
}

// use counts a use, unless it is the first one after read-ahead or goes on
// where the last one ended.
func (ch *chunk) use(from, to int) {
	if !ch.ahead && from != ch.next {
		ch.uses = min(ch.uses+1, 3)
	}
	ch.ahead, ch.next = false, to
}

// room gives a claimed chunk its buffer, evicting or waiting for one.
func (c *chunkCache) room(ch *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch.buf = c.buffer(); ch.buf == nil; ch.buf = c.buffer() {
		c.freed.Wait()
	}
}

func (c *chunkCache) buffer() []byte {
	if n := len(c.free); n > 0 {
		b := c.free[n-1]
		c.free = c.free[:n-1]
		return b
	}
	if c.made < c.limit {
		c.made++
		return c.arena.buffer()
	}
	return c.evict()
}

// evict takes the buffer of the chunk that is least worth keeping; nil if all
// are pinned.
func (c *chunkCache) evict() []byte {
	for range 5 * (c.small.n + c.main.n) {
		q := &c.main
		if c.small.n > c.limit/4 || c.main.n == 0 {
			q = &c.small
		}
		ch := q.pop()
		switch {
		case ch.pins > 0:
			q.push(ch)
		case q == &c.small && ch.ahead:
			ch.ahead = false
			q.push(ch)
		case q == &c.small && ch.uses > 0:
			ch.uses = 0
			c.main.push(ch)
		case ch.uses > 0:
			ch.uses--
			q.push(ch)
		default:
			if q == &c.small {
				c.ghosts.add(ch.key)
			}
			return c.drop(ch)
		}
	}
	return nil
}

func (c *chunkCache) drop(ch *chunk) []byte {
	delete(c.m, ch.key)
	c.stats.Evictions++
	return ch.buf
}

// ready publishes a chunk that was filled. With keep it stays pinned for the
// caller.
func (c *chunkCache) ready(ch *chunk, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.ready = true
	if !keep {
		ch.pins--
		c.freed.Signal()
	}
	if c.ghosts.remove(ch.key) {
		c.main.push(ch)
	} else {
		c.small.push(ch)
	}
	close(ch.done)
}

// fail gives up a claimed chunk; those who wait for it get err.
func (c *chunkCache) fail(ch *chunk, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, ch.key)
	ch.err = err
	if ch.buf != nil {
		c.free = append(c.free, ch.buf)
		c.freed.Signal()
	}
	close(ch.done)
}

func (c *chunkCache) release(ch *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.pins--; ch.pins == 0 {
		c.freed.Signal()
	}
}

// queue is a list of chunks, first in, first out.
type queue struct {
	head, tail *chunk
	n          int
}

func (q *queue) push(ch *chunk) {
	ch.queue, ch.succ = q, nil
	if ch.prev = q.tail; q.tail == nil {
		q.head = ch
	} else {
		q.tail.succ = ch
	}
	q.tail = ch
	q.n++
}

func (q *queue) pop() *chunk {
	ch := q.head
	if q.head = ch.succ; q.head == nil {
		q.tail = nil
	} else {
		q.head.prev = nil
	}
	ch.prev, ch.succ, ch.queue = nil, nil, nil
	q.n--
	return ch
}

// ghosts remembers the keys of the last chunks that were evicted unused.
type ghosts struct {
	at   map[chunkKey]int // index in ring
	ring []chunkKey
	next int
}

func (g *ghosts) init(n int) { g.at, g.ring = make(map[chunkKey]int, n), make([]chunkKey, n) }

func (g *ghosts) add(key chunkKey) {
	if i, ok := g.at[g.ring[g.next]]; ok && i == g.next {
		delete(g.at, g.ring[g.next])
	}
	g.ring[g.next], g.at[key] = key, g.next
	g.next = (g.next + 1) % len(g.ring)
}

func (g *ghosts) remove(key chunkKey) bool {
	_, ok := g.at[key]
	delete(g.at, key)
	return ok
}
