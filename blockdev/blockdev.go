package blockdev

import (
	"context"
	"errors"
	"io"
)

// Classes of errors. Servers turn them into the codes of their protocol;
// everything else is an input/output error.
var (
	// ErrReadOnly refuses to write to what can only be read.
	ErrReadOnly = errors.New("device is read-only")
	// ErrNoSpace says that an overlay has no room for further changes.
	ErrNoSpace = errors.New("no room left for changes")
	// ErrRange refuses what lies outside the device.
	ErrRange = errors.New("outside the device")
)

// Kind is what a range of a device holds.
type Kind uint8

// The kinds of ranges.
const (
	Data        Kind = iota // bytes that must be read to be known
	Zero                    // in use, all bytes zero
	Hole                    // not in use; reads as zeros
	NotCaptured             // in use, left out of the image on purpose
	Unreadable              // the source could not be read; reading may fail
)

func (k Kind) String() string {
	return [...]string{"data", "zero", "hole", "not captured", "unreadable", "?"}[min(k, 5)]
}

// ReadsZero reports whether every byte of the range is known to read as zero.
func (k Kind) ReadsZero() bool { return k == Zero || k == Hole }

// Device is a disk that can be read. All methods may be called in parallel.
type Device interface {
	// ReadAtContext reads as [io.ReaderAt] does: fewer bytes than asked for
	// come with an error, io.EOF at the device's end.
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
	// Size is the device's length in bytes; it never changes.
	Size() int64
	// SectorSize is the logical sector in bytes: 512 or 4096.
	SectorSize() int
	// Extents yields what [off, off+n) holds: ranges in ascending order,
	// without gaps, until yield returns false. The range must lie inside.
	Extents(ctx context.Context, off, n int64, yield func(off, n int64, k Kind) bool) error
}

// Writable is a device that can also be written.
type Writable interface {
	Device
	// WriteAtContext writes p at off. An error with fewer bytes written says
	// nothing about the rest of the range.
	WriteAtContext(ctx context.Context, p []byte, off int64) (int, error)
	// ZeroRange makes [off, off+n) read as zeros, as a hole if asked to.
	ZeroRange(ctx context.Context, off, n int64, hole bool) error
	// Flush returns when everything written before the call is as safe as the
	// device can make it.
	Flush(ctx context.Context) error
}

// Check returns an [ErrRange] unless [off, off+n) lies inside a device of size
// bytes.
func Check(off, n, size int64) error {
	if off < 0 || n < 0 || off > size || n > size-off {
		return ErrRange
	}
	return nil
}

// ReadFull reads exactly len(p) bytes; a short read is io.ErrUnexpectedEOF.
func ReadFull(ctx context.Context, d Device, p []byte, off int64) error {
	n, err := d.ReadAtContext(ctx, p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Merge wraps yield so that neighbouring ranges of one kind arrive as one. The
// caller calls flush at the end; it yields what is still held back.
func Merge(yield func(off, n int64, k Kind) bool) (add func(off, n int64, k Kind) bool, flush func()) {
	var off, length int64
	var kind Kind
	add = func(o, n int64, k Kind) bool {
		if length > 0 && k == kind && o == off+length {
			length += n
			return true
		}
		more := length == 0 || yield(off, length, kind)
		off, length, kind = o, n, k
		if !more {
			length = 0
		}
		return more
	}
	flush = func() {
		if length > 0 {
			yield(off, length, kind)
		}
	}
	return add, flush
}
