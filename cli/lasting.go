package cli

import (
	"context"
	"os"
	"runtime"
	"sync"

	"vitrine/reader"
)

// lasting prepares the process for reads of a point, or of several, that go on
// for long and come in any order. Twice as many goroutines run at a time as
// there are processors: the others wait for the disk, and Go takes a processor
// from one that waits only after a while. GOMAXPROCS takes precedence.
func lasting(ctx context.Context, p *reader.Point) {
	moreProcs()
	if p != nil {
		go p.Warm(ctx)
	}
}

var moreProcs = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
})
