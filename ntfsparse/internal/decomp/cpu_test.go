package decomp

import (
	"testing"

	"vitrine/internal/bounds"
)

// reportCPU adds the rate per CPU second, which other work on the machine does
// not disturb as it does the wall clock.
func reportCPU(b *testing.B, bytes int, run func()) {
	before := bounds.Spent()
	run()
	spent := bounds.Spent() - before
	b.ReportMetric(float64(bytes)/(1<<20)/spent.Seconds(), "MiB/cpu-s")
}
