package blockdev

import (
	"context"
	"io"
)

// Section returns [off, off+n) of d as a device of its own; it is a [Writable]
// if d is one. What is written to either shows in both. It fails with
// [ErrRange] unless the range lies inside d.
func Section(d Device, off, n int64) (Device, error) {
	if err := Check(off, n, d.Size()); err != nil {
		return nil, err
	}
	s := section{d, off, n}
	if w, ok := d.(Writable); ok {
		return writableSection{s, w}, nil
	}
	return s, nil
}

type section struct {
	dev      Device
	off, len int64 // bytes
}

func (s section) Size() int64     { return s.len }
func (s section) SectorSize() int { return s.dev.SectorSize() }

func (s section) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrRange
	}
	want := max(0, min(int64(len(p)), s.len-off))
	n, err := s.dev.ReadAtContext(ctx, p[:want], s.off+off)
	if int64(n) == want && (err == nil || err == io.EOF) {
		err = nil
		if want < int64(len(p)) {
			err = io.EOF
		}
	}
	return n, err
}

func (s section) Extents(ctx context.Context, off, n int64, yield func(off, n int64, k Kind) bool) error {
	if err := Check(off, n, s.len); err != nil {
		return err
	}
	return s.dev.Extents(ctx, s.off+off, n, func(o, n int64, k Kind) bool { return yield(o-s.off, n, k) })
}

type writableSection struct {
	section
	w Writable
}

func (s writableSection) WriteAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := Check(off, int64(len(p)), s.len); err != nil {
		return 0, err
	}
	return s.w.WriteAtContext(ctx, p, s.off+off)
}

func (s writableSection) ZeroRange(ctx context.Context, off, n int64, hole bool) error {
	if err := Check(off, n, s.len); err != nil {
		return err
	}
	return s.w.ZeroRange(ctx, s.off+off, n, hole)
}

func (s writableSection) Flush(ctx context.Context) error { return s.w.Flush(ctx) }
