// Package bounds states what hostile input may cost, and asserts it in tests
// and fuzz targets. docs/fuzzing.md repeats the figures.
package bounds

import (
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
