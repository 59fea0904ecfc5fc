package overlay

import (
	"fmt"
	"math"
	"sync"

	"vitrine/blockdev"
)

// paged is the store of a named overlay: slot n is page n of the file, map
// pages included. A slot that is freed is used again only after the next
// flush, because the map on disk still names it.
type paged struct {
	f     file
	limit int64 // bytes of changed pages; map pages do not count. 0: none

	mu      sync.Mutex
	next    slot    // slots from here on were never used
	taken   *bitset // as found by Open
	scan    slot    // slots below were looked at in taken
	scanEnd slot
	spare   []slot
	pending []slot // freed since the last flush began
	pages   int64  // changed pages
}

func (s *paged) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages * pageSize
}

func (s *paged) alloc() (slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit > 0 && (s.pages+1)*pageSize > s.limit {
		return 0, fmt.Errorf("overlay: the limit of %d bytes is reached: %w", s.limit, blockdev.ErrNoSpace)
	}
	n, err := s.take()
	if err == nil {
		s.pages++
	}
	return n, err
}

func (s *paged) allocMap() (slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take()
}

func (s *paged) take() (slot, error) {
	if n := len(s.spare); n > 0 {
		last := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return last, nil
	}
	for ; s.scan < s.scanEnd; s.scan++ {
		if !s.taken.has(s.scan) {
			s.scan++
			return s.scan - 1, nil
		}
	}
	if s.next == math.MaxUint32 {
		return 0, fmt.Errorf("overlay: all slots are taken: %w", blockdev.ErrNoSpace)
	}
	s.next++
	return s.next - 1, nil
}

func (s *paged) free(n slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, n)
	s.pages--
}

func (s *paged) freeMap(n slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, n)
}

// seal returns what was freed before now and no map written from now on names.
func (s *paged) seal() []slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.pending
	s.pending = nil
	return old
}

func (s *paged) recycle(old []slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = append(s.spare, old...)
}

func (s *paged) readAt(p []byte, n slot, in int) error {
	_, err := s.f.ReadAt(p, int64(n)*pageSize+int64(in))
	return err
}

func (s *paged) writeAt(p []byte, n slot, in int) error {
	_, err := s.f.WriteAt(p, int64(n)*pageSize+int64(in))
	return spaceError(err)
}

func (s *paged) close() error { return s.f.Close() }

// bitset is a set of slots that takes memory only near its members.
type bitset struct {
	parts map[uint32]*[512]uint64
}

func (b *bitset) has(s slot) bool {
	p := b.parts[uint32(s)>>15]
	return p != nil && p[s>>6&511]>>(s&63)&1 == 1
}

// add returns false if s was there already.
func (b *bitset) add(s slot) bool {
	if b.has(s) {
		return false
	}
	if b.parts == nil {
		b.parts = map[uint32]*[512]uint64{}
	}
	p := b.parts[uint32(s)>>15]
	if p == nil {
		p = new([512]uint64)
		b.parts[uint32(s)>>15] = p
	}
	p[s>>6&511] |= 1 << (s & 63)
	return true
}
