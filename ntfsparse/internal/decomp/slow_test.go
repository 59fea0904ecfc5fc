package decomp

// Decoders that follow the specifications word by word, a bit at a time, for the
// fast ones to be compared with. They are only asked about data that the fast
// ones took for sound.

// lznt1Slowly expands a unit of size bytes [MS-XCA 2.5].
func lznt1Slowly(src []byte, size int) []byte {
	var out []byte
	for len(out) < size && len(src) >= 2 && le.Uint16(src) != 0 {
		head := le.Uint16(src)
		body := src[2 : 2+int(head&0xFFF)+1]
		src = src[2+len(body):]
		chunk := body
		if head&0x8000 != 0 {
			chunk = lznt1ChunkSlowly(body)
		}
		if len(chunk) > lznt1Chunk {
			chunk = chunk[:lznt1Chunk]
		}
		out = append(out, chunk...)
		out = append(out, make([]byte, lznt1Chunk-len(chunk))...)
	}
	return append(out, make([]byte, max(0, size-len(out)))...)[:size]
}

func lznt1ChunkSlowly(src []byte) (out []byte) {
	for i := 0; i < len(src); {
		flags := src[i]
		i++
		for bit := 0; bit < 8 && i < len(src); bit++ {
			if flags>>bit&1 == 0 {
				out = append(out, src[i])
				i++
				continue
			}
			if i+2 > len(src) || len(out) > lznt1Chunk { // the room is full
				return out
			}
			pair := int(le.Uint16(src[i:]))
			i += 2
			shift := 12
			for p := len(out) - 1; p >= 16; p >>= 1 {
				shift--
			}
			dist, n := pair>>shift+1, pair&(1<<shift-1)+3
			for range n {
				if dist > len(out) {
					return out
				}
				out = append(out, out[len(out)-dist])
			}
		}
	}
	return out
}

// lz77Slowly expands plain LZ77 [MS-XCA 2.4].
func lz77Slowly(src []byte, size int) (out []byte) {
	at, half := 0, -1
	next := func(n int) (v int) {
		for i := range n {
			v |= int(src[at+i]) << (8 * i)
		}
		at += n
		return v
	}
	for flags, left := 0, 0; len(out) < size; left-- {
		if left == 0 {
			flags, left = next(4), 32
		}
		if flags>>(left-1)&1 == 0 {
			out = append(out, byte(next(1)))
			continue
		}
		pair := next(2)
		n := pair & 7
		if n == 7 {
			if half < 0 {
				half = at
				n = next(1) & 15
			} else {
				n, half = int(src[half]>>4), -1
			}
			if n == 15 {
				if n = next(1); n == 255 {
					if n = next(2); n == 0 {
						n = next(4)
					}
					n -= 15 + 7
				}
				n += 15
			}
			n += 7
		}
		for range n + 3 {
			out = append(out, out[len(out)-(pair>>3+1)])
		}
	}
	return out
}

// bitsSlowly takes bits from units of 16, the highest first. Behind the end are
// zeros.
type bitsSlowly struct {
	src []byte
	at  int // bits taken
}

func (b *bitsSlowly) take(n int) (v int) {
	for range n {
		if unit := b.at / 16 * 2; unit+1 < len(b.src) {
			v = v<<1 | int(le.Uint16(b.src[unit:])>>(15-b.at%16)&1)
		} else {
			v <<= 1
		}
		b.at++
	}
	return v
}

// canonical is a canonical code: how many words each length has, and their
// symbols in the order of the words.
type canonical struct {
	count [17]int
	syms  []int
}

func canonicalOf(lens []uint8) (c canonical) {
	for l := uint8(1); l <= 16; l++ {
		for s, n := range lens {
			if n == l {
				c.count[l]++
				c.syms = append(c.syms, s)
			}
		}
	}
	return c
}

// word takes a word of a code, -1: none that it has.
func (b *bitsSlowly) word(c canonical) int {
	code, first, before := 0, 0, 0
	for _, n := range c.count[1:] {
		code, first = code<<1|b.take(1), first<<1
		if code < first+n {
			return c.syms[before+code-first]
		}
		first, before = first+n, before+n
	}
	return -1
}

// lengths takes code lengths, which are coded as differences.
func (b *bitsSlowly) lengths(lens []uint8) {
	preLens := make([]uint8, 20)
	for i := range preLens {
		preLens[i] = uint8(b.take(4))
	}
	pre := canonicalOf(preLens)
	for i := 0; i < len(lens); {
		sym, run := b.word(pre), 1
		value := -1
		switch sym {
		case 17:
			run, value = 4+b.take(4), 0
		case 18:
			run, value = 20+b.take(5), 0
		case 19:
			run = 4 + b.take(1)
			sym = b.word(pre)
		}
		if value < 0 {
			value = (int(lens[i]) - sym + 17) % 17
		}
		for range run {
			lens[i] = uint8(value)
			i++
		}
	}
}

