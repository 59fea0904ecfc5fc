package bounds

import (
	"fmt"
	"testing"
)

// recorder is a test that only notes what fails.
type recorder struct {
	testing.TB
	failed []string
}

func (*recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

var sink []byte

func TestCheck(t *testing.T) {
	var r recorder
	Check(&r, func() {
		for start := Spent(); Spent() == start; { // time passes
		}
	})
	if len(r.failed) != 0 {
		t.Errorf("%q", r.failed)
	}
	Check(&r, func() { sink = make([]byte, Memory+64<<20) })
	sink = nil
	if len(r.failed) != 1 {
		t.Errorf("%q", r.failed)
	}
}

func TestPeak(t *testing.T) {
	const limit = 64 << 20
	garbage := func() {
		for range 100 {
			sink = make([]byte, 4<<20)
			for i := range sink { // as a program would, so that the collector keeps up
				sink[i] = byte(i)
			}
		}
	}
	if n := Peak(limit, garbage); n > 2*limit { // of 400
		t.Errorf("%d MiB for 4 at a time", n>>20)
	}
	if n := Peak(limit, func() { sink = make([]byte, 2*limit); sink[limit] = 1 }); n < 2*limit {
		t.Errorf("%d MiB for %d", n>>20, 2*limit>>20)
	}
	sink = nil
}
