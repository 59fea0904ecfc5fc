package decomp

import "math/bits"

// LZ77 expands plain LZ77 [MS-XCA 2.4], which is COMPRESSION_FORMAT_XPRESS of
// Windows: units of 32 flags, highest first, then a plain byte for each 0 and
// for each 1 a pair of 16 bits, length below distance. A length that three bits
// do not hold goes on in half a byte, of which two pairs share one, then in 1,
// 2 or 4 bytes.
//
// What stands in src behind the last plain byte is not looked at.
func LZ77(dst, src []byte) error {
	r := lz77{src: src}
	pos, flags, left := 0, uint32(0), 0
	for pos < len(dst) {
		if left == 0 {
			if len(r.src) < 4 {
				return &Error{"LZ77", pos, "the flags are cut short"}
			}
			flags, left, r.src = le.Uint32(r.src), 32, r.src[4:]
		}
		if n := min(bits.LeadingZeros32(flags), left); n > 0 {
			n = min(n, len(dst)-pos)
			if n > len(r.src) {
				return &Error{"LZ77", pos, "plain bytes are cut short"}
			}
			copy(dst[pos:pos+n], r.src)
			pos, r.src, flags, left = pos+n, r.src[n:], flags<<n, left-n
			continue
		}
		flags, left = flags<<1, left-1
		dist, n, ok := r.pair()
		switch {
		case !ok:
			return &Error{"LZ77", pos, "a pair is cut short"}
		case dist > pos:
			return &Error{"LZ77", pos, "a pair points before the start"}
		case n > len(dst)-pos:
			return &Error{"LZ77", pos, "a pair yields more than there is room for"}
		}
		copyMatch(dst, pos, dist, n)
		pos += n
	}
	return nil
}

// lz77 takes pairs off src.
type lz77 struct {
	src  []byte
	half int // what the next long length finds in the half byte kept, plus 1; or 0
}

// pair takes the next pair apart. Lengths of 2^30 and more are cut to that,
// which is more than any room.
func (r *lz77) pair() (dist, n int, ok bool) {
	if len(r.src) < 2 {
		return 0, 0, false
	}
	t := le.Uint16(r.src)
	r.src = r.src[2:]
	dist, n = int(t>>3)+1, int(t&7)
	if n < 7 {
		return dist, n + 3, true
	}
	n, ok = r.long()
	return dist, n + 3, ok
}

// long is a length of 7 or more, of which the pair says no more than that.
func (r *lz77) long() (int, bool) {
	var n int
	if r.half > 0 {
		n, r.half = r.half-1, 0
	} else {
		if len(r.src) == 0 {
			return 0, false
		}
		n, r.half = int(r.src[0]&15), int(r.src[0]>>4)+1
		r.src = r.src[1:]
	}
	if n < 15 {
		return n + 7, true
	}
	if len(r.src) == 0 {
		return 0, false
	}
	n, r.src = int(r.src[0]), r.src[1:]
	if n < 255 {
		return n + 15 + 7, true
	}
	return r.whole()
}

// whole is a length that is written in full, in two bytes, or if those are zero
// in the four behind them.
func (r *lz77) whole() (int, bool) {
	if len(r.src) < 2 {
		return 0, false
	}
	n := uint32(le.Uint16(r.src))
	r.src = r.src[2:]
	if n == 0 {
		if len(r.src) < 4 {
			return 0, false
		}
		n, r.src = le.Uint32(r.src), r.src[4:]
	}
	return int(min(n, 1<<30)), n >= 15+7
}
