package device

import (
	"bytes"
	"io"
	"math/rand"
	"testing"
)

func filled(b byte, n int) *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{b}, n)) }

func TestParts(t *testing.T) {
	var ps parts
	for _, p := range []part{{off: 300, len: 100, r: filled(3, 100)}, {off: 100, len: 100, r: filled(1, 100)}, {off: 200, len: 50, r: filled(2, 50)}} {
		if err := ps.add(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []part{{off: 150, len: 10}, {off: 90, len: 20}, {off: 0, len: 1000}, {off: 399, len: 1}, {off: 50, len: 0}} {
		if ps.add(bad) == nil {
			t.Errorf("%d bytes at %d were taken", bad.len, bad.off)
		}
	}
	want := bytes.Repeat([]byte{9}, 500)
	copy(want[100:], bytes.Repeat([]byte{1}, 100))
	copy(want[200:], bytes.Repeat([]byte{2}, 50))
	copy(want[300:], bytes.Repeat([]byte{3}, 100))
	rng := rand.New(rand.NewSource(1))
	for range 5000 {
		off := rng.Intn(520)
		p := make([]byte, rng.Intn(520))
		n, err := ps.readAt(filled(9, 500), p, int64(off))
		end := min(off+len(p), 500)
		rest := want[min(off, 500):max(end, min(off, 500))]
		if n != len(rest) || !bytes.Equal(p[:n], rest) || (err == nil) != (n == len(p)) || err != nil && err != io.EOF {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
}

// A part that fails says so, with what was read before it.
func TestPartsFail(t *testing.T) {
	ps := parts{{off: 10, len: 10, r: filled(1, 5)}} // has less than it should
	p := make([]byte, 30)
	if n, err := ps.readAt(filled(9, 30), p, 0); n != 15 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}