// lzxSlowly expands a chunk of LZX as WIM files have it: [MS-PATCH] with blocks
// whose size is one bit or 16, without a header.
func lzxSlowly(src []byte, size int) (out []byte) {
	b := &bitsSlowly{src: src}
	recent := [3]int{1, 1, 1}
	mainLens, lengthLens, alignedLens := make([]uint8, 496), make([]uint8, 249), make([]uint8, 8)
	for len(out) < size {
		kind, end := b.take(3), len(out)+32768
		if b.take(1) == 0 {
			end = len(out) + b.take(16)
		}
		if kind == 3 {
			at := b.at/16*2 + 2 // 1 to 16 bits of padding
			for i := range recent {
				recent[i] = int(le.Uint32(src[at+4*i:]))
			}
			n := end - len(out)
			out = append(out, src[at+12:at+12+n]...)
			b.at = (at + 12 + n + n%2) * 8
			continue
		}
		if kind == 2 {
			for i := range alignedLens {
				alignedLens[i] = uint8(b.take(3))
			}
		}
		b.lengths(mainLens[:256])
		b.lengths(mainLens[256:])
		b.lengths(lengthLens)
		main, length, aligned := canonicalOf(mainLens), canonicalOf(lengthLens), canonicalOf(alignedLens)
		for len(out) < end {
			sym := b.word(main)
			if sym < 256 {
				out = append(out, byte(sym))
				continue
			}
			n, slot := sym&7+2, (sym-256)>>3
			if sym&7 == 7 {
				n += b.word(length)
			}
			dist := 0
			if slot < 3 {
				dist = recent[slot]
				recent[slot] = recent[0]
			} else {
				base, extra := 0, 0
				for s := range slot + 1 {
					base += 1 << extra
					extra = max(0, s/2-1)
					if s == 0 {
						base = 0
					}
				}
				if dist = base - 2; kind == 2 && extra >= 3 {
					dist += b.take(extra-3) << 3
					dist += b.word(aligned)
				} else {
					dist += b.take(extra)
				}
				recent[2], recent[1] = recent[1], recent[0]
			}
			recent[0] = dist
			for range n {
				out = append(out, out[len(out)-dist])
			}
		}
	}
	for i := 0; i < len(out)-10; i++ { // calls
		if out[i] == 0xE8 {
			switch abs := int32(le.Uint32(out[i+1:])); {
			case abs >= 0 && abs < 12_000_000:
				le.PutUint32(out[i+1:], uint32(abs-int32(i)))
			case abs < 0 && abs >= int32(-i):
				le.PutUint32(out[i+1:], uint32(abs+12_000_000))
			}
			i += 4
		}
	}
	return out
}

// xpressSlowly is [MS-XCA 2.2.4] bit by bit, with as many units read ahead as
// told; the specification says 2.
func xpressSlowly(stored []byte, size, ahead int) (out []byte) {
	var words [16]map[int]int
	for code, l := 0, 1; l <= 15; code, l = code<<1, l+1 {
		words[l] = map[int]int{}
		for s := range xpressSyms {
			if int(stored[s/2]>>(s%2*4)&15) == l {
				words[l][code] = s
				code++
			}
		}
	}
	var queue []byte // bits, one in a byte
	at := xpressTable
	unit := func() {
		v := 0
		if at+2 <= len(stored) {
			v = int(le.Uint16(stored[at:]))
		}
		at += 2
		for i := 15; i >= 0; i-- {
			queue = append(queue, byte(v>>i&1))
		}
	}
	take := func(n int) (v int) {
		for range n {
			v = v<<1 | int(queue[0])
			queue = queue[1:]
			if len(queue) < 16*(ahead-1) {
				unit()
			}
		}
		return v
	}
	for range ahead {
		unit()
	}
	for len(out) < size {
		word, sym, ok := 0, 0, false
		for l := 1; l <= 15 && !ok; l++ {
			if len(queue) == 0 {
				unit()
			}
			word = word<<1 | take(1)
			sym, ok = words[l][word]
		}
		if !ok {
			return out
		}
		if sym < 256 {
			out = append(out, byte(sym))
			continue
		}
		n := sym & 15
		if n == 15 && at < len(stored) {
			n, at = 15+int(stored[at]), at+1
			if n == 15+255 && at+2 <= len(stored) {
				n, at = int(le.Uint16(stored[at:])), at+2
				if n == 0 && at+4 <= len(stored) {
					n, at = int(le.Uint32(stored[at:])), at+4
				}
			}
		}
		dist := 1
		for range sym >> 4 & 15 {
			if len(queue) == 0 {
				unit()
			}
			dist = dist<<1 | take(1)
		}
		for range n + 3 {
			if dist > len(out) || len(out) > size {
				return out
			}
			out = append(out, out[len(out)-dist])
		}
	}
	return out[:size]
}
