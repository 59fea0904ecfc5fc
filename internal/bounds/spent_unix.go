//go:build unix

package bounds

import (
	"syscall"
	"time"
)

// Spent is the processor time that the process has used, user and system.
func Spent() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
