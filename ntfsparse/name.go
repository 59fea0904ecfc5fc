package ntfsparse

import (
	"unicode/utf8"
)

// Names on NTFS are sequences of 16-bit units that need not be valid UTF-16
// and may hold what no path can. DecodeName and EncodeName turn them into
// UTF-8 and back without loss:
//
//   - a lone surrogate becomes its three bytes, as WTF-8 has it;
//   - '/', NUL and the first dot of the names "." and ".." become characters
//     of the last private-use plane, U+10FF00 plus their code;
//   - those characters themselves are written behind U+10FF5C.
const (
	escapeBase = 0x10FF00
	escapeMark = 0x10FF5C
)

// NameMark stands before such a character that stands for itself.
const NameMark = escapeMark

// StandsFor gives the character in whose place c stands in a decoded name; ok is
// false for all that stand for themselves.
func StandsFor(c rune) (r rune, ok bool) {
	if !escaped(c) || c == escapeMark {
		return c, false
	}
	return c - escapeBase, true
}

// DecodeName turns UTF-16LE into a name.
func DecodeName(u []byte) string {
	if len(u) <= 64 && plainASCII(u) {
		var short [32]byte
		for i := range len(u) / 2 {
			short[i] = u[2*i]
		}
		return string(short[:len(u)/2])
	}
	return string(appendName(make([]byte, 0, len(u)/2+len(u)/4), u))
}

// plainASCII tells whether each unit is its own one-byte character.
func plainASCII(u []byte) bool {
	if len(u) >= 2 && u[0] == '.' {
		return false
	}
	for i := 0; i+1 < len(u); i += 2 {
		if u[i+1] != 0 || u[i] >= 0x80 || u[i] == '/' || u[i] == 0 {
			return false
		}
	}
	return true
}

func appendName(dst, u []byte) []byte {
	if n := len(u) / 2; (n == 1 || n == 2) && unit(u, 0) == '.' && unit(u, n-1) == '.' {
		dst, u = utf8.AppendRune(dst, escapeBase+'.'), u[2:]
	}
	return appendUTF8(dst, u, '/')
}

// appendUTF8 turns UTF-16LE into UTF-8, in which no NUL and no character sep
// stands as it is.
func appendUTF8(dst, u []byte, sep rune) []byte {
	n := len(u) / 2
	for i := 0; i < n; i++ {
		c := rune(unit(u, i))
		switch {
		case c == sep || c == 0:
			dst = utf8.AppendRune(dst, escapeBase+c)
		case c < 0xD800 || c > 0xDFFF:
			dst = utf8.AppendRune(dst, c)
		case c < 0xDC00 && i+1 < n && unit(u, i+1)&0xFC00 == 0xDC00:
			i++
			dst = appendPair(dst, c, rune(unit(u, i)))
		default:
			dst = append(dst, 0xE0|byte(c>>12), 0x80|byte(c>>6)&0x3F, 0x80|byte(c)&0x3F)
		}
	}
	return dst
}

func unit(u []byte, i int) uint16 { return uint16(u[2*i]) | uint16(u[2*i+1])<<8 }

func appendPair(dst []byte, hi, lo rune) []byte {
	c := 0x10000 + (hi-0xD800)<<10 + (lo - 0xDC00)
	if escaped(c) {
		dst = utf8.AppendRune(dst, escapeMark)
	}
	return utf8.AppendRune(dst, c)
}

func escaped(c rune) bool {
	return c == escapeMark || c == escapeBase || c == escapeBase+'/' || c == escapeBase+'.'
}

// EncodeName is the inverse of [DecodeName]: it gives UTF-16LE. Bytes that are
// neither UTF-8 nor WTF-8 become U+FFFD.
func EncodeName(s string) []byte {
	u := make([]byte, 0, 2*len(s))
	for len(s) > 0 {
		c, n := decodeWTF8(s)
		s = s[n:]
		if c == escapeMark {
			if c, n = decodeWTF8(s); !escaped(c) {
				c, n = escapeMark, 0
			}
			s = s[n:]
		} else if escaped(c) {
			c -= escapeBase
		}
		u = appendUnits(u, c)
	}
	return u
}

func decodeWTF8(s string) (rune, int) {
	if len(s) >= 3 && s[0] == 0xED && s[1]&0xE0 == 0xA0 && s[2]&0xC0 == 0x80 {
		return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), 3
	}
	return utf8.DecodeRuneInString(s)
}

func appendUnits(u []byte, c rune) []byte {
	if c < 0x10000 {
		return le.AppendUint16(u, uint16(c))
	}
	c -= 0x10000
	return le.AppendUint16(le.AppendUint16(u, uint16(0xD800+c>>10)), uint16(0xDC00+c&0x3FF))
}
