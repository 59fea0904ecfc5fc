package ntfsparse

import "sync"

// cache is a least-recently-used cache of immutable byte slices with a bound
// in bytes, what it takes itself counted in, in shards so that parallel users seldom meet. The lock is held
// for look-ups alone, never while reading.
type cache struct {
	shards [8]shard
}

type cacheKey struct{ stream, unit uint64 }

type shard struct {
	mu         sync.Mutex
	m          map[cacheKey]*cacheEntry
	head       cacheEntry // ring: head.next is the newest
	size, most int
}

// entryCost is what a shard takes for an entry, beside the bytes in it.
const entryCost = 160

type cacheEntry struct {
	key        cacheKey
	val        []byte
	next, prev *cacheEntry
}

func newCache(bytes int) *cache {
	c := &cache{}
	for i := range c.shards {
		s := &c.shards[i]
		s.m, s.most = map[cacheKey]*cacheEntry{}, bytes/len(c.shards)
		s.head.next, s.head.prev = &s.head, &s.head
	}
	return c
}

func (c *cache) shard(k cacheKey) *shard {
	h := (k.stream*0xC2B2AE3D27D4EB4F ^ k.unit) * 0x9E3779B97F4A7C15
	return &c.shards[h>>61]
}

func (c *cache) get(k cacheKey) []byte {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.m[k]
	if e == nil {
		return nil
	}
	e.unlink()
	s.push(e)
	return e.val
}

func (c *cache) put(k cacheKey, val []byte) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[k] != nil || len(val)+entryCost > s.most {
		return
	}
	e := &cacheEntry{key: k, val: val}
	s.m[k] = e
	s.push(e)
	for s.size += len(val) + entryCost; s.size > s.most; {
		old := s.head.prev
		old.unlink()
		delete(s.m, old.key)
		s.size -= len(old.val) + entryCost
	}
}

func (e *cacheEntry) unlink() { e.next.prev, e.prev.next = e.prev, e.next }

func (s *shard) push(e *cacheEntry) {
	e.next, e.prev = s.head.next, &s.head
	e.next.prev, s.head.next = e, e
}
