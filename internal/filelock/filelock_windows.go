package filelock

import (
	"os"

	"golang.org/x/sys/windows"
)

func hold(f *os.File) bool { return lock(f, windows.LOCKFILE_EXCLUSIVE_LOCK) == nil }

// held takes a shared lock, which ends as f is closed.
func held(f *os.File) bool { return lock(f, 0) == windows.ERROR_LOCK_VIOLATION }

func lock(f *os.File, how uint32) error {
	place := &windows.Overlapped{Offset: at & 0xFFFFFFFF, OffsetHigh: at >> 32}
	return windows.LockFileEx(windows.Handle(f.Fd()), how|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, place)
}
