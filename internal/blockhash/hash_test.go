package blockhash

import (
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
)

// need skips where there is nothing to test: everything else goes another way.
func need(t testing.TB) {
	if !Available {
		t.Skip("this processor has no AVX-512")
	}
}

func TestSum(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(1, 2))
	room := make([]byte, Size+64)
	for round := range 300 {
		b := (*[Size]byte)(room[round%64:])
		for i := range b {
			switch round % 3 {
			case 0:
				b[i] = byte(r.Uint32())
			case 1:
				b[i] = 0
			default:
				b[i] = byte(i>>10) | 0x80
			}
		}
		if round%3 == 1 {
			b[r.IntN(Size)] = 1 // one byte, anywhere
		}
		if got, want := Sum(b), blake3.Sum256(b[:]); got != want {
			t.Fatalf("round %d: %x, not %x", round, got, want)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	need(b)
	var p [Size]byte
	b.SetBytes(Size)
	for b.Loop() {
		Sum(&p)
	}
}
