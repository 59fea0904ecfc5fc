package ntfsparse

import (
	"context"
	"math/bits"
)

// Space is how much of a volume is in use.
type Space struct {
	Clusters, FreeClusters int64
	Records, FreeRecords   uint64
}

// Space counts the free clusters and file records, once.
func (v *Volume) Space() (Space, error) { return v.space.get(v.countSpace) }

func (v *Volume) countSpace() (Space, error) {
	sp := Space{Clusters: v.geo.clusters, Records: v.records}
	s, err := v.clusterBitmap()
	if err != nil {
		return sp, err
	}
	used, err := countBits(s, v.geo.clusters)
	if err != nil {
		return sp, err
	}
	sp.FreeClusters = v.geo.clusters - used
	if s, err = v.recordBitmap(); err != nil {
		return sp, err
	}
	used, err = countBits(s, int64(v.records))
	sp.FreeRecords = v.records - uint64(used)
	return sp, err
}

// recordBitmap opens the bitmap of the file records in use.
func (v *Volume) recordBitmap() (*Stream, error) {
	f, err := v.File(RecordMFT)
	if err != nil {
		return nil, err
	}
	return f.attrStream(TypeBitmap, "")
}

// countBits counts the set bits among the first n; bits that the stream does
// not have count as clear.
func countBits(s *Stream, n int64) (int64, error) {
	keep, buf := borrow(1 << 18)
	defer scratch.Put(keep)
	count := int64(0)
	for off := int64(0); off < min(s.size, (n+7)/8); off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), s.size-off, (n+7)/8-off)]
		if err := readFull(s, p, off); err != nil {
			return 0, err
		}
		if rest := n - off*8; rest < int64(len(p))*8 {
			p[len(p)-1] &= 1<<(rest&7) - 1
		}
		for _, c := range p {
			count += int64(bits.OnesCount8(c))
		}
	}
	return count, nil
}

// clusterBitmap opens $Bitmap, which must cover the volume.
func (v *Volume) clusterBitmap() (*Stream, error) {
	return v.bitmap.get(func() (*Stream, error) {
		f, err := v.File(RecordBitmap)
		if err != nil {
			return nil, err
		}
		s, err := f.Stream("")
		switch {
		case err != nil:
			return nil, err
		case s.size < (v.geo.clusters+7)/8:
			return nil, classf(ErrCorrupt, RecordBitmap, "$Bitmap has %d bytes, too few for %d clusters", s.size, v.geo.clusters)
		case s.bad != nil:
			return nil, s.bad
		}
		return s, nil
	})
}

// bitWindow reads bits of a bitmap in any order, a window at a time.
type bitWindow struct {
	s      *Stream
	pages  map[int64][]byte
	looked int64 // clusters asked for by the scan for unmarked ones
}

const (
	windowBytes = 32 << 10
	windowPages = 128 // 4 MiB
)

// allSet tells whether bits [from, to) are set.
func (w *bitWindow) allSet(from, to int64) (bool, error) {
	for from < to {
		page, err := w.page(from / (windowBytes * 8))
		if err != nil {
			return false, err
		}
		in := from % (windowBytes * 8)
		n := min(to-from, windowBytes*8-in)
		if nextBit(page, in, in+n, false) < in+n {
			return false, nil
		}
		from += n
	}
	return true, nil
}

// firstSet is the first set bit in [from, to); to when there is none.
func (w *bitWindow) firstSet(from, to int64) (int64, error) {
	for from < to {
		page, err := w.page(from / (windowBytes * 8))
		if err != nil {
			return to, err
		}
		in := from % (windowBytes * 8)
		n := min(to-from, windowBytes*8-in)
		if at := nextBit(page, in, in+n, true); at < in+n {
			return from + at - in, nil
		}
		from += n
	}
	return to, nil
}

func (w *bitWindow) page(i int64) ([]byte, error) {
	if b := w.pages[i]; b != nil {
		return b, nil
	}
	b := make([]byte, windowBytes)
	n := min(windowBytes, w.s.size-i*windowBytes)
	if n > 0 {
		if err := readFull(w.s, b[:n], i*windowBytes); err != nil {
			return nil, err
		}
	}
	if w.pages == nil || len(w.pages) >= windowPages {
		w.pages = map[int64][]byte{}
	}
	w.pages[i] = b
	return b, nil
}

// nextBit is the first bit in [from, to) that is set, or with set false
// clear; to when there is none.
func nextBit(b []byte, from, to int64, set bool) int64 {
	var flip uint64
	if !set {
		flip = ^uint64(0)
	}
	for from < to {
		word := loadWord(b[from/64*8:])
		if word = (word ^ flip) >> (from & 63); word != 0 {
			return min(to, from+int64(bits.TrailingZeros64(word)))
		}
		from = (from/64 + 1) * 64
	}
	return to
}

func loadWord(b []byte) uint64 {
	if len(b) >= 8 {
		return le.Uint64(b)
	}
	var w [8]byte
	copy(w[:], b)
	return le.Uint64(w[:])
}

// usedRuns yields the runs of set bits among the first n, in order, reading
// the bitmap in pieces.
func usedRuns(ctx context.Context, s *Stream, n int64, yield func(from, to int64) bool) error {
	keep, buf := borrow(1 << 18)
	defer scratch.Put(keep)
	start := int64(-1) // of a run that may go on
	for base := int64(0); base < n; base += int64(len(buf)) * 8 {
		if err := checkContext(ctx); err != nil {
			return err
		}
		p := buf[:min(int64(len(buf)), (n-base+7)/8)]
		if err := readFull(s, p, base/8); err != nil {
			return err
		}
		end := min(int64(len(p))*8, n-base)
		for at := int64(0); at < end; {
			if start < 0 {
				if at = nextBit(p, at, end, true); at < end {
					start = base + at
				}
				continue
			}
			if at = nextBit(p, at, end, false); at < end {
				if !yield(start, base+at) {
					return nil
				}
				start = -1
			}
		}
	}
	if start >= 0 {
		yield(start, n)
	}
	return nil
}
