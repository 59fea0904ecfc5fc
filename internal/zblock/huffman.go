package zblock

import "encoding/binary"

// Huffman coding of literals, RFC 8878 section 4.2.

// maxCode is the length of the longest code, in bits.
const maxCode = 11

// huffman codes bytes. Its tables are made anew for each block.
type huffman struct {
	count [4][256]uint32
	codes [256]code
	used  int // symbols that occur
	last  int // the highest of them
	log   uint

	order, scratch [256]uint32 // count<<8 | symbol, ascending
	lens           [256]uint8
	weights        table
}

// code is the code of a symbol in the high half, its length in the low.
type code uint32

// measure counts the literals and builds their code; false if there is nothing
// to gain.
func (h *huffman) measure(lits []byte) bool {
	h.tally(lits)
	if h.used < 2 {
		return false
	}
	h.sort(uint32(len(lits)))
	h.lengths()
	h.assign()
	return true
}

// tally counts in four tables, so that runs of one byte do not wait for
// themselves.
func (h *huffman) tally(lits []byte) {
	clear(h.count[0][:])
	clear(h.count[1][:])
	clear(h.count[2][:])
	clear(h.count[3][:])
	for len(lits) >= 8 {
		v := binary.LittleEndian.Uint64(lits)
		h.count[0][byte(v)]++
		h.count[1][byte(v>>8)]++
		h.count[2][byte(v>>16)]++
		h.count[3][byte(v>>24)]++
		h.count[0][byte(v>>32)]++
		h.count[1][byte(v>>40)]++
		h.count[2][byte(v>>48)]++
		h.count[3][byte(v>>56)]++
		lits = lits[8:]
	}
	for _, b := range lits {
		h.count[0][b]++
	}
	h.used = 0
	for s := range 256 {
		n := h.count[0][s] + h.count[1][s] + h.count[2][s] + h.count[3][s]
		h.count[0][s] = n
		h.order[h.used&255] = n<<8 | uint32(s)
		if n > 0 {
			h.used++
			h.last = s
		}
	}
}

// sort orders the symbols by count: a radix sort, whose steps do not depend on
// the data.
func (h *huffman) sort(total uint32) {
	from, to := h.order[:h.used], h.scratch[:h.used]
	for shift := 8; shift < 32 && total>>(shift-8) > 0; shift += 8 {
		var at [257]uint16
		for _, v := range from {
			at[v>>shift&255+1]++
		}
		for i := 1; i < 256; i++ {
			at[i] += at[i-1]
		}
		for _, v := range from {
			d := v >> shift & 255
			to[at[d]] = v
			at[d]++
		}
		from, to = to, from
	}
	if &from[0] != &h.order[0] {
		copy(h.order[:], from)
	}
}

// lengths gives each symbol the length of its code: the optimal ones, cut to
// maxCode.
func (h *huffman) lengths() {
	n := h.used
	var weight [512]uint32
	var up [512]uint16
	for i, v := range h.order[:n] {
		weight[i] = v >> 8
	}
	leaf, node, end := 0, n, n
	least := func() int {
		if leaf < n && (node == end || weight[leaf] <= weight[node]) {
			leaf++
			return leaf - 1
		}
		node++
		return node - 1
	}
	for end < 2*n-1 {
		a := least()
		b := least()
		weight[end] = weight[a] + weight[b]
		up[a], up[b] = uint16(end), uint16(end)
		end++
	}
	var depth [512]uint8
	var number [maxCode + 1]int
	for i := end - 2; i >= 0; i-- {
		depth[i] = depth[up[i]] + 1
		if i < n {
			number[min(depth[i], maxCode)]++
		}
	}
	h.cut(&number)
	h.give(&number)
}

// cut makes the code complete after long codes were shortened: a symbol at a time
// goes down from a shorter length, to make room.
func (h *huffman) cut(number *[maxCode + 1]int) {
	sum := 0
	for l, n := range number {
		sum += n << (maxCode - l)
	}
	for sum > 1<<maxCode {
		l := maxCode - 1
		for number[l] == 0 {
			l--
		}
		number[maxCode]--
		number[l]--
		number[l+1] += 2
		sum--
	}
}

// give hands out the lengths, the longest to the rarest.
func (h *huffman) give(number *[maxCode + 1]int) {
	clear(h.lens[:])
	i := 0
	h.log = 0
	for l := maxCode; l > 0; l-- {
		if number[l] > 0 && h.log == 0 {
			h.log = uint(l)
		}
		for range number[l] {
			h.lens[h.order[i]&255] = uint8(l)
			i++
		}
	}
}

