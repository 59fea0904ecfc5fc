package zblock

import (
	"bytes"
	"testing"
)

// plainly encodes as on a processor without BMI2, which this one has.
func plainly(e *Encoder, plain []byte) ([]byte, bool) {
	defer func() { bmi2 = true }()
	bmi2 = false
	return e.Encode(nil, plain, Size)
}

// TestAssembly: with assembly and without, frames are the same.
func TestAssembly(t *testing.T) {
	if !bmi2 {
		t.Skip("this processor has no BMI2")
	}
	for name, l := range levels {
		e := New(l)
		same := func(what string, b []byte) {
			want, _ := plainly(e, b)
			if got, _ := e.Encode(nil, b, Size); !bytes.Equal(got, want) {
				t.Errorf("%s/%s: another frame", name, what)
			}
		}
		for what, b := range cases() {
			same(what, b)
		}
		for _, b := range files(t, 500) {
			same("a file", b)
		}
	}
}

// TestAssemblyRange: sequences with all values that can be, near each bound of
// a code, give the same stream.
func TestAssemblyRange(t *testing.T) {
	if !bmi2 {
		t.Skip("this processor has no BMI2")
	}
	e := New(Fast)
	edges := []uint{0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 1023, 1024, 32767, 32768, 65535}
	for _, lit := range edges {
		for _, match := range edges {
			for _, off := range edges {
				q := sequence{uint32(off + 1), uint16(lit), uint16(match)}
				if e.nseqs < maxSeqs {
					e.seqs[e.nseqs] = q
					e.nseqs++
				}
			}
		}
	}
	for _, n := range []uint{1, 2, 3, 100, e.nseqs} {
		e.nseqs = n
		got := e.sequences(nil)
		bmi2 = false
		want := e.sequences(nil)
		bmi2 = true
		if !bytes.Equal(got, want) {
			t.Errorf("%d sequences: another stream", n)
		}
	}
}

// FuzzAssembly: the same for blocks of any kind.
func FuzzAssembly(f *testing.F) {
	f.Add([]byte("\x05hello\x85\x01\x00\xff\x02\x00"))
	if !bmi2 {
		f.Skip("this processor has no BMI2")
	}
	encoders := map[string]*Encoder{"fast": New(Fast), "double": New(Double)}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := build(data)
		for name, e := range encoders {
			want, _ := plainly(e, b)
			if got, _ := e.Encode(nil, b, Size); !bytes.Equal(got, want) {
				t.Errorf("%s: another frame", name)
			}
		}
	})
}
