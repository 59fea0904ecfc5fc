//go:build unix

package reader

import "syscall"

// cpuTime is the processor time used by the process, in nanoseconds: on a busy
// machine the wall says little.
func cpuTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
