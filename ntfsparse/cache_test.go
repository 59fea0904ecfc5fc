package ntfsparse

import (
	"context"
	"runtime"
	"testing"
)

// TestCacheBound: a cache of very small units takes no more than it may.
func TestCacheBound(t *testing.T) {
	for _, size := range []int{0, 2, 100, 5000} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := newCache(unitCacheSize)
		for i := range uint64(3 * unitCacheSize / (size + 100)) {
			c.put(cacheKey{1, i}, make([]byte, size))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > unitCacheSize*9/8 || n < unitCacheSize/2 {
			t.Errorf("units of %d bytes: %d KiB held", size, n>>10)
		}
		runtime.KeepAlive(c)
	}
}

// TestBadSectorOnce: a bad sector is read for its page and for its own record, and not
// for those beside it.
func TestBadSectorOnce(t *testing.T) {
	b := newRB(400, 4096, 1024, 256)
	b.root()
	for n := 32; n < 256; n++ {
		b.put(n, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0), b.res(TypeData, "", 0, []byte("x")))
	}
	v, disk := b.openFlaky(t)
	v.meta = newCache(metaCacheSize)
	disk.from, disk.to, disk.times = int64(b.off(40)), int64(b.off(40))+512, -1
	for n := uint64(30); n < 50; n++ {
		if _, err := v.Record(n); (err != nil) != (n == 40) && n >= 32 {
			t.Errorf("record %d: %v", n, err)
		}
	}
	if disk.failed != 2 {
		t.Errorf("%d reads failed", disk.failed)
	}
	disk.failed = 0
	bad := 0
	v.Scan(context.Background(), 0, func(_ uint64, _ *Record, err error) error {
		if err != nil {
			bad++
		}
		return nil
	})
	if bad == 0 || disk.failed != 2 {
		t.Errorf("scan: %d reads failed, %d records", disk.failed, bad)
	}
	disk.times = 0
	if _, err := v.Record(40); err != nil {
		t.Errorf("once the disk reads again: %v", err)
	}
}
