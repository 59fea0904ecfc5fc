package mount_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"vitrine/mount/mounttest"
)

func bench() *mounttest.FS {
	f := mounttest.New()
	for d := range 200 {
		f.Dir(fmt.Sprintf("/d%d", d))
		for i := range 100 {
			f.Text(fmt.Sprintf("/d%d/file %d", d, i), "x")
		}
	}
	f.File("/zeros", mounttest.Sparse{Len: 1 << 30})
	return f
}

// busy is the processor time that a process has used, in seconds.
func busy(pid int) float64 {
	total := 0.0
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
		if f := strings.Fields(string(b)); len(f) > 0 {
			n, _ := strconv.ParseFloat(f[0], 64)
			total += n / 1e9
		}
	}
	return total
}

// BenchmarkMount measures the server's processor time: for a first listing with
// and without attributes, and for reading what costs nothing to make.
func BenchmarkMount(b *testing.B) {
	const objects = 200 * 101
	for _, bb := range []struct {
		name string
		args []string
		per  float64
		unit string
	}{
		{"find", []string{"find", ".", "-type", "f"}, objects, "µs/object"},
		{"find-size", []string{"find", ".", "-printf", "%s"}, objects, "µs/object"},
		{"ls-lR", []string{"ls", "-lR", "."}, objects, "µs/object"},
		{"read", []string{"cat", "zeros"}, 1024, "µs/MiB"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			total := 0.0
			for range b.N {
				c := mounttest.Serve(b, "bench")
				before := busy(c.Cmd.Process.Pid)
				cmd := exec.Command(bb.args[0], bb.args[1:]...)
				cmd.Dir, cmd.Stdout = c.Dir, io.Discard
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				total += busy(c.Cmd.Process.Pid) - before
				c.Stop(b)
			}
			b.ReportMetric(total/float64(b.N)/bb.per*1e6, bb.unit)
		})
	}
}
