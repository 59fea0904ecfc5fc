package nbd

import (
	"fmt"
	"io"
	"testing"

	"vitrine/blockdev"
)

// BenchmarkRead is what a read costs beside the device's own work: one client
// that waits for each reply, and one that keeps 16 requests on their way.
func BenchmarkRead(b *testing.B) {
	dev := blockdev.Bytes{B: make([]byte, 8<<20)}
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dk/depth%d", size>>10, depth), func(b *testing.B) { benchRead(b, dev, size, depth) })
		}
	}
}

func benchRead(b *testing.B, dev blockdev.Device, size, depth int) {
	c := ready(b, start(b, &Server{Exports: []*Export{{Device: dev}}}), false)
	reply := make([]byte, simpleLen+size)
	b.SetBytes(int64(size))
	sent := 0
	for got := range b.N {
		for ; sent < min(b.N, got+depth); sent++ {
			c.request(0, cmdRead, uint64(sent*size%(7<<20)), uint32(size), "")
		}
		if _, err := io.ReadFull(c, reply); err != nil {
			b.Fatal(err)
		}
	}
}
