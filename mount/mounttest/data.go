package mounttest

import (
	"errors"
	"io"

	"vitrine/volume"
)

// Pattern is data of a given size that repeats nowhere within 4 GiB.
type Pattern int64

// Size is the size in bytes.
func (p Pattern) Size() int64 { return int64(p) }

// ReadAt implements [io.ReaderAt].
func (p Pattern) ReadAt(b []byte, off int64) (int, error) {
	n := min(int64(len(b)), max(0, int64(p)-off))
	for i := range n {
		b[i] = patternByte(off + i)
	}
	if n < int64(len(b)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func patternByte(at int64) byte {
	word := uint64(at) >> 3 * 0x9e37_79b9_7f4a_7c15
	return byte(word >> (at & 7 * 8))
}

// Holes is data that knows its holes.
type Holes interface {
	NextExtent(off int64) (end int64, hole bool, err error)
}

// Sparse is a file of holes with data here and there.
type Sparse struct {
	Len  int64
	Data []volume.Extent // sorted, not touching; filled with the pattern
}

// Size is the size in bytes.
func (s Sparse) Size() int64 { return s.Len }

// ReadAt implements [io.ReaderAt].
func (s Sparse) ReadAt(b []byte, off int64) (int, error) {
	n := min(int64(len(b)), max(0, s.Len-off))
	clear(b[:n])
	for _, e := range s.Data {
		from, to := max(off, e.Off), min(off+n, e.Off+e.Len)
		for at := from; at < to; at++ {
			b[at-off] = patternByte(at)
		}
	}
	if n < int64(len(b)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// NextExtent implements [Holes].
func (s Sparse) NextExtent(off int64) (int64, bool, error) {
	for _, e := range s.Data {
		if off < e.Off {
			return e.Off, true, nil
		}
		if off < e.Off+e.Len {
			return e.Off + e.Len, false, nil
		}
	}
	return s.Len, true, nil
}

// ErrDamaged is what reading a [Damaged] place gives.
var ErrDamaged = errors.New("damaged on purpose")

// Damaged is a pattern with a place that cannot be read.
type Damaged struct {
	Pattern
	Bad volume.Extent
}

// ReadAt implements [io.ReaderAt]; it reads up to the bad place.
func (d Damaged) ReadAt(b []byte, off int64) (int, error) {
	end := off + int64(len(b))
	if end <= d.Bad.Off || off >= d.Bad.Off+d.Bad.Len {
		return d.Pattern.ReadAt(b, off)
	}
	n := max(0, d.Bad.Off-off)
	d.Pattern.ReadAt(b[:n], off)
	return int(n), ErrDamaged
}

// Short is data that lies about its size: it ends early without an error.
type Short struct{ Pattern }

// ReadAt implements [io.ReaderAt], wrongly.
func (s Short) ReadAt(b []byte, off int64) (int, error) {
	n, _ := s.Pattern.ReadAt(b, off)
	return n / 2, nil
}
