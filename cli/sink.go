package cli

import (
	"errors"
	"os"
	"syscall"

	"vitrine/internal/direct"
)

// directFrom is the size from which a file is written past the system's cache;
// then nothing is left to be synced, either.
const directFrom = 8 << 20

// directUnit is what offsets and lengths of direct writes are multiples of.
const directUnit = 4096

// sink is a file that is being written.
type sink struct {
	*os.File
	direct *os.File // the same one; nil where all goes through the cache
}

func newSink(f *os.File, size int64) *sink {
	s := &sink{File: f}
	if size >= directFrom {
		s.direct, _ = direct.Open(f, os.O_WRONLY)
	}
	return s
}

// WriteAt writes whole units past the cache, if b and off suit that.
func (s *sink) WriteAt(b []byte, off int64) (n int, err error) {
	if even := len(b) &^ (directUnit - 1); s.direct != nil && even > 0 && off%directUnit == 0 {
		n, err = s.direct.WriteAt(b[:even], off)
		if errors.Is(err, syscall.EINVAL) { // not here
			s.direct.Close()
			s.direct, err = nil, nil
		}
		if err != nil || n == len(b) {
			return n, err
		}
	}
	m, err := s.File.WriteAt(b[n:], off+int64(n))
	return n + m, err
}

// done lets go of what newSink opened, not of the file.
func (s *sink) done() {
	if s.direct != nil {
		s.direct.Close()
	}
}
