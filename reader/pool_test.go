package reader

import (
	"bytes"
	"testing"

	"vitrine/index"
	"vitrine/internal/zblock"
)

// TestExpandRoom: a block is expanded as well where nothing behind it may be
// overwritten, and then nothing is.
func TestExpandRoom(t *testing.T) {
	p := NewPool(0, 0)
	defer p.Close()
	plain := bytes.Repeat([]byte("0123456789 and some more, "), index.BlockSize)[:index.BlockSize]
	stored, ok := zblock.New(zblock.Fast).Encode(nil, plain, index.MaxStored)
	if !ok {
		t.Fatal("not compressed")
	}
	for _, n := range []int{index.BlockSize, bufferSize - 1, bufferSize, 2 * index.BlockSize} {
		b := bytes.Repeat([]byte{0xA5}, 3*index.BlockSize)
		if err := p.expand(b[:n], index.Zstd, stored); err != nil {
			t.Fatal(n, err)
		}
		if !bytes.Equal(b[:index.BlockSize], plain) {
			t.Errorf("%d bytes: not as it was", n)
		}
		if rest := b[n:]; !bytes.Equal(rest, bytes.Repeat([]byte{0xA5}, len(rest))) {
			t.Errorf("%d bytes: wrote behind them", n)
		}
		if err := p.expand(b[:n], index.Zstd, stored[:len(stored)/2]); err != errDecode {
			t.Errorf("%d bytes: half a frame: %v", n, err)
		}
	}
}
