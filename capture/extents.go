package capture

import (
	"encoding/binary"
	"iter"
	"sort"

	"vitrine/volume"
)

type extent = volume.Extent

func end(e extent) int64 { return e.Off + e.Len }

// maxExtentBytes bounds the memory of an extentList: some two million extents.
const maxExtentBytes = 8 << 20

// extentList holds sorted extents in a few bytes each.
type extentList struct {
	b    []byte
	at   int64 // end of the last extent
	full bool  // it did not fit; the list is of no use
}

// add appends an extent behind all others.
func (l *extentList) add(e extent) {
	if l.full || len(l.b) > maxExtentBytes {
		l.full, l.b = true, nil
		return
	}
	l.b = binary.AppendUvarint(l.b, uint64(e.Off-l.at))
	l.b = binary.AppendUvarint(l.b, uint64(e.Len))
	l.at = end(e)
}

func (l *extentList) all() iter.Seq2[extent, error] {
	return func(yield func(extent, error) bool) {
		at := int64(0)
		for b := l.b; len(b) > 0; {
			gap, n := binary.Uvarint(b)
			length, m := binary.Uvarint(b[n:])
			b = b[n+m:]
			if !yield(extent{Off: at + int64(gap), Len: int64(length)}, nil) {
				return
			}
			at += int64(gap + length)
		}
	}
}

// one is a sequence of a single extent, or of none.
func one(e extent) iter.Seq2[extent, error] {
	return func(yield func(extent, error) bool) {
		if e.Len > 0 {
			yield(e, nil)
		}
	}
}

// merge sorts extents and joins those that touch or overlap.
func merge(list []extent) []extent {
	sort.Slice(list, func(i, j int) bool { return list[i].Off < list[j].Off })
	out := list[:0]
	for _, e := range list {
		if e.Len <= 0 {
			continue
		}
		if k := len(out) - 1; k >= 0 && e.Off <= end(out[k]) {
			out[k].Len = max(end(out[k]), end(e)) - out[k].Off
			continue
		}
		out = append(out, e)
	}
	return out
}

// clip is the part of e inside [lo, hi).
func clip(e extent, lo, hi int64) extent {
	a, b := max(e.Off, lo), min(end(e), hi)
	return extent{Off: a, Len: max(b-a, 0)}
}

// reaching is the index of the first extent of list (sorted, apart) that ends behind off.
func reaching(list []extent, off int64) int {
	return sort.Search(len(list), func(i int) bool { return end(list[i]) > off })
}

// common counts the bytes of e that are in list (sorted, apart).
func common(e extent, list []extent) (n int64) {
	for i := reaching(list, e.Off); i < len(list) && list[i].Off < end(e); i++ {
		n += clip(list[i], e.Off, end(e)).Len
	}
	return n
}

// subtract appends to dst what of e is not in skip (sorted, apart).
func subtract(dst []extent, e extent, skip []extent) []extent {
	i := reaching(skip, e.Off)
	at := e.Off
	for ; i < len(skip) && skip[i].Off < end(e); i++ {
		if skip[i].Off > at {
			dst = append(dst, extent{Off: at, Len: skip[i].Off - at})
		}
		at = end(skip[i])
	}
	if at < end(e) {
		dst = append(dst, extent{Off: at, Len: end(e) - at})
	}
	return dst
}

// cursor walks a sequence of sorted extents window by window.
type cursor struct {
	next func() (extent, error, bool)
	stop func()
	cur  extent // Len 0: at the end
	err  error
	size int64
}

func newCursor(seq iter.Seq2[extent, error], size int64) *cursor {
	c := &cursor{size: size}
	c.next, c.stop = iter.Pull2(seq)
	c.step()
	return c
}

// step goes to the next extent that is not empty, clipped to the stream.
func (c *cursor) step() {
	for {
		e, err, ok := c.next()
		if !ok || err != nil {
			c.cur, c.err = extent{}, err
			return
		}
		if c.cur = clip(e, 0, c.size); c.cur.Len > 0 {
			return
		}
	}
}

// take appends the extents inside [.., hi) to dst and goes past them. A
// sequence that steps back is clipped by what was taken before.
func (c *cursor) take(dst []extent, lo, hi int64) []extent {
	for c.cur.Len > 0 && c.cur.Off < hi {
		if e := clip(c.cur, lo, hi); e.Len > 0 {
			dst, lo = append(dst, e), end(e)
		}
		if end(c.cur) > hi {
			c.cur = clip(c.cur, hi, end(c.cur))
			return dst
		}
		c.step()
	}
	return dst
}
