package ntfsparse

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestParallelOnFailingDisk: a damaged volume on a disk that fails now and then can be
// used from several goroutines (run it with -race).
func TestParallelOnFailingDisk(t *testing.T) {
	for round := range uint64(12) {
		rnd := rand.New(rand.NewPCG(round, 9))
		img := fuzzVolume(t)
		for i := 1 << 14; i < len(img); i += 512 {
			if string(img[i:i+4]) == "INDX" && rnd.IntN(3) == 0 {
				img[i] = 'X'
			}
		}
		var mu sync.Mutex
		v, err := Open(readerFunc(func(p []byte, off int64) (int, error) {
			mu.Lock()
			bad := rnd.IntN(200) == 0
			mu.Unlock()
			if bad {
				return 0, errFlaky
			}
			return bytes.NewReader(img).ReadAt(p, off)
		}), int64(len(img)))
		if err != nil {
			continue
		}
		v.meta = newCache(1 << 16)
		var wg sync.WaitGroup
		for g := range uint64(4) {
			wg.Go(func() { useAll(v, g) })
		}
		wg.Wait()
	}
}

// useAll reads all files of a volume, from one on.
func useAll(v *Volume, first uint64) {
	ctx := context.Background()
	for n := range v.Records() {
		f, err := v.File((n*7 + first) % v.Records())
		if err != nil {
			continue
		}
		if s, err := f.Open(); err == nil {
			io.Copy(io.Discard, io.NewSectionReader(s, 0, min(s.Size(), 1<<20)))
		}
		if d, err := f.Dir(); err == nil {
			d.Read(0, func(e DirEntry, err error) bool {
				if err == nil {
					d.Lookup(e.Name())
					v.Follow(&e)
				}
				return true
			})
		}
		f.Security()
	}
	v.Space()
	v.UsedExtents(ctx, func(Extent) bool { return true })
	v.Walk(ctx, func(*WalkEntry) error { return nil })
	v.WalkLost(ctx, func(Ref, *DirEntry) error { return nil })
}
