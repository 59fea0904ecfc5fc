//go:build !linux && !windows

package device

import (
	"io"
	"os"
	"strings"
)

// Disks are not supported here yet: what belongs to them is absent, and says
// so.

func openSource(path string) (*os.File, Info, error) {
	if namesDisk(path) {
		return nil, Info{}, refuse(path, ErrUnsupported, "disks cannot be opened on this system yet; plain files can")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := plainInfo(path, f)
	if err != nil {
		f.Close()
	}
	return f, info, err
}

// namesDisk reports names that mean a disk.
func namesDisk(path string) bool { return strings.HasPrefix(path, "/dev/") }

func inUse(string) (string, bool) { return "", false }

// Protects names the disks that hold a file: not known on this system.
func Protects(path string) ([]string, error) {
	return nil, refuse(path, ErrUnsupported, "which disk holds a file is not known on this system yet")
}

func dataExtent(f *os.File, off, size int64) (start, end int64, err error) { return off, size, nil }

func dropCache(*os.File, int64, int64) {}

func reserve(*os.File, int64, int64) error { return nil }

func writeBehind(*os.File, int64, int64) {}

func freeSpace(string) int64 { return -1 }

func makeSparse(*os.File) {}

func bePolite(*os.File) {}

func blockIO(f *os.File) readWriterAt { return f }

func openDiskTarget(path string, o TargetOptions) (*Target, error) {
	return nil, refuse(path, ErrUnsupported, "disks cannot be restored to on this system yet")
}

func discard(*os.File, bool, int64, int64) error { return ErrNoDiscard }

func zeroOut(*os.File, bool, int64, int64) error { return ErrNoDiscard }

func (t *Target) rereadTable() error { return nil }

var _ io.ReaderAt = (*Target)(nil)
