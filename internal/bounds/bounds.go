// Package bounds states what hostile input may cost, and asserts it in tests
// and fuzz targets. docs/fuzzing.md repeats the figures.
package bounds

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

const (
	// Time is what the process may spend on one input. It is processor time
	// where the system tells it, so that a busy machine fails nothing.
	Time = 20 * time.Second
	// Memory is how much more the process may take from the system.
	Memory = 128 << 20
	// Reader is what ntfsparse holds at most of a volume of any size, see its doc,
	// without streams of a million runs, chunk stores and the map of clusters.
	Reader = 384 << 20
)

// Check fails when do takes too long or too much memory.
func Check(t testing.TB, do func()) {
	t.Helper()
	start, before := Spent(), mapped()
	do()
	if d := Spent() - start; d > Time {
		t.Errorf("took %v", d)
	}
	if n := int64(mapped() - before); n > Memory {
		t.Errorf("took %d MiB of memory", n>>20)
	}
}

// mapped is all the memory that the process ever took from the system, which
// the runtime may have given back.
func mapped() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Peak is the most memory that the process has in use while do runs. Garbage is
// collected only when there would be more than limit, so that it stays near the limit
// unless do holds more.
func Peak(limit int64, do func()) (peak int64) {
	debug.FreeOSMemory()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	end := make(chan struct{})
	go func() {
		defer close(end)
		do()
	}()
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	tick := time.Tick(time.Millisecond)
	for more := true; more; {
		select {
		case <-end:
			more = false
		case <-tick:
		}
		metrics.Read(s)
		peak = max(peak, int64(s[0].Value.Uint64()-s[1].Value.Uint64()))
	}
	return peak
}
