package zblock

import "math/bits"

const shortLog = 15

// hash5 hashes the low five bytes of v.
func hash5(v uint64) uint { return uint(v << 24 * 0xCF1BBCDCBB >> (64 - shortLog)) }

// fast looks at one earlier place for each position, and the last offset. It
// gives where the last match ends; the table is clear.
func (e *Encoder) fast(b *block) uint {
	t := &e.short
	anchor, s := uint(0), uint(1)
	rep1, rep2 := uint(1), uint(4)
	for s < limit {
		v := load64(b, s)
		h0, h1 := hash5(v), hash5(v>>8)
		c0, c1 := uint(t[h0]), uint(t[h1])
		t[h0], t[h1] = uint16(s), uint16(s+1)
		start := s
		var c, n uint
		switch {
		case load32(b, (s+2-rep1)&0xFFFF) == uint32(v>>16):
			s += 2
			c = s - rep1
			n = 4 + same(b, s+4, c+4)
			for s > anchor+1 && c > 0 && b[(s-1)&0xFFFF] == b[(c-1)&0xFFFF] {
				s--
				c--
				n++
			}
			e.emit(b, anchor, s-anchor, 1, n)
			s += n
			anchor = s
			continue
		case load32(b, c0) == uint32(v):
			c = c0
		case load32(b, c1) == uint32(v>>8):
			c = c1
			s++
		default:
			s += 2 + (s-anchor)>>6
			continue
		}
		n = 4 + same(b, s+4, c+4)
		for s > anchor && c > 0 && b[(s-1)&0xFFFF] == b[(c-1)&0xFFFF] {
			s--
			c--
			n++
		}
		e.emit(b, anchor, s-anchor, uint32(s-c)+3, n)
		rep2, rep1 = rep1, s-c
		s += n
		anchor = s
		if s < limit {
			t[hash5(load64(b, start+2))] = uint16(start + 2)
			t[hash5(load64(b, s-2))] = uint16(s - 2)
		}
		for s < limit && s >= rep2 && load32(b, s) == load32(b, (s-rep2)&0xFFFF) {
			n := 4 + same(b, s+4, s-rep2+4)
			v := load64(b, s)
			t[hash5(v)] = uint16(s)
			e.emit(b, anchor, 0, 1, n)
			rep1, rep2 = rep2, rep1
			s += n
			anchor = s
		}
	}
	return anchor
}

// same counts how many bytes at s and at c, which lies before it, are equal.
func same(b *block, s, c uint) uint {
	start := s
	for s < Size {
		if d := load64(b, s) ^ load64(b, c&0xFFFF); d != 0 {
			return min(s+uint(bits.TrailingZeros64(d))>>3, Size) - start
		}
		s += 8
		c += 8
	}
	return Size - start
}

// emit notes a sequence: lit literals from at on, then a match.
func (e *Encoder) emit(b *block, at, lit uint, off uint32, match uint) {
	e.seqs[e.nseqs&(maxSeqs-1)] = sequence{off, uint16(lit), uint16(match - 3)}
	e.nseqs++
	to := e.nlits
	e.nlits += lit
	for i := uint(0); i < lit; i += 16 {
		*(*[16]byte)(e.lits[to+i:]) = [16]byte(b[at+i:])
	}
}

// tail takes the rest as literals.
func (e *Encoder) tail(b *block, at uint) {
	e.nlits += uint(copy(e.lits[e.nlits:], b[at:Size]))
}
