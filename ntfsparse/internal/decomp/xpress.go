package decomp

import "sync"

// Sizes of XPRESS Huffman.
const (
	xpressSyms  = 512
	xpressTable = xpressSyms / 2 // bytes of code lengths, two in a byte
	xpressMax   = 64 << 10       // plain bytes under one table
)

type xpressState struct {
	code huffman
	lens [xpressSyms]uint8
}

var xpressPool = sync.Pool{New: func() any { return new(xpressState) }}

// Xpress expands one chunk of XPRESS Huffman [MS-XCA 2.2] into dst, whose length
// is the exact plain length, at most 64 KiB (CompactOS uses 4, 8 and 16 KiB).
// A chunk as long as its plain form is stored plain; that is the caller's to
// know.
func Xpress(dst, src []byte) error {
	if len(dst) > xpressMax {
		return &Error{"XPRESS", 0, "a chunk over 64 KiB"}
	}
	if len(src) < xpressTable {
		return &Error{"XPRESS", 0, "the table of code lengths is cut"}
	}
	s := xpressPool.Get().(*xpressState)
	defer xpressPool.Put(s)
	for i, b := range src[:xpressTable] {
		s.lens[2*i], s.lens[2*i+1] = b&15, b>>4
	}
	if !s.code.build(s.lens[:]) {
		return &Error{"XPRESS", 0, "the code lengths contradict each other"}
	}
	if pos, msg := s.expand(dst, src[xpressTable:]); msg != "" {
		return &Error{"XPRESS", pos, msg}
	}
	return nil
}

// expand decodes symbols: below 256 a plain byte; else a match whose low four
// bits tell its length less 3 (15: more bytes follow) and the others how many
// bits of distance follow below a leading 1.
//
// The reader's state is kept in local variables, for speed: 33 bits are ready at
// the top of the loop, which are enough for two plain bytes or one match.
func (s *xpressState) expand(dst, src []byte) (int, string) {
	b, h := bitReader{src: src}, &s.code
	at, bits, n, pos := 0, uint64(0), uint(0), 0
	for pos < len(dst) {
		if n <= 32 {
			if at+4 <= len(src) {
				bits |= units(src[at:], n)
				at, n = at+4, n+32
			} else {
				at, bits, n = b.refillAt(at, bits, n)
			}
		}
		e := uint(h.root[bits>>(64-rootBits)])
		sym, k := e>>4, e&15
		if e == 0 {
			if sym, k = h.long(bits); k == 0 {
				return pos, badWord
			}
		}
		bits, n = bits<<(k&63), n-k
		if sym < 256 {
			dst[pos] = byte(sym)
			pos++
			if e = uint(h.root[bits>>(64-rootBits)]); e-1 < 256<<4-1 && pos < len(dst) {
				dst[pos] = byte(e >> 4)
				pos++
				bits, n = bits<<(e&15), n-e&15
			}
			continue
		}
		length := int(sym & 15)
		if length == 15 {
			b.pos, b.bits, b.n = at, bits, n
			var ok bool
			if length, ok = xpressLength(&b); !ok {
				return pos, "a match length is cut or impossible"
			}
			b.refill()
			at, bits, n = b.pos, b.bits, b.n
		}
		length += 3
		extra := (sym >> 4) & 15
		dist := int(bits>>1>>(63-extra)) | 1<<extra
		bits, n = bits<<extra, n-extra
		if dist > pos {
			return pos, "a match points before the chunk"
		}
		if dist >= 8 && length <= 16 && len(dst)-pos >= 16 {
			copyShort(dst[pos-dist:], dist)
		} else if length > len(dst)-pos {
			return pos, "a match runs past the chunk's end"
		} else {
			copyMatch(dst, pos, dist, length)
		}
		pos += length
	}
	if b.pos, b.n = at, n; b.overrun() {
		return pos, "the data are cut"
	}
	return pos, ""
}

// xpressLength reads a long match length, whose bytes stand in the stream
// behind the last unit that a reader keeping 16 to 31 bits ahead has taken; what
// this one took beyond is given back.
func xpressLength(b *bitReader) (int, bool) {
	surplus := b.n>>4 - 1
	b.pos -= int(2 * surplus)
	b.n -= 16 * surplus
	b.bits &= ^uint64(0) << (64 - b.n)
	v, ok := b.bytes(1)
	if v == 255 {
		v, ok = b.bytes(2)
		if ok && v == 0 {
			v, ok = b.bytes(4)
		}
		return v, ok && v >= 15
	}
	return v + 15, ok
}

// bytes reads k bytes between two units.
func (b *bitReader) bytes(k int) (v int, ok bool) {
	if b.pos > len(b.src) || len(b.src)-b.pos < k {
		return 0, false
	}
	for i := k - 1; i >= 0; i-- {
		v = v<<8 | int(b.src[b.pos+i])
	}
	b.pos += k
	return v, true
}
