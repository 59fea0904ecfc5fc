package decomp

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU adds the rate per CPU second, which other work on the machine does
// not disturb as it does the wall clock.
func reportCPU(b *testing.B, bytes int, run func()) {
	before := cpu()
	run()
	spent := cpu() - before
	b.ReportMetric(float64(bytes)/(1<<20)/spent.Seconds(), "MiB/cpu-s")
}

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
