package vdisk

import (
	"context"
	"crypto/sha256"
	"io"

	"vitrine/blockdev"
)

// part is a range of a disk and what fills it from its beginning on. What dev
// does not reach reads as zeros.
type part struct {
	len int64
	dev blockdev.Device // nil: zeros
}

// Disk is a read-only device made of others, one after the other.
type Disk struct {
	parts  []part
	size   int64
	sector int
}

func newDisk(sector int, parts ...part) *Disk {
	d := &Disk{parts: parts, sector: sector}
	for _, p := range parts {
		d.size += p.len
	}
	return d
}

// Size is the length in bytes.
func (d *Disk) Size() int64 { return d.size }

// SectorSize is the logical sector in bytes.
func (d *Disk) SectorSize() int { return d.sector }

// ReadAt reads as [io.ReaderAt] says.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	return d.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext reads as [blockdev.Device] says.
func (d *Disk) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, blockdev.ErrRange
	}
	want := int(max(0, min(int64(len(p)), d.size-off)))
	done, err := 0, error(nil)
	d.each(off, int64(want), func(pt part, at, n int64) bool {
		if err = pt.read(ctx, p[done:done+int(n)], at); err == nil {
			done += int(n)
		}
		return err == nil
	})
	if err == nil && want < len(p) {
		err = io.EOF
	}
	return done, err
}

// each calls f for every part that the range touches, with where in the part it
// begins and how long it is there.
func (d *Disk) each(off, n int64, f func(pt part, at, n int64) bool) {
	for _, pt := range d.parts {
		if n == 0 {
			return
		}
		if off >= pt.len {
			off -= pt.len
			continue
		}
		c := min(n, pt.len-off)
		if !f(pt, off, c) {
			return
		}
		off, n = 0, n-c
	}
}

func (pt part) filled() int64 {
	if pt.dev == nil {
		return 0
	}
	return min(pt.len, pt.dev.Size())
}

func (pt part) read(ctx context.Context, p []byte, at int64) error {
	n := max(0, min(int64(len(p)), pt.filled()-at))
	clear(p[n:])
	if n == 0 {
		return nil
	}
	return blockdev.ReadFull(ctx, pt.dev, p[:n], at)
}

// Extents yields the extents of the parts; filling is a hole.
func (d *Disk) Extents(ctx context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	if err := blockdev.Check(off, n, d.size); err != nil {
		return err
	}
	add, flush := blockdev.Merge(yield)
	more, err := true, error(nil)
	d.each(off, n, func(pt part, at, n int64) bool {
		shift := off - at
		data := max(0, min(n, pt.filled()-at))
		if data > 0 {
			err = pt.dev.Extents(ctx, at, data, func(o, n int64, k blockdev.Kind) bool {
				more = add(o+shift, n, k)
				return more
			})
		}
		if more && err == nil && data < n {
			more = add(off+data, n-data, blockdev.Hole)
		}
		off += n
		return more && err == nil
	})
	if err == nil && more {
		flush()
	}
	return err
}

// padded returns n rounded up to a multiple of unit.
func padded(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// guid makes 16 random-looking bytes out of a seed: a version 4 UUID in the
// order of RFC 9562.
func guid(seed []byte, what string) (g [16]byte) {
	h := sha256.New()
	h.Write([]byte("vitrine vdisk " + what + "\x00"))
	h.Write(seed)
	copy(g[:], h.Sum(nil))
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

// swapped returns a UUID as GPT stores it: its first three fields
// little-endian.
func swapped(g [16]byte) [16]byte {
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5] = g[5], g[4]
	g[6], g[7] = g[7], g[6]
	return g
}
