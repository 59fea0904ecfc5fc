package filelock

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func hold(f *os.File) bool {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, question()) == nil
}

func held(f *os.File) bool {
	q := question()
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, q) == nil && q.Type != unix.F_UNLCK
}

func question() *unix.Flock_t {
	return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: at, Len: 1}
}
