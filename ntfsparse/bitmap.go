package ntfsparse

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"math/bits"
)

// Space is how much of a volume is in use.
type Space struct {
	Clusters, FreeClusters int64
	Records, FreeRecords   uint64
}

// Space counts the free clusters and file records, once. Where the error tells why
// one of them cannot be counted, it is 0.
func (v *Volume) Space() (Space, error) { return v.space.get(v.countSpace) }

func (v *Volume) countSpace() (Space, error) {
	sp := Space{Clusters: v.geo.clusters, Records: v.records}
	free, err := countFree(v.clusterBitmap, sp.Clusters)
	sp.FreeClusters = free
	free, err2 := countFree(v.recordBitmap, int64(sp.Records))
	sp.FreeRecords = uint64(free)
	if err = cmp.Or(err, err2); err != nil {
		v.note("How much is free cannot be told: %v.", err)
	}
	return sp, err
}

func countFree(open func() (*Stream, error), n int64) (int64, error) {
	s, err := open()
	if err != nil {
		return 0, err
	}
	used, err := countBits(s, n)
	if err != nil {
		return 0, err
	}
	return n - used, nil
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

// bitWindow reads bits of a bitmap in any order, and keeps as much of it as it may:
// all of that of 2 TiB in clusters of 4 KiB, and of larger ones where pages of it are
// all set or all clear.
type bitWindow struct {
	s      *Stream
	r      io.ReaderAt // of the same; nil: s itself
	kept   *cache
	last   []byte // the page used last
	lastNo int64
	spare  []byte // a page to read into
	looked int64  // clusters asked for by the scan for unmarked ones
}

const windowBytes = 32 << 10

var (
	clearPage = make([]byte, windowBytes)
	setPage   = bytes.Repeat([]byte{0xFF}, windowBytes)
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
	if w.last != nil && w.lastNo == i {
		return w.last, nil
	}
	if w.kept == nil {
		w.kept = newCache(maxWindow)
	}
	key := cacheKey{unit: uint64(i)}
	b := w.kept.get(key)
	if b == nil {
		var err error
		if b, err = w.read(i); err != nil {
			return nil, err
		}
		w.kept.put(key, b)
	}
	if len(b) == 1 {
		b = w.uniform(b[0])
	}
	w.last, w.lastNo = b, i
	return b, nil
}

// read reads a page; of one that is all set or all clear one byte stands for all.
func (w *bitWindow) read(i int64) ([]byte, error) {
	var r io.ReaderAt = w.s
	if w.r != nil {
		r = w.r
	}
	if w.spare == nil {
		w.spare = make([]byte, windowBytes)
	}
	b := w.spare
	n := max(0, min(windowBytes, w.s.size-i*windowBytes))
	if clear(b[n:]); n > 0 {
		if err := readFull(r, b[:n], i*windowBytes); err != nil {
			return nil, err
		}
	}
	if bytes.Equal(b, w.uniform(b[0])) {
		return []byte{b[0]}, nil
	}
	w.spare = nil
	return b, nil
}

func (w *bitWindow) uniform(c byte) []byte {
	if c == 0 {
		return clearPage
	}
	return setPage
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
func usedRuns(ctx context.Context, s io.ReaderAt, n int64, yield func(from, to int64) bool) error {
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

// patientBits reads a bitmap and gives, in the place of pieces that cannot be read, what
// unread has. After too many it does not try any more.
type patientBits struct {
	s      *Stream
	unread []byte         // a page
	failed map[int64]bool // pieces, which are not tried again
	first  error          // of those met
	bytes  int64          // in pieces that were not read
}

const (
	bitsPiece = 4 << 10
	maxFailed = 64 // pieces that fail until all others count as such
)

func (b *patientBits) ReadAt(p []byte, off int64) (int, error) {
	if !b.met(off, off+int64(len(p))) && readFull(b.s, p, off) == nil {
		return len(p), nil
	}
	for done := 0; done < len(p); {
		at := off + int64(done)
		piece := p[done:min(len(p), done+int(bitsPiece-at%bitsPiece))]
		b.read(piece, at)
		done += len(piece)
	}
	return len(p), nil
}

// met tells whether a piece in [from, to) failed before.
func (b *patientBits) met(from, to int64) bool {
	if len(b.failed) >= maxFailed {
		return true
	}
	for i := range b.failed {
		if i*bitsPiece < to && from < (i+1)*bitsPiece {
			return true
		}
	}
	return false
}

// read reads what lies in one piece.
func (b *patientBits) read(p []byte, off int64) {
	i := off / bitsPiece
	if !b.failed[i] && len(b.failed) < maxFailed {
		err := readFull(b.s, p, off)
		if err == nil {
			return
		}
		if b.failed == nil {
			b.failed = map[int64]bool{}
		}
		b.failed[i], b.first = true, cmp.Or(b.first, err)
	}
	b.bytes += int64(len(p))
	copy(p, b.unread)
}
