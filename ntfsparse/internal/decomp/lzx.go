package decomp

import (
	"bytes"
	"sync"
)

// Sizes of LZX with a 32 KiB window.
const (
	lzxWindow   = 32 << 10
	lzxSlots    = 30               // distance slots of that window
	lzxMain     = 256 + 8*lzxSlots // plain bytes, then slot and short length
	lzxLengths  = 249
	lzxAligned  = 8
	lzxPre      = 20
	lzxMinMatch = 2
	e8FileSize  = 12_000_000
)

// Kinds of LZX blocks.
const (
	lzxVerbatim     = 1
	lzxAlignedBlock = 2
	lzxPlain        = 3
)

// lzxBase and lzxExtra give each slot's lowest distance (plus 2) and how many
// bits follow.
var lzxBase, lzxExtra = func() (base [lzxSlots + 2]uint16, extra [lzxSlots + 2]uint8) {
	next := 0
	for s := range lzxSlots {
		base[s], extra[s] = uint16(next), uint8(max(0, s/2-1))
		next += 1 << extra[s]
	}
	return
}()

type lzxState struct {
	bitReader
	dst                        []byte
	pos                        int
	recent                     [3]int // the last three distances
	mainLens                   [lzxMain]uint8
	lengthLens                 [lzxLengths]uint8
	main, length, aligned, pre huffman
}

var lzxPool = sync.Pool{New: func() any { return new(lzxState) }}

// LZX expands one chunk of LZX into dst, whose length is the exact plain length,
// at most 32 KiB. The variant is that of WIM files and CompactOS: each chunk
// stands alone; a block's size is one bit for 32 KiB or else 16 bits; there is no
// header, and the addresses of x86 calls are always translated as if the file
// had 12,000,000 bytes. A chunk as long as its plain form is stored plain; that
// is the caller's to know.
func LZX(dst, src []byte) error {
	if len(dst) > lzxWindow {
		return &Error{"LZX", 0, "a chunk over 32 KiB"}
	}
	s := lzxPool.Get().(*lzxState)
	defer lzxPool.Put(s)
	s.start(dst, src)
	defer s.release()
	for s.pos < len(dst) {
		if msg := s.block(); msg != "" {
			return &Error{"LZX", s.pos, msg}
		}
	}
	restoreCalls(dst)
	return nil
}

func (s *lzxState) start(dst, src []byte) {
	s.bitReader = bitReader{src: src}
	s.dst, s.pos = dst, 0
	s.recent = [3]int{1, 1, 1}
	clear(s.mainLens[:])
	clear(s.lengthLens[:])
}

// release drops what belongs to the caller.
func (s *lzxState) release() { s.src, s.dst = nil, nil }

// block expands one block: kind (3 bits), size, codes, contents.
func (s *lzxState) block() string {
	s.refill()
	kind := s.take(3)
	size := lzxWindow
	if s.take(1) == 0 {
		size = int(s.take(16))
	}
	if size == 0 || size > len(s.dst)-s.pos {
		return "a block's size does not fit"
	}
	switch kind {
	case lzxVerbatim, lzxAlignedBlock:
		return s.coded(size, kind == lzxAlignedBlock)
	case lzxPlain:
		return s.plain(size)
	}
	return "an unknown kind of block"
}

// plain copies a block that is not compressed: padding of 1 to 16 bits, the
// three recent distances, the bytes, a byte of padding when they are odd.
func (s *lzxState) plain(size int) string {
	s.refill()
	s.skip((s.n-1)&15 + 1)
	at := s.pos16()
	if at > len(s.src) || len(s.src)-at < 12+size {
		return "a plain block is cut"
	}
	for i := range s.recent {
		s.recent[i] = int(le.Uint32(s.src[at+4*i:]))
	}
	at += 12
	s.pos += copy(s.dst[s.pos:s.pos+size], s.src[at:])
	s.bitReader = bitReader{src: s.src, pos: at + size + size&1}
	return ""
}

// pos16 is the byte position of the next bit, which must start a unit.
func (s *lzxState) pos16() int { return s.bitReader.pos - int(s.n/8) }

// coded expands a block of Huffman codes.
func (s *lzxState) coded(size int, aligned bool) string {
	if aligned && !s.readAligned() {
		return "the code of aligned distances is impossible"
	}
	if !s.readLens(s.mainLens[:256]) || !s.readLens(s.mainLens[256:]) || !s.main.build(s.mainLens[:]) {
		return "the main code is impossible"
	}
	if !s.readLens(s.lengthLens[:]) || !s.length.build(s.lengthLens[:]) {
		return "the length code is impossible"
	}
	if s.overrun() {
		return "the data are cut"
	}
	msg := s.expand(s.dst[:s.pos+size], aligned)
	if msg == "" && s.overrun() {
		return "the data are cut"
	}
	return msg
}

func (s *lzxState) readAligned() bool {
	var lens [lzxAligned]uint8
	for i := range lens {
		s.refill()
		lens[i] = uint8(s.take(3))
	}
	return s.aligned.build(lens[:])
}

