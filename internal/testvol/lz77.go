package testvol

import "encoding/binary"

// CompressLZ77 is a plain LZ77 compressor [MS-XCA 2.3]: greedy, last match found.
func CompressLZ77(plain []byte) (out []byte) {
	last := map[string]int{}
	flagAt, left, half := 0, 0, -1
	flag := func(bit uint32) {
		if left == 0 {
			flagAt, left = len(out), 32
			out = append(out, 0, 0, 0, 0)
		}
		left--
		binary.LittleEndian.PutUint32(out[flagAt:], binary.LittleEndian.Uint32(out[flagAt:])|bit<<left)
	}
	for i := 0; i < len(plain); {
		n, dist := 0, 0
		if i+3 <= len(plain) {
			if at, ok := last[string(plain[i:i+3])]; ok && i-at <= 1<<13 {
				for dist = i - at; i+n < len(plain) && plain[at+n] == plain[i+n]; n++ {
				}
			}
		}
		if n < 3 {
			flag(0)
			out, n = append(out, plain[i]), 1
		} else {
			flag(1)
			out, half = pair77(out, half, dist, n)
		}
		for ; n > 0; n-- {
			if i+3 <= len(plain) {
				last[string(plain[i:i+3])] = i
			}
			i++
		}
	}
	return out
}

// pair77 appends a pair; half is where a half byte is free, or -1.
func pair77(out []byte, half, dist, n int) ([]byte, int) {
	n -= 3
	out = binary.LittleEndian.AppendUint16(out, uint16((dist-1)<<3|min(n, 7)))
	if n < 7 {
		return out, half
	}
	if half >= 0 {
		out[half] |= byte(min(n-7, 15) << 4)
		half = -1
	} else {
		half = len(out)
		out = append(out, byte(min(n-7, 15)))
	}
	switch {
	case n-7 < 15:
	case n-22 < 255:
		out = append(out, byte(n-22))
	case n < 1<<16:
		out = binary.LittleEndian.AppendUint16(append(out, 255), uint16(n))
	default:
		out = binary.LittleEndian.AppendUint32(append(out, 255, 0, 0), uint32(n))
	}
	return out, half
}
