package zblock

const longLog = 15

func hash8(v uint64) uint { return uint(v * 0xCF1BBCDCB7A56463 >> (64 - longLog)) }

// double looks for eight equal bytes first, then for four, and then whether
// the next position has a long match. It gives where the last match ends; the
// tables are clear.
func (e *Encoder) double(b *block) uint {
	short, long := &e.short, &e.long
	anchor, s := uint(0), uint(1)
	rep1, rep2 := uint(1), uint(4)
	for s < limit {
		v := load64(b, s)
		hl, hs := hash8(v), hash5(v)
		cl, cs := uint(long[hl]), uint(short[hs])
		long[hl], short[hs] = uint16(s), uint16(s)
		start := s
		var c, n uint
		switch {
		case load32(b, (s+1-rep1)&0xFFFF) == uint32(v>>8):
			s++
			n = 4 + same(b, s+4, s-rep1+4)
			e.emit(b, anchor, s-anchor, 1, n)
			goto found
		case load64(b, cl) == v:
			c = cl
			n = 8 + same(b, s+8, c+8)
		case load32(b, cs) == uint32(v):
			c = cs
			v = load64(b, s+1)
			hl = hash8(v)
			cl = uint(long[hl])
			long[hl] = uint16(s + 1)
			if load64(b, cl) == v {
				c = cl
				s++
				n = 8 + same(b, s+8, c+8)
			} else {
				n = 4 + same(b, s+4, c+4)
			}
		default:
			s += 1 + (s-anchor)>>8
			continue
		}
		for s > anchor && c > 0 && b[(s-1)&0xFFFF] == b[(c-1)&0xFFFF] {
			s--
			c--
			n++
		}
		e.emit(b, anchor, s-anchor, uint32(s-c)+3, n)
		rep2, rep1 = rep1, s-c
	found:
		s += n
		anchor = s
		if s < limit {
			v := load64(b, start+2)
			long[hash8(v)], short[hash5(v)] = uint16(start+2), uint16(start+2)
			long[hash8(load64(b, s-2))] = uint16(s - 2)
			short[hash5(load64(b, s-1))] = uint16(s - 1)
		}
		for s < limit && s >= rep2 && load32(b, s) == load32(b, (s-rep2)&0xFFFF) {
			n := 4 + same(b, s+4, s-rep2+4)
			v := load64(b, s)
			long[hash8(v)], short[hash5(v)] = uint16(s), uint16(s)
			e.emit(b, anchor, 0, 1, n)
			rep1, rep2 = rep2, rep1
			s += n
			anchor = s
		}
	}
	return anchor
}
