package ntfsparse

import "sync"

// lznt1Unit is log2 of the clusters in a compression unit. Windows has no other,
// and with another the units would read as what they are compressed to.
const lznt1Unit = 4

// lznt1Blocks are the compression units of an NTFS-compressed stream. A unit
// of which all clusters are allocated is stored as it is, one of which none
// is reads as zeros, any other is compressed into the clusters it has.
type lznt1Blocks struct {
	s    *Stream
	unit int64 // clusters
}

func (c *lznt1Blocks) size() int64 { return c.unit << c.s.v.geo.shift }

func (c *lznt1Blocks) find(off int64) (block, error) { return even(off, c.size(), c.s.size), nil }

// allocated counts the clusters of unit i.
func (c *lznt1Blocks) allocated(i int64) (int64, error) {
	first := i * c.unit
	last := min(first+c.unit, c.s.runs.End())
	if first >= last || last < first+c.unit && last<<c.s.v.geo.shift < c.s.alloc {
		return 0, c.s.beyond() // part of a compressed unit may decode to something else
	}
	n, hole := int64(0), false
	for j := c.s.runs.Find(first); j < c.s.runs.Len(); j++ {
		run := c.s.runs.At(j)
		if run.VCN >= last {
			break
		}
		switch {
		case run.LCN == Hole:
			hole = true
		case hole:
			return 0, classf(ErrCorrupt, c.s.file.Record(), "stream %q is marked as compressed, but has clusters behind a hole in a compression unit", c.s.name)
		default:
			n += min(run.VCN+run.Len, last) - max(run.VCN, first)
		}
	}
	return n, nil
}

func (c *lznt1Blocks) part(i int64, p []byte, in int64) (bool, error) {
	n, err := c.allocated(i)
	switch {
	case err != nil:
		return true, err
	case n == 0 && c.s.holes == nil:
		clear(p)
		return true, nil
	case n == 0 || n == c.unit:
		return true, c.s.readRuns(p, i*c.size()+in)
	}
	return false, nil
}

// scratch keeps buffers for compressed bytes.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

func borrow(n int64) (*[]byte, []byte) {
	p := scratch.Get().(*[]byte)
	if int64(cap(*p)) < n {
		*p = make([]byte, n)
	}
	return p, (*p)[:n]
}

func (c *lznt1Blocks) read(i int64, p []byte) error {
	n, err := c.allocated(i)
	if err != nil {
		return err
	}
	keep, src := borrow(n << c.s.v.geo.shift)
	defer scratch.Put(keep)
	if err := c.gather(src, i*c.unit); err != nil {
		return err
	}
	m, err := lznt1(p, src)
	if err != nil {
		return &Error{Class: ErrCorrupt, What: "compression unit cannot be decoded", Record: c.s.file.Record(), Off: i * c.size(), Err: err}
	}
	clear(p[m:])
	return nil
}

// gather reads the allocated clusters from VCN first on into src.
func (c *lznt1Blocks) gather(src []byte, first int64) error {
	for j := c.s.runs.Find(first); len(src) > 0 && j < c.s.runs.Len(); j++ {
		run := c.s.runs.At(j)
		if run.LCN == Hole {
			continue
		}
		in := max(0, first-run.VCN) << c.s.v.geo.shift
		n := min(int64(len(src)), run.Len<<c.s.v.geo.shift-in)
		if err := c.s.readRun(src[:n], run, in); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}
