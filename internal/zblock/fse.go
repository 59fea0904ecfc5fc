package zblock

import (
	"math"
	"math/bits"
)

// Finite-state entropy coding, RFC 8878 section 4.1.

const maxTable = 1 << 9 // largest state table

// table codes symbols below 64.
type table struct {
	log     uint
	state   [maxTable]uint16 // next states, sorted by symbol
	symbols [64]transition
}

// transition tells what coding a symbol does to the state.
type transition struct {
	bits uint32 // with the state added, its high half is how many bits to put out
	next int32  // with the rest of the state added, where the next state is
}

// build makes the table for normalised counts that add up to 1<<log; −1 is a
// count of less than one, which takes a state at the end.
func (t *table) build(norm []int16, log uint) {
	t.log = log
	size := uint(1) << log
	var symbol [maxTable]uint8
	var starts [64]uint16
	high, sum := size-1, uint16(0)
	for s, n := range norm {
		starts[s&63] = sum
		if n < 0 {
			symbol[high] = uint8(s)
			high--
			n = 1
		}
		sum += uint16(n)
	}
	step, mask, at := size>>1+size>>3+3, size-1, uint(0)
	for s, n := range norm {
		for range n {
			symbol[at&(maxTable-1)] = uint8(s)
			for at = (at + step) & mask; at > high; {
				at = (at + step) & mask
			}
		}
	}
	for i := range size {
		s := symbol[i&(maxTable-1)] & 63
		t.state[starts[s]&(maxTable-1)] = uint16(size + i)
		starts[s]++
	}
	total := int32(0)
	for s, n := range norm {
		tr := &t.symbols[s&63]
		switch {
		case n == 0:
			*tr = transition{}
		case n == 1 || n == -1:
			*tr = transition{uint32(log<<16) - uint32(size), total - 1}
			total++
		default:
			most := log - uint(bits.Len16(uint16(n-1))-1)
			*tr = transition{uint32(most<<16) - uint32(n)<<most, total - int32(n)}
			total += int32(n)
		}
	}
}

// only makes the table of a single symbol, which takes no bits.
func (t *table) only(s uint8) {
	t.log = 0
	t.state[0] = 0
	t.symbols[s&63] = transition{}
}

// first gives the state that codes s last, in the decoder's order first.
func (t *table) first(s uint8) uint32 {
	tr := t.symbols[s&63]
	n := (tr.bits + 1<<15) >> 16
	v := n<<16 - tr.bits
	return uint32(t.state[(v>>(n&31)+uint32(tr.next))&(maxTable-1)])
}

// step gives the bits that s puts out in a state, and the next state.
func (t *table) step(state uint32, s uint8) (out uint64, n uint, next uint32) {
	tr := t.symbols[s&63]
	k := (state + tr.bits) >> 16
	return uint64(state & (1<<(k&31) - 1)), uint(k), uint32(t.state[(state>>(k&31)+uint32(tr.next))&(maxTable-1)])
}

// tableLog is a good size of table for n symbols.
func tableLog(n uint, symbols int, most uint) uint {
	log := min(most, uint(max(bits.Len(n-1)-3, 0)))
	return max(log, 5, min(uint(bits.Len(n)), uint(bits.Len(uint(symbols-1))+1)))
}

// normalise scales counts with the sum total to 1<<log. At least two are not zero.
func normalise(norm []int16, count []uint32, total uint, log uint) {
	step := uint64(1<<62) / uint64(total)
	shift := 62 - log
	left, largest := int(1)<<log, 0
	for s, c := range count[:len(norm)] {
		if c == 0 {
			norm[s] = 0
			continue
		}
		scaled := uint64(c) * step
		p := scaled >> shift
		if frac := scaled >> (shift - 16) & 0xFFFF; p == 0 || p < 8 && frac > roundUp[p] || p >= 8 && frac > 1<<15 {
			p++
		}
		norm[s] = int16(p)
		left -= int(p)
		if norm[s] > norm[largest] {
			largest = s
		}
	}
	if left >= 0 || -left < int(norm[largest])/4 {
		norm[largest] += int16(left)
		return
	}
	shrink(norm, -left)
}

// roundUp is where rounding a small count down costs as much as rounding it up:
// the fraction, in 1/65536, of the geometric mean of both.
var roundUp = func() (t [8]uint64) {
	for p := range t {
		t[p] = uint64(65536 * (math.Sqrt(float64(p*(p+1))) - float64(p)))
	}
	return t
}()

// shrink takes n off the counts, one at a time from the largest.
func shrink(norm []int16, n int) {
	for range n {
		largest := 0
		for s := range norm {
			if norm[s] > norm[largest] {
				largest = s
			}
		}
		norm[largest]--
	}
}

// appendCounts writes the description of a table.
func appendCounts(dst []byte, norm []int16, log uint) []byte {
	w := bitWriter{out: dst}
	w.add(uint64(log-5), 4)
	left := 1<<log + 1
	threshold, nbits := 1<<log, log+1
	for s := 0; left > 1; {
		n := int(norm[s])
		s++
		top := 2*threshold - 1 - left
		left -= max(n, -n)
		v := n + 1
		if v >= threshold {
			v += top
		}
		k := nbits
		if v < top {
			k--
		}
		w.add(uint64(v), k)
		w.flush()
		if n == 0 {
			zeros := 0
			for norm[s] == 0 {
				zeros++
				s++
			}
			for ; zeros >= 3; zeros -= 3 {
				w.add(3, 2)
				w.flush()
			}
			w.add(uint64(zeros), 2)
		}
		for left < threshold {
			nbits--
			threshold >>= 1
		}
	}
	w.flush()
	if w.n > 0 {
		w.out = append(w.out, byte(w.acc))
	}
	return w.out
}
