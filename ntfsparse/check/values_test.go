package check

import (
	"bytes"
	"testing"
)

// TestEndOfEAs: what is left behind the last extended attribute, too short for
// another, is zero or damage.
func TestEndOfEAs(t *testing.T) {
	one := append([]byte{20, 0, 0, 0, 0x80, 3, 4, 0}, "ONE\x00four\x00\x00\x00\x00"...)
	for rest := range 8 {
		for _, last := range []byte{0, 1} {
			c := newChecker(t.Context(), bytes.NewReader(nil), 0, Options{})
			v := append(bytes.Clone(one), make([]byte, rest)...)
			if rest > 0 {
				v[len(v)-1] = last
			}
			c.ea(&attr{typ: tEA, value: v})
			if bad := rest > 0 && last != 0; c.count[kind{"T14", Error}] > 0 != bad || !c.cur.ea {
				t.Errorf("%d bytes, the last of which is %d: %v", rest, last, c.rep.Findings)
			}
		}
	}
}
