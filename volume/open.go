package volume

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// OpenFS opens the file system on a volume of size bytes. What is not
// understood gives an error that wraps [ErrUnsupported] and names what was
// recognised; where r could not be read, the error wraps r's.
func OpenFS(r io.ReaderAt, size int64) (FileSystem, error) {
	n, err := openKnown(r, size)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// OpenUsed opens a volume for its space in use, like [OpenFS].
func OpenUsed(r io.ReaderAt, size int64) (UsedSpace, error) {
	n, err := openKnown(r, size)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// openKnown opens NTFS, also where nothing but its backup boot sector tells
// that it is there. When the bytes below could not be read, that is the error:
// nobody knows then what the volume holds.
func openKnown(r io.ReaderAt, size int64) (*ntfsFS, error) {
	probed, opened := &watched{r: r}, &watched{r: r}
	info := Detect(probed, size)
	if info.Kind != "ntfs" && info.Kind != "" {
		return nil, unsupported(info)
	}
	n, err := openNTFS(opened, size)
	switch {
	case err == nil:
		return n, nil
	case opened.failure() != nil:
		return nil, unreadable(opened.failure())
	case info.Kind == "ntfs":
		return nil, err
	case probed.failure() != nil:
		return nil, unreadable(probed.failure())
	}
	return nil, unsupported(info)
}

func unreadable(err error) error { return fmt.Errorf("the file system cannot be read: %w", err) }

// watched remembers the first error of r, whatever its reader makes of it. That
// the volume ends is none.
type watched struct {
	r   io.ReaderAt
	err atomic.Pointer[error]
}

// ReadAt reads as r does.
func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		w.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (w *watched) failure() error {
	if err := w.err.Load(); err != nil {
		return *err
	}
	return nil
}

func unsupported(info FSInfo) error {
	switch info.Kind {
	case "":
		return fmt.Errorf("no file system recognised: %w", ErrUnsupported)
	case "bitlocker":
		return ErrLocked
	}
	return fmt.Errorf("%s: %w", info.Kind, ErrUnsupported)
}
