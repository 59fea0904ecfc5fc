package reader

import (
	"container/list"
	"sync"

	"vitrine/index"
)

// pageCache keeps decoded index pages and heads of segments, least recently
// used first out, within a bound of bytes. Its keys hold the objects' hashes,
// so what one point proved holds for every other.
type pageCache struct {
	mu     sync.Mutex
	m      map[index.PagePtr]*page
	lru    *list.List // of *page, oldest first; loading ones are not in it
	bytes  int64
	limit  int64
	loads  int64 // for tests and figures
	demand int64
}

type page struct {
	key  index.PagePtr
	elem *list.Element
	done chan struct{} // closed when v or err is set
	v    any           // *index.Page, *index.Segment
	cost int64
	err  error
}

func newPageCache(limit int64) *pageCache {
	return &pageCache{m: map[index.PagePtr]*page{}, lru: list.New(), limit: limit}
}

// get gives the object under key; load reads it if it is not there, once for
// all who ask meanwhile. Errors are given to those and forgotten.
func (c *pageCache) get(key index.PagePtr, load func() (v any, bytes int, err error)) (any, error) {
	c.mu.Lock()
	c.demand++
	if p := c.m[key]; p != nil {
		if p.elem != nil {
			c.lru.MoveToBack(p.elem)
			c.mu.Unlock()
			return p.v, nil
		}
		c.mu.Unlock()
		<-p.done
		return p.v, p.err
	}
	p := &page{key: key, done: make(chan struct{})}
	c.m[key] = p
	c.loads++
	c.mu.Unlock()
	return c.fill(p, load)
}

func (c *pageCache) fill(p *page, load func() (any, int, error)) (any, error) {
	v, bytes, err := load()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(p.done)
	if p.v, p.err = v, err; err != nil {
		delete(c.m, p.key)
		return nil, err
	}
	p.cost = int64(bytes) + pageOverhead
	p.elem = c.lru.PushBack(p)
	for c.bytes += p.cost; c.bytes > c.limit && c.lru.Len() > 1; {
		old := c.lru.Remove(c.lru.Front()).(*page)
		delete(c.m, old.key)
		c.bytes -= old.cost
	}
	return v, nil
}

// pageOverhead is what the cache itself spends on an entry, roughly.
const pageOverhead = 400
