package blockdev

import (
	"os"

	"golang.org/x/sys/unix"
)

// nextExtent returns what lies at off and where it ends, at most at end. What
// the file system cannot tell is data.
func nextExtent(f *os.File, off, end int64) (int64, Kind) {
	fd := int(f.Fd())
	data, err := unix.Seek(fd, off, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return end, Hole
	}
	if err != nil {
		return end, Data
	}
	if data > off {
		return min(data, end), Hole
	}
	hole, err := unix.Seek(fd, off, unix.SEEK_HOLE)
	if err != nil || hole <= off {
		return end, Data
	}
	return min(hole, end), Data
}