// assign numbers the codes: longest first, symbols of one length in order.
func (h *huffman) assign() {
	var number, next [16]uint32
	for _, l := range h.lens[:h.last+1] {
		number[l&15]++
	}
	at := uint32(0)
	for l := h.log; l > 0; l-- {
		next[l] = at
		at = (at + number[l]) >> 1
	}
	for s, l := range h.lens[:h.last+1] {
		h.codes[s] = code(next[l&15]<<16 | uint32(l))
		next[l&15]++
	}
}

// size is how many bytes the coded literals take, about.
func (h *huffman) size() int {
	n := uint(0)
	for s := range h.last + 1 {
		n += uint(h.count[0][s]) * uint(h.lens[s])
	}
	return int(n / 8)
}

// appendTree writes the lengths; false if they cannot be.
func (h *huffman) appendTree(dst []byte) ([]byte, bool) {
	var weights [256]uint8 // the last one goes without saying
	for s, l := range h.lens[:h.last] {
		if l > 0 {
			weights[s] = uint8(h.log) + 1 - l
		}
	}
	w := weights[:h.last]
	if out, ok := h.appendWeights(dst, w); ok && (len(w) > 128 || len(out)-len(dst) <= (len(w)+1)/2) {
		return out, true
	}
	if len(w) > 128 {
		return dst, false
	}
	dst = append(dst, byte(127+len(w)))
	for i := 0; i < len(w); i += 2 {
		dst = append(dst, w[i]<<4|weights[i+1])
	}
	return dst, true
}

// appendWeights writes weights with finite-state entropy.
func (h *huffman) appendWeights(dst []byte, w []uint8) ([]byte, bool) {
	if len(w) < 2 {
		return dst, false
	}
	var count [16]uint32
	last, most := 0, uint32(0)
	for _, v := range w {
		count[v&15]++
		last = max(last, int(v))
	}
	for _, n := range count {
		most = max(most, n)
	}
	if most == uint32(len(w)) || most == 1 {
		return dst, false
	}
	var norm [16]int16
	log := tableLog(uint(len(w)), last+1, 6)
	normalise(norm[:last+1], count[:last+1], uint(len(w)), log)
	h.weights.build(norm[:last+1], log)
	start := len(dst)
	dst = appendCounts(append(dst, 0), norm[:], log)
	dst = h.weights.pair(dst, w)
	if n := len(dst) - start - 1; n < 128 {
		dst[start] = byte(n)
		return dst, true
	}
	return dst[:start], false
}

// pair codes symbols with two states in turn, last to first.
func (t *table) pair(dst []byte, syms []uint8) []byte {
	w := bitWriter{out: dst}
	var state [2]uint32
	n := len(syms)
	state[(n-1)&1] = t.first(syms[n-1])
	state[(n-2)&1] = t.first(syms[n-2])
	for i := n - 3; i >= 0; i-- {
		v, k, next := t.step(state[i&1], syms[i])
		w.add(v, k)
		w.flush()
		state[i&1] = next
	}
	w.add(uint64(state[1])&(1<<t.log-1), t.log)
	w.add(uint64(state[0])&(1<<t.log-1), t.log)
	w.flush()
	return w.close()
}

// stream writes the codes of lits, last to first.
func (h *huffman) stream(buf []byte, at uint, lits []byte) uint {
	var acc uint64
	var n uint
	codes := &h.codes
	for len(lits)&3 != 0 {
		c := codes[lits[len(lits)-1]]
		acc |= uint64(c>>16) << (n & 63)
		n += uint(c & 15)
		lits = lits[:len(lits)-1]
	}
	binary.LittleEndian.PutUint64(buf[at:at+8], acc)
	at, acc, n = h.fours(buf, at+n>>3, lits, acc>>(n&^7&63), n&7)
	acc |= 1 << (n & 63)
	n++
	binary.LittleEndian.PutUint64(buf[at:at+8], acc)
	return at + (n+7)>>3
}

// foursPlain writes the codes of literals, whose number is a multiple of four,
// behind the n bits in acc, of which fewer than 8 are left after it as before.
func (h *huffman) foursPlain(buf []byte, at uint, lits []byte, acc uint64, n uint) (uint, uint64, uint) {
	codes := &h.codes
	for len(lits) >= 4 {
		v := binary.LittleEndian.Uint32(lits[len(lits)-4:])
		lits = lits[:len(lits)-4]
		a, b, c, d := codes[v>>24], codes[v>>16&255], codes[v>>8&255], codes[v&255]
		nb := uint(a & 15)
		x := uint64(a >> 16)
		x |= uint64(b>>16) << (nb & 63)
		nb += uint(b & 15)
		y := uint64(c >> 16)
		y |= uint64(d>>16) << (uint(c) & 15)
		x |= y << (nb & 63)
		nb += uint(c&15) + uint(d&15)
		acc |= x << (n & 63)
		n += nb
		binary.LittleEndian.PutUint64(buf[at:at+8], acc)
		at += n >> 3
		acc >>= n &^ 7 & 63
		n &= 7
	}
	return at, acc, n
}
