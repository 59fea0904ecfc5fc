package reader

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"vitrine/index"
	"vitrine/reader/readertest"
)

const bs = index.BlockSize

// corpus is text that compresses by about half.
var corpus = sync.OnceValue(func() []byte {
	r := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = "etaoin shrdlucmfwypvbgkqjxz\n0123"[r.IntN(32)&r.IntN(32)]
	}
	return b
})

// text gives n bytes, at most BlockSize, out of the corpus.
func text(r *rand.Rand, n int) []byte { return corpus()[r.IntN(1<<20-bs):][:n] }

// shadow is what the streams of a point must read as.
type shadow map[uint16]map[uint64]readertest.Block

func (s shadow) clone() shadow {
	c := shadow{}
	for id, m := range s {
		c[id] = maps.Clone(m)
	}
	return c
}

// change changes about n runs of blocks of a stream of size bytes, in s and in
// the returned list.
func (s shadow) change(r *rand.Rand, id uint16, size int64, n int) map[uint64]readertest.Block {
	blocks := uint64(size+bs-1) / bs
	list := map[uint64]readertest.Block{}
	for range n {
		at, kind := r.Uint64N(blocks), index.Kind(r.IntN(5))
		if r.IntN(2) == 0 {
			kind = index.Data
		}
		for k := range 1 + r.Uint64N(12) {
			if at+k < blocks {
				list[at+k] = s.block(r, kind, size-int64(at+k)*bs)
			}
		}
	}
	if s[id] == nil {
		s[id] = map[uint64]readertest.Block{}
	}
	maps.Copy(s[id], list)
	return list
}

// block makes a block of which left bytes belong to the stream.
func (s shadow) block(r *rand.Rand, kind index.Kind, left int64) readertest.Block {
	b := readertest.Block{Kind: kind}
	if kind == index.Data {
		codec := index.Codec(r.IntN(3))
		b.Enc, b.Data = &codec, make([]byte, bs)
		copy(b.Data, text(r, int(min(left, bs))))
	}
	return b
}

// at gives what bytes off to off+n of a stream are: until one is unreadable.
func (s shadow) at(id uint16, off, n int64) []byte {
	out := make([]byte, 0, n)
	for n > 0 {
		b, in := s[id][uint64(off/bs)], off%bs
		k := min(bs-in, n)
		switch b.Kind {
		case index.Unreadable:
			return out
		case index.Data:
			out = append(out, b.Data[in:in+k]...)
		default:
			out = append(out, make([]byte, k)...)
		}
		off, n = off+k, n-k
	}
	return out
}

// same reads random ranges of a view that shows stream id, and compares.
func (s shadow) same(t *testing.T, v *View, id uint16, r *rand.Rand, reads int) {
	t.Helper()
	for range reads {
		off := r.Int64N(v.Size())
		if r.IntN(2) == 0 {
			off -= off % bs
		}
		s.sameAt(t, v, id, off, 1+r.Int64N([]int64{10, 4096, 3 * bs, 40 * bs}[r.IntN(4)]))
	}
	s.sameAt(t, v, id, max(v.Size()-100, 0), 200)
}

func (s shadow) sameAt(t *testing.T, v *View, id uint16, off, n int64) {
	t.Helper()
	got := bytes.Repeat([]byte{0xEE}, int(n))
	k, err := v.ReadAt(got, off)
	inside := min(n, v.Size()-off)
	want := s.at(id, off, inside)
	if !bytes.Equal(got[:k], want) {
		t.Fatalf("stream %d: %d bytes at %d are wrong (%d read, %d wanted; %v)", id, n, off, k, len(want), err)
	}
	var un *UnreadableError
	switch {
	case int64(len(want)) < inside:
		if !errors.As(err, &un) || un.Off != off+int64(k) {
			t.Fatalf("unreadable at %d: %v", off+int64(k), err)
		}
	case inside < n && err != io.EOF, inside == n && err != nil:
		t.Fatalf("%d bytes at %d of %d: %v", n, off, v.Size(), err)
	}
}

// sameExtents compares the extents of a view with the shadow.
func (s shadow) sameExtents(t *testing.T, v *View, id uint16) {
	t.Helper()
	at, last := int64(0), index.Kind(99)
	err := v.Extents(context.Background(), 0, v.Size(), func(e Extent) bool {
		if e.Off != at || e.Len <= 0 || e.Kind == last {
			t.Fatalf("extent %+v after %d (%v)", e, at, last)
		}
		for b := e.Off / bs; b*bs < e.Off+e.Len; b++ {
			if want := s[id][uint64(b)].Kind; want != e.Kind {
				t.Fatalf("stream %d block %d: %v, want %v", id, b, e.Kind, want)
			}
		}
		at, last = at+e.Len, e.Kind
		return true
	})
	if err != nil || at != v.Size() {
		t.Fatalf("extents end at %d of %d: %v", at, v.Size(), err)
	}
}

func open(t testing.TB, path string, o Options) *Point {
	t.Helper()
	p, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
