package volume

import "testing"

func FuzzMove(f *testing.F) {
	f.Add(make([]byte, 92), make([]byte, 512), int64(1<<20))
	f.Fuzz(func(t *testing.T, header, entries []byte, newSize int64) {
		if len(header) < 92 || len(header) > 512 || len(entries) > 1<<16 {
			return
		}
		b := fakeGPT(header, entries)
		moveOn(t, &rotten{b: b, size: int64(len(b)), bad: -1}, 512, newSize)
	})
}

// TestMoveStartRotten: boot sectors that are cut off or cannot be read are no crash.
func TestMoveStartRotten(t *testing.T) {
	for _, f := range formats() {
		b := f.bytes()
		for bad := int64(-1); bad < 40; bad++ {
			for size := max(512*bad, 0); size < min(f.size, 20<<10); size += 512 {
				_, pieces, err := MoveStart(&rotten{b: b, size: size, bad: bad}, size, 1<<20)
				for _, p := range pieces {
					if err != nil || p.Off < 0 || p.Off > size || int64(len(p.Data)) > size-p.Off {
						t.Fatalf("%s of %d bytes, sector %d bad: %d bytes at %d, %v", f.name, size, bad, len(p.Data), p.Off, err)
					}
				}
			}
		}
	}
}
