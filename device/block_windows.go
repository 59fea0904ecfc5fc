package device

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/windows"
)

// blockFile reads and writes an open disk or volume at places, in one call of
// the system each. (An *os.File asks for its position, and sets it back, around
// every one.)
type blockFile struct{ f *os.File }

func blockIO(f *os.File) readWriterAt { return blockFile{f} }

func (b blockFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := b.transfer("read", windows.ReadFile, p[n:], off+int64(n))
		n += m
		if err == nil && m == 0 {
			err = io.EOF
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (b blockFile) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := b.transfer("write", windows.WriteFile, p[n:], off+int64(n))
		n += m
		if err == nil && m == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (b blockFile) transfer(op string, do func(windows.Handle, []byte, *uint32, *windows.Overlapped) error, p []byte, off int64) (int, error) {
	const most = 1 << 30 // lengths have 32 bits
	var n uint32
	place := windows.Overlapped{Offset: uint32(off), OffsetHigh: uint32(off >> 32)}
	err := do(handleOf(b.f), p[:min(len(p), most)], &n, &place)
	runtime.KeepAlive(b.f)
	switch {
	case errors.Is(err, windows.ERROR_HANDLE_EOF):
		return int(n), io.EOF
	case err != nil:
		return int(n), &os.PathError{Op: op, Path: b.f.Name(), Err: lasting(err)}
	}
	return int(n), nil
}

// gone are the answers of a disk that was unplugged, and of a shadow copy that
// the system has given up, for lack of room for example: no other byte of it will
// be read either.
var gone = []error{
	windows.ERROR_DEV_NOT_EXIST, windows.ERROR_NO_SUCH_DEVICE, windows.ERROR_DEVICE_NOT_CONNECTED, windows.ERROR_DEVICE_REMOVED,
	windows.ERROR_NO_MEDIA_IN_DRIVE, windows.ERROR_FILE_INVALID, windows.ERROR_INVALID_HANDLE,
}

// lasting makes an error that says that the device is gone a [syscall.ENODEV] too.
func lasting(err error) error {
	for _, g := range gone {
		if errors.Is(err, g) {
			return lost{err}
		}
	}
	return err
}

type lost struct{ error }

func (l lost) Unwrap() []error { return []error{l.error, syscall.ENODEV} }
