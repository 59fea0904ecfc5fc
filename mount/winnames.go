package mount

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Windows gets names through UTF-8, in which half a surrogate pair cannot be
// written. Such a half shows as "%uD800" and can be looked up by that.

// surrogateAt reads a surrogate in its three bytes (WTF-8) at the front of s.
func surrogateAt(s string) (code uint16, ok bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2]&0xC0 != 0x80 {
		return 0, false
	}
	return 0xD000 | uint16(s[1]&0x3F)<<6 | uint16(s[2]&0x3F), true
}

// escapeSurrogates gives a name in valid UTF-8.
func escapeSurrogates(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		if code, ok := surrogateAt(name[i:]); ok {
			fmt.Fprintf(&b, "%%u%04X", code)
			i += 3
			continue
		}
		r, n := utf8.DecodeRuneInString(name[i:])
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// recallSurrogates undoes escapeSurrogates.
func recallSurrogates(shown string) (name string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(shown); {
		code, err := uint64(0), strconv.ErrSyntax
		if strings.HasPrefix(shown[i:], "%u") && len(shown)-i >= 6 {
			code, err = strconv.ParseUint(shown[i+2:i+6], 16, 16)
		}
		if err != nil || code < 0xD800 || code > 0xDFFF {
			b.WriteByte(shown[i])
			i++
			continue
		}
		b.Write([]byte{0xED, 0x80 | byte(code>>6&0x3F), 0x80 | byte(code&0x3F)})
		i, ok = i+6, true
	}
	return b.String(), ok
}
