package reader

import (
	"math/bits"
	"sync"
)

// What is read of an image once, in bulk, shall not pass through the system's
// cache: that costs more than a quick disk, and pushes out what others need.
// What is read again shall, as well as the little that a short command reads,
// which the next command reads again.
const (
	smallJob   = 8 << 20 // bytes that a pool reads before it reads past the cache
	maxTouched = 1 << 13 // segments that fresh remembers: about 400 KiB
)

// fresh remembers which chunks were read.
type fresh struct {
	mu      sync.Mutex
	bytes   int64
	touched map[segmentKey]uint64 // segment to its chunks, a bit each
}

type segmentKey struct {
	dir, segment uint32
}

// take notes that slots first to last of a segment, n stored bytes, are read.
// It reports whether that should go past the system's cache.
func (f *fresh) take(dir, segment uint32, first, last, n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.touched == nil || len(f.touched) >= maxTouched {
		f.touched = map[segmentKey]uint64{}
	}
	key := segmentKey{dir, segment}
	mask := ^uint64(0) >> (63 - (last - first)) << first
	again := f.touched[key] & mask
	f.touched[key] |= mask
	f.bytes += int64(n)
	return f.bytes > smallJob && 2*bits.OnesCount64(again) <= last-first
}