// readLens reads code lengths as differences from those of the block before,
// themselves coded by a small code that precedes them.
func (s *lzxState) readLens(lens []uint8) bool {
	var pre [lzxPre]uint8
	for i := range pre {
		s.refill()
		pre[i] = uint8(s.take(4))
	}
	if !s.pre.build(pre[:]) {
		return false
	}
	for i := 0; i < len(lens); {
		k := s.readLen(lens[i:])
		if k == 0 {
			return false
		}
		i += k
	}
	return true
}

// readLen reads one length or a run of equal ones and tells how many; 0 when it
// cannot.
func (s *lzxState) readLen(lens []uint8) int {
	s.refill()
	sym, n := s.symbol(&s.pre)
	if n == 0 {
		return 0
	}
	run, value := 1, uint8(0)
	switch sym {
	case 17:
		run = 4 + int(s.take(4))
	case 18:
		run = 20 + int(s.take(5))
	case 19:
		run = 4 + int(s.take(1))
		s.refill()
		if sym, n = s.symbol(&s.pre); n == 0 || sym > 16 {
			return 0
		}
		value = lengthBefore(lens[0], sym)
	default:
		value = lengthBefore(lens[0], sym)
	}
	if run > len(lens) {
		return 0
	}
	for i := range run {
		lens[i] = value
	}
	return run
}

// lengthBefore applies a difference modulo 17 to the former length.
func lengthBefore(former uint8, sym uint) uint8 {
	return uint8((uint(former) + 17 - sym) % 17)
}

// expand decodes symbols until dst is full: below 256 a plain byte; else a match
// whose low three bits tell its length less 2 (7: a symbol of the length code
// follows) and the others the slot of its distance. The first three slots name
// recent distances.
//
// The reader's state is kept in local variables, for speed: 33 bits are ready at
// the top of the loop, which are enough for two plain bytes or for a match with
// its distance.
func (s *lzxState) expand(dst []byte, aligned bool) string {
	b, h, r := &s.bitReader, &s.main, &s.recent
	src, at, bits, n, pos := b.src, b.pos, b.bits, b.n, s.pos
	fault := ""
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
				fault = badWord
				break
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
		length := int(sym&7) + lzxMinMatch
		if sym&7 == 7 {
			e := uint(s.length.root[bits>>(64-rootBits)])
			more, k := e>>4, e&15
			if e == 0 {
				if more, k = s.length.long(bits); k == 0 {
					fault = badWord
					break
				}
			}
			length += int(more)
			if bits, n = bits<<(k&63), n-k; n <= 32 {
				if at+4 <= len(src) {
					bits |= units(src[at:], n)
					at, n = at+4, n+32
				} else {
					at, bits, n = b.refillAt(at, bits, n)
				}
			}
		}
		slot, dist := (sym-256)>>3&31, 0
		if slot < 3 {
			dist = r[slot]
			r[slot], r[0] = r[0], dist
		} else {
			extra := uint(lzxExtra[slot])
			dist = int(lzxBase[slot]) - 2
			if aligned && extra >= 3 {
				extra -= 3
				dist += int(bits>>1>>(63-extra&63)) << 3
				bits, n = bits<<(extra&63), n-extra
				low := uint(s.aligned.root[bits>>(64-rootBits)]) // words of up to 7 bits
				if low == 0 {
					fault = badWord
					break
				}
				dist += int(low >> 4)
				bits, n = bits<<(low&15), n-low&15
			} else {
				dist += int(bits >> 1 >> (63 - extra&63))
				bits, n = bits<<(extra&63), n-extra
			}
			r[0], r[1], r[2] = dist, r[0], r[1]
		}
		if dist <= 0 || dist > pos {
			fault = "a match points before the chunk"
			break
		}
		if dist >= 8 && length <= 16 && len(dst)-pos >= 16 {
			copyShort(dst[pos-dist:], dist)
		} else if length > len(dst)-pos {
			fault = "a match runs past the block's end"
			break
		} else {
			copyMatch(dst, pos, dist, length)
		}
		pos += length
	}
	b.pos, b.bits, b.n, s.pos = at, bits, n, pos
	return fault
}

// restoreCalls turns the absolute targets of x86 call instructions (byte E8)
// back into relative ones, as the compressor found them.
func restoreCalls(d []byte) {
	for i := 0; i < len(d)-10; i += 5 {
		k := bytes.IndexByte(d[i:len(d)-10], 0xe8)
		if k < 0 {
			return
		}
		i += k
		restoreCall(d[i+1:], int32(i))
	}
}

// restoreCall restores the target in d of the call at the given place.
func restoreCall(d []byte, at int32) {
	abs := int32(le.Uint32(d))
	switch {
	case abs >= 0 && abs < e8FileSize:
		le.PutUint32(d, uint32(abs-at))
	case abs < 0 && abs >= -at:
		le.PutUint32(d, uint32(abs+e8FileSize))
	}
}
