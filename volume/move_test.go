package volume

import (
	"bytes"
	"testing"
)

func FuzzMove(f *testing.F) {
	f.Add(make([]byte, 92), make([]byte, 512), int64(1<<20))
	f.Fuzz(func(t *testing.T, header, entries []byte, newSize int64) {
		if len(header) < 92 || len(header) > 512 || len(entries) > 1<<16 {
			return
		}
		b := fakeGPT(header, entries)
		m, err := MoveGPT(bytes.NewReader(b), int64(len(b)), 512, newSize)
		if err != nil || m.Primary == nil {
			return
		}
		for _, p := range append(m.Primary, m.Backup...) {
			if p.Off < 0 || p.Off > newSize || int64(len(p.Data)) > newSize-p.Off {
				t.Fatalf("piece outside the disk: %d bytes at %d", len(p.Data), p.Off)
			}
		}
	})
}
