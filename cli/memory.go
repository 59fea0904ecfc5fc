package cli

import (
	"os"
	"runtime/debug"
)

// Bounds of the Go heap. With the reader's chunk cache, which lies outside it,
// and the program itself, a command stays below 128 MiB; those that read no
// files through the cache stay below 96.
const (
	heapLimit     = 40 << 20
	wideHeapLimit = 256 << 20 // for many points or sessions at a time
)

// boundMemory lets the heap grow without collecting while it is small, which
// spares short commands every collection, and makes the collector keep it
// below the limit afterwards. GOGC and GOMEMLIMIT take precedence.
func boundMemory(limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
