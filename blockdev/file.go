package blockdev

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Bytes is a read-only [Device] in memory.
type Bytes struct {
	B      []byte
	Sector int // bytes; 0: 512
}

// ReadAtContext reads as [Device] says.
func (b Bytes) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrRange
	}
	if off >= int64(len(b.B)) {
		return 0, io.EOF
	}
	n := copy(p, b.B[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size is the length in bytes.
func (b Bytes) Size() int64 { return int64(len(b.B)) }

// SectorSize is Sector, or 512.
func (b Bytes) SectorSize() int {
	if b.Sector == 0 {
		return 512
	}
	return b.Sector
}

// Extents says that everything is data.
func (b Bytes) Extents(_ context.Context, off, n int64, yield func(off, n int64, k Kind) bool) error {
	if err := Check(off, n, b.Size()); err != nil {
		return err
	}
	if n > 0 {
		yield(off, n, Data)
	}
	return nil
}

// File is a read-only [Device] over a raw image file.
type File struct {
	f      *os.File
	size   int64
	sector int
}

// OpenFile opens a raw image file; sector is its logical sector in bytes.
func OpenFile(path string, sector int) (*File, error) {
	if sector < 512 || sector&(sector-1) != 0 {
		return nil, fmt.Errorf("sector size %d is not a power of two of at least 512", sector)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f, size, sector}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// ReadAtContext reads as [Device] says.
func (f *File) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	return f.f.ReadAt(p, off)
}

// Size is the file's length when it was opened.
func (f *File) Size() int64 { return f.size }

// SectorSize is the logical sector in bytes.
func (f *File) SectorSize() int { return f.sector }

// Extents yields the file's holes where the system tells them, else data.
func (f *File) Extents(ctx context.Context, off, n int64, yield func(off, n int64, k Kind) bool) error {
	if err := Check(off, n, f.size); err != nil {
		return err
	}
	for end := off + n; off < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, kind := nextExtent(f.f, off, end)
		if !yield(off, next-off, kind) {
			return nil
		}
		off = next
	}
	return nil
}
