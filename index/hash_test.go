package index

import (
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
)

// Both ways to hash a block are BLAKE3.
func TestBlockHash(t *testing.T) {
	src := rand.NewChaCha8([32]byte{1})
	for _, n := range []int{0, 1, 1024, BlockSize - 1, BlockSize, BlockSize + 1} {
		for range 20 {
			b := make([]byte, n)
			src.Read(b)
			if BlockHash(b) != Hash(blake3.Sum256(b)) {
				t.Fatalf("%d bytes: another hash", n)
			}
		}
	}
}

func BenchmarkBlockHash(b *testing.B) {
	p := make([]byte, BlockSize)
	b.SetBytes(BlockSize)
	for b.Loop() {
		BlockHash(p)
	}
}
