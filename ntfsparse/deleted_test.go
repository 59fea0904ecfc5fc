package ntfsparse

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// deletedOn is a walk over deleted files of a volume of clusters, with a bitmap of
// random bytes.
func deletedOn(clusters int64) (w *deletedWalk, bitmap []byte, read *int64) {
	bitmap, read = make([]byte, clusters/8), new(int64)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range bitmap {
		bitmap[i] = byte(rnd.Uint32())
	}
	v := &Volume{size: 1 << 50, geo: geometry{512, 9, clusters}}
	v.r = readerAt(func(p []byte, off int64) (int, error) {
		*read += int64(len(p))
		return bytes.NewReader(bitmap).ReadAt(p, off)
	})
	size := int64(len(bitmap))
	s := &Stream{v: v, size: size, valid: size, runs: &Runs{r: []vrun{{0, 0}}, end: size / 512}}
	return &deletedWalk{v: v, window: bitWindow{s: s}}, bitmap, read
}

type readerAt func(p []byte, off int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestFreeClusters: free clusters are counted alike in both ways, and in the second
// what lies upon each other does not count its clusters again.
func TestFreeClusters(t *testing.T) {
	const clusters = 200 * windowBytes * 8 // more than a window holds
	w, bitmap, read := deletedOn(clusters)
	var before [clusters/64 + 1]int64 // clear bits before each word
	for i := range clusters / 64 {
		before[i+1] = before[i] + clearBits(bitmap[i*8:], 0, 64)
	}
	count := func(from, to int64) (n int64) {
		for ; from < to && from%64 != 0; from++ {
			n += 1 - int64(bitmap[from/8]>>(from%8)&1)
		}
		for ; from < to && to%64 != 0; to-- {
			n += 1 - int64(bitmap[(to-1)/8]>>((to-1)%8)&1)
		}
		return n + before[to/64] - before[from/64]
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	const files = 2000
	for range files {
		from, n := rnd.Int64N(clusters), rnd.Int64N(clusters)
		if rnd.IntN(3) == 0 {
			n = rnd.Int64N(1 << 18)
		}
		to := min(from+n, clusters)
		got, err := w.free(from, to)
		if want := count(from, to); err != nil || got != want {
			t.Fatalf("%d to %d: %d free, %v, want %d", from, to, got, err, want)
		}
	}
	if most := int64(6*len(bitmap) + files*2*windowBytes); *read > most {
		t.Errorf("%d bytes of the bitmap were read, more than %d", *read, most)
	}
}

// TestFreeClustersUnread: a part of the bitmap that cannot be read hurts the files
// alone that lie there.
func TestFreeClustersUnread(t *testing.T) {
	const page = windowBytes * 8
	w, _, _ := deletedOn(4 * page)
	sound := w.v.r
	w.v.r = readerAt(func(p []byte, off int64) (int, error) {
		if off < windowBytes*2 && off+int64(len(p)) > windowBytes {
			return 0, io.ErrUnexpectedEOF
		}
		return sound.ReadAt(p, off)
	})
	w.window.looked = 1 << 40
	if _, err := w.free(2*page-page/2, 4*page); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("begins there: %v", err)
	}
	if _, err := w.free(0, 4*page); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("goes over it: %v", err)
	}
	if n, err := w.free(2*page, 4*page); err != nil || n == 0 {
		t.Errorf("lies behind it: %d, %v", n, err)
	}
}
