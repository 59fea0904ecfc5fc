package decomp

import "math/bits"

// lznt1Chunk is the plain size of every LZNT1 chunk but the last.
const lznt1Chunk = 4096

// LZNT1 expands one compression unit [MS-XCA 2.5]: chunks, each with a 16-bit
// header, up to a zero header, the end of src, or a full dst. A compressed chunk
// that yields less than 4096 bytes counts as if zeros followed, as NTFS has it; one
// of plain bytes has all of them. The last chunk is expanded whole, however little of
// it dst takes: what is wrong in it may show only behind.
//
//	header bits 0-11   length of the chunk, header included, less 3
//	            12-14  3 (not checked, as other readers do not either)
//	            15     compressed; else plain bytes
//
// n counts the plain bytes up to the last chunk's end; the rest of dst is
// zeroed.
func LZNT1(dst, src []byte) (n int, err error) {
	for n < len(dst) && len(src) >= 2 && le.Uint16(src) != 0 {
		room := dst[n:min(len(dst), n+lznt1Chunk)]
		body, rest, ok := lznt1Cut(src)
		if !ok {
			clear(dst[n:])
			return n, &Error{"LZNT1", n, "a chunk is longer than the unit"}
		}
		got, msg := lznt1Expand(room, body, src[1]&0x80 != 0)
		if msg != "" {
			clear(dst[min(n+got, len(dst)):])
			return min(n+got, len(dst)), &Error{"LZNT1", n + got, msg}
		}
		clear(room[min(got, len(room)):])
		n, src = n+len(room), rest
	}
	clear(dst[n:])
	return n, nil
}

// lznt1Cut splits the first chunk's body off src, which has its header.
func lznt1Cut(src []byte) (body, rest []byte, ok bool) {
	n := int(le.Uint16(src)&0xfff) + 1
	if n > len(src)-2 {
		return nil, nil, false
	}
	return src[2 : 2+n], src[2+n:], true
}

// lznt1Expand expands a chunk, and tells how much it yields, dst taking what it can.
func lznt1Expand(dst, src []byte, compressed bool) (n int, msg string) {
	switch {
	case !compressed && len(src) != lznt1Chunk:
		return 0, "a chunk of plain bytes does not have 4096"
	case !compressed:
		copy(dst, src)
		return lznt1Chunk, ""
	case len(dst) == lznt1Chunk:
		return lznt1Tokens(dst, src)
	}
	var whole [lznt1Chunk]byte
	n, msg = lznt1Tokens(whole[:], src)
	copy(dst, whole[:n])
	return n, msg
}

// lznt1Tokens expands a compressed chunk into dst, which has room for all of one: a byte of eight flags, lowest first,
// then a plain byte for each 0 and for each 1 a pair of 16 bits, length below
// distance; the further into the chunk, the more of them tell the distance.
//
// While there is room for it, plain bytes are copied eight at a time up to the
// next pair, even when there are fewer or none: what is too much is not written
// yet.
func lznt1Tokens(dst, src []byte) (pos int, msg string) {
	i, flags := 0, uint(1)
	for len(src)-i >= 32 && len(dst)-pos >= 32 {
		if flags == 1 {
			flags = uint(src[i]) | 1<<8 // a stop bit above the flags
			i++
		}
		le.PutUint64(dst[pos:], le.Uint64(src[i:]))
		lit := bits.TrailingZeros(flags)
		pos, i = pos+lit, i+lit
		if flags >>= lit & 15; flags == 1 {
			continue
		}
		flags >>= 1
		dist, n := lznt1Pair(le.Uint16(src[i:]), pos)
		i += 2
		if dist > pos {
			return pos, "a pair points before the chunk"
		}
		if dist >= 8 && n <= 16 {
			copyShort(dst[pos-dist:], dist)
		} else if n > len(dst)-pos {
			return pos, overlong
		} else {
			copyMatch(dst, pos, dist, n)
		}
		pos += n
	}
	return lznt1End(dst, src[i:], pos, flags)
}

// lznt1End expands the rest of a chunk, whose next token's flag is the lowest in
// flags.
func lznt1End(dst, src []byte, pos int, flags uint) (int, string) {
	for len(src) > 0 {
		if flags == 1 {
			flags = uint(src[0]) | 1<<8
			src = src[1:]
			continue
		}
		pair := flags&1 != 0
		flags >>= 1
		if !pair {
			if pos == len(dst) {
				return pos, overlong
			}
			dst[pos] = src[0]
			pos, src = pos+1, src[1:]
			continue
		}
		if len(src) < 2 {
			return pos, "half a pair at the end of a chunk"
		}
		dist, n := lznt1Pair(le.Uint16(src), pos)
		src = src[2:]
		if dist > pos {
			return pos, "a pair points before the chunk"
		}
		if n > len(dst)-pos {
			return pos, overlong
		}
		copyMatch(dst, pos, dist, n)
		pos += n
	}
	return pos, ""
}

// lznt1Pair takes a pair apart that stands pos bytes into the chunk.
func lznt1Pair(t uint16, pos int) (dist, n int) {
	lenBits := 16 - max(4, uint(bits.Len32(uint32(pos-1))))
	return int(t>>(lenBits&15)) + 1, int(t&(1<<(lenBits&15)-1)) + 3
}

const overlong = "a chunk yields more than 4096 bytes"
