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
func (s *xpressState) expand(dst, src []byte) (int, string) {
	b := bitReader{src: src}
	pos := 0
	for {
		var sym uint
		if pos, sym = b.plain(&s.code, dst, pos); sym < 256 {
			break
		}
		if sym == noSymbol {
			return pos, "bits that are no code word"
		}
		length := int(sym & 15)
		if length == 15 {
			var ok bool
			if length, ok = xpressLength(&b); !ok {
				return pos, "a match length is cut or impossible"
			}
			b.refill()
		}
		length += 3
		distBits := (sym >> 4) & 15
		dist := int(b.take(distBits) | 1<<distBits)
		if dist > pos {
			return pos, "a match points before the chunk"
		}
		if length > len(dst)-pos {
			return pos, "a match runs past the chunk's end"
		}
		copyMatch(dst, pos, dist, length)
		pos += length
	}
	if b.overrun() {
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
