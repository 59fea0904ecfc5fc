//go:build unix

package reader

import "golang.org/x/sys/unix"

// openFiles is how many files the process may have open.
func openFiles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur, 1<<20))
}
