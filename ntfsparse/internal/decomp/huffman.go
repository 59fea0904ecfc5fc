package decomp

import "math/bits"

const (
	rootBits = 10 // bits that one look-up decodes
	maxBits  = 16 // longest code word (LZX; XPRESS has 15)
	maxSyms  = 512
)

// huffman decodes one canonical prefix code, most significant bit first: short
// words by one look-up, long ones by comparing with the last word of each
// length. Words that stand for nothing decode to length 0.
type huffman struct {
	root  [1 << rootBits]uint16 // symbol<<4 | length; 0: longer, or nothing
	limit [maxBits + 2]uint32   // first 16-bit value above the words of this length
	base  [maxBits + 2]int32    // index in syms of word w of length l: base[l]+w
	syms  [maxSyms]uint16       // by length, then by value
	fill  [maxBits + 2]uint16
}

// build makes the code whose lengths are lens (0: symbol not used). It reports
// false when they claim more words than there are. A code may be incomplete or
// empty: then some words mean nothing.
func (h *huffman) build(lens []uint8) bool {
	var count [maxBits + 1]uint16
	for _, l := range lens {
		count[l]++
	}
	count[0] = 0
	if !h.ranges(&count) {
		return false
	}
	for s, l := range lens {
		if l != 0 {
			h.syms[h.fill[l]&(maxSyms-1)] = uint16(s)
			h.fill[l]++
		}
	}
	h.fillRoot(&count)
	return true
}

// ranges assigns each length its words and its place in syms.
func (h *huffman) ranges(count *[maxBits + 1]uint16) bool {
	next, index := uint32(0), uint16(0) // next free word, as 16 bits
	for l := 1; l <= maxBits; l++ {
		h.base[l] = int32(index) - int32(next>>(maxBits-l))
		h.fill[l] = index
		next += uint32(count[l]) << (maxBits - l)
		index += count[l]
		h.limit[l] = next
		if next > 1<<maxBits {
			return false
		}
	}
	return true
}

// fillRoot fills the look-up table, which canonical order makes a matter of
// appending.
func (h *huffman) fillRoot(count *[maxBits + 1]uint16) {
	at, index := 0, 0
	for l := 1; l <= rootBits; l++ {
		width := 1 << (rootBits - l)
		for _, s := range h.syms[index : index+int(count[l])] {
			e := s<<4 | uint16(l)
			cells := h.root[at : at+width]
			for i := range cells {
				cells[i] = e
			}
			at += width
		}
		index += int(count[l])
	}
	clear(h.root[at:])
}

// long decodes the word at the top of v, which the root table does not hold.
//
//go:noinline
func (h *huffman) long(v uint64) (sym, n uint) {
	w := uint32(v >> (64 - maxBits))
	for l := rootBits + 1; l <= maxBits; l++ {
		if w < h.limit[l] {
			i := h.base[l] + int32(w>>(maxBits-l))
			return uint(h.syms[i&(maxSyms-1)]), uint(l)
		}
	}
	return 0, 0
}

// bitReader reads 16-bit little-endian units, most significant bit first. Behind
// the end it reads zeros; overrun tells.
type bitReader struct {
	src  []byte
	pos  int    // bytes taken, those behind the end included
	bits uint64 // not yet used, at the top
	n    uint   // how many
}

// refill makes at least 32 bits ready (33 when 32 would do exactly).
func (b *bitReader) refill() {
	if b.n > 32 {
		return
	}
	if p := b.pos; p+4 <= len(b.src) {
		b.bits |= units(b.src[p:], b.n)
		b.pos, b.n = p+4, b.n+32
		return
	}
	b.refillEnd()
}

// units is the next two units, placed below n bits.
func units(src []byte, n uint) uint64 {
	v := le.Uint32(src)
	return uint64(bits.RotateLeft32(v, 16)) << ((32 - n) & 63)
}

//go:noinline
func (b *bitReader) refillEnd() {
	for ; b.n <= 48; b.n, b.pos = b.n+16, b.pos+2 {
		var v uint64
		if b.pos+2 <= len(b.src) {
			v = uint64(le.Uint16(b.src[b.pos:]))
		}
		b.bits |= v << (48 - b.n)
	}
}

// badWord is the fault of bits that stand for no symbol.
const badWord = "bits that are no code word"

// refillAt makes 49 bits ready near or behind the end of src, for those that keep
// the reader's state themselves.
//
//go:noinline
func (b *bitReader) refillAt(pos int, bits uint64, n uint) (int, uint64, uint) {
	b.pos, b.bits, b.n = pos, bits, n
	b.refillEnd()
	return b.pos, b.bits, b.n
}

// skip drops n bits, which must be ready.
func (b *bitReader) skip(n uint) {
	b.bits <<= n & 63
	b.n -= n
}

// take returns the next n bits (at most 32), which must be ready.
func (b *bitReader) take(n uint) uint {
	v := uint(b.bits >> 1 >> ((63 - n) & 63))
	b.skip(n)
	return v
}

// symbol decodes one symbol; n is 0 when the bits mean nothing. 16 bits must be
// ready.
func (b *bitReader) symbol(h *huffman) (sym, n uint) {
	e := uint(h.root[b.bits>>(64-rootBits)])
	sym, n = e>>4, e&15
	if e == 0 {
		sym, n = h.long(b.bits)
	}
	b.skip(n)
	return sym, n
}

// overrun reports whether bits were used that src does not have.
func (b *bitReader) overrun() bool {
	return b.pos*8-int(b.n) > len(b.src)*8
}
