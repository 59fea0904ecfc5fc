package zblock

import "encoding/binary"

// Types of a literals section, RFC 8878 section 3.1.1.3.1.1.
const (
	litRaw        = 0
	litSame       = 1
	litCompressed = 2
)

// literals appends the literals section.
func (e *Encoder) literals(dst []byte) []byte {
	lits := e.lits[:e.nlits]
	if len(lits) < 32 {
		return append(appendPlainHeader(dst, litRaw, len(lits)), lits...)
	}
	h := &e.huff
	if !h.measure(lits) {
		return append(appendPlainHeader(dst, litSame, len(lits)), lits[0])
	}
	if gain := len(lits) - h.size(); gain > len(lits)/64+16 {
		if out, ok := e.compressed(dst, lits); ok {
			return out
		}
	}
	return append(appendPlainHeader(dst, litRaw, len(lits)), lits...)
}

// noisy tells from a sample that bytes are about evenly distributed. The sum of
// the squared counts is near 69,632 for noise. Where bytes have an entropy of
// 7.5 bits or less, which Huffman codes could save 1/16 of, it is above 92,000.
// There are at least 4,096.
func noisy(lits []byte) bool {
	const words = 4096 / 8
	var count [256]uint32
	step := len(lits) / words
	for i := range words {
		v := binary.LittleEndian.Uint64(lits[i*step:])
		for range 8 {
			count[byte(v)]++
			v >>= 8
		}
	}
	sum := uint32(0)
	for _, c := range count {
		sum += c * c
	}
	return sum < 80_000
}

// appendPlainHeader begins a section of n literals that are not compressed.
func appendPlainHeader(dst []byte, kind, n int) []byte {
	switch {
	case n < 32:
		return append(dst, byte(kind|n<<3))
	case n < 4096:
		return append(dst, byte(kind|1<<2|n<<4), byte(n>>4))
	}
	return append(dst, byte(kind|3<<2|n<<4), byte(n>>4), byte(n>>12))
}

// compressed appends a section of Huffman codes, in four streams if there are
// more than a few; false if it saves nothing.
func (e *Encoder) compressed(dst, lits []byte) ([]byte, bool) {
	start := len(dst)
	n := len(lits)
	header, streams := 3, 4
	switch {
	case n < 256:
		streams = 1
	case n >= 1<<14:
		header = 5
	case n >= 1<<10:
		header = 4
	}
	dst = append(dst, 0, 0, 0, 0, 0)[:start+header]
	dst, ok := e.huff.appendTree(dst)
	if !ok {
		return dst[:start], false
	}
	dst = e.streams(dst, lits, streams)
	size := len(dst) - start - header
	if size+header >= n {
		return dst[:start], false
	}
	putLitHeader(dst[start:], header, streams, n, size)
	return dst, true
}

// putLitHeader writes a header of 3, 4 or 5 bytes: type (2 bits), format (2),
// both sizes (10, 14 or 18 each).
func putLitHeader(b []byte, header, streams, n, size int) {
	format, width := header-2, 4*header-2
	if streams == 1 {
		format = 0
	}
	v := uint64(litCompressed | format<<2 | n<<4 | size<<(4+width))
	for i := range header {
		b[i] = byte(v >> (8 * i))
	}
}

// streams appends the codes of lits, as one stream or as four with a table of
// the lengths of the first three.
func (e *Encoder) streams(dst, lits []byte, k int) []byte {
	at := uint(len(dst))
	buf := grow(dst, len(lits)+len(lits)/2+64)
	if k == 1 {
		return buf[:e.huff.stream(buf, at, lits)]
	}
	jump := at
	at += 6
	part := (len(lits) + 3) / 4
	for i := range 4 {
		end := e.huff.stream(buf, at, lits[:min(part, len(lits))])
		if i < 3 {
			binary.LittleEndian.PutUint16(buf[jump+2*uint(i):], uint16(end-at))
		}
		at = end
		lits = lits[min(part, len(lits)):]
	}
	return buf[:at]
}
