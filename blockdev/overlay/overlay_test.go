package overlay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"vitrine/blockdev"
)

var bg = context.Background()

func pattern(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

// sparseBase has every second MiB as a hole.
type sparseBase struct{ blockdev.Bytes }

func newSparse(n int, seed uint64) sparseBase {
	b := pattern(n, seed)
	for i := 1 << 20; i < n; i += 2 << 20 {
		clear(b[i:min(n, i+1<<20)])
	}
	return sparseBase{blockdev.Bytes{B: b}}
}

func (s sparseBase) Extents(_ context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	for end := off + n; off < end; {
		next := min(end, (off>>20+1)<<20)
		k := blockdev.Data
		if off>>20&1 == 1 {
			k = blockdev.Hole
		}
		if !yield(off, next-off, k) {
			return nil
		}
		off = next
	}
	return nil
}

func readAll(t *testing.T, d blockdev.Device) []byte {
	t.Helper()
	b := make([]byte, d.Size())
	if err := blockdev.ReadFull(bg, d, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// checkExtents proves that the extents cover the range and do not lie.
func checkExtents(t *testing.T, d blockdev.Device, flat []byte, off, n int64) {
	t.Helper()
	at := off
	err := d.Extents(bg, off, n, func(o, l int64, k blockdev.Kind) bool {
		if o != at || l <= 0 || l > off+n-o {
			t.Fatalf("extent [%d,+%d) after %d in [%d,+%d)", o, l, at, off, n)
		}
		if k.ReadsZero() && len(bytes.Trim(flat[o:o+l], "\x00")) > 0 {
			t.Fatalf("%v extent [%d,+%d) holds data", k, o, l)
		}
		at += l
		return true
	})
	if err != nil || at != off+n {
		t.Fatalf("extents of [%d,+%d) end at %d: %v", off, n, at, err)
	}
}

// shadowed applies the same random operations to an overlay and a flat copy.
type shadowed struct {
	t    *testing.T
	r    *rand.Rand
	o    *Overlay
	flat []byte
}

func (s *shadowed) pick() (off, n int64) {
	size := int64(len(s.flat))
	n = []int64{1, 512, 4096, 5000, 65536, 1 << 20, 5 << 20}[s.r.IntN(7)]
	n = min(size, s.r.Int64N(n)+1)
	off = s.r.Int64N(size - n + 1)
	switch s.r.IntN(3) {
	case 0:
		off -= off % 4096
	case 1:
		off = size - n
	}
	return off, n
}

func (s *shadowed) step() {
	off, n := s.pick()
	switch s.r.IntN(8) {
	case 0, 1, 2:
		b := pattern(int(n), s.r.Uint64())
		if _, err := s.o.WriteAtContext(bg, b, off); err != nil {
			s.t.Fatal(err)
		}
		copy(s.flat[off:], b)
	case 3, 4:
		if err := s.o.ZeroRange(bg, off, n, s.r.IntN(2) == 0); err != nil {
			s.t.Fatal(err)
		}
		clear(s.flat[off : off+n])
	case 5:
		checkExtents(s.t, s.o, s.flat, off, n)
	default:
		b := make([]byte, n)
		if err := blockdev.ReadFull(bg, s.o, b, off); err != nil {
			s.t.Fatal(err)
		}
		if !bytes.Equal(b, s.flat[off:off+n]) {
			s.t.Fatalf("read of [%d,+%d) differs", off, n)
		}
	}
}

func TestShadow(t *testing.T) {
	sizes := []int{1, 511, 4096, 4097, 3 << 20, 4<<20 - 1, 4 << 20, 4<<20 + 1, 13<<20 + 777}
	for i, size := range sizes {
		base := newSparse(size, uint64(i))
		before := bytes.Clone(base.B)
		o, err := New(base, Options{Memory: 2 << 20, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		s := &shadowed{t, rand.New(rand.NewPCG(1, uint64(i))), o, bytes.Clone(base.B)}
		for range 400 {
			s.step()
		}
		if !bytes.Equal(readAll(t, o), s.flat) {
			t.Errorf("size %d: contents differ at the end", size)
		}
		checkExtents(t, o, s.flat, 0, int64(size))
		if !bytes.Equal(base.B, before) {
			t.Errorf("size %d: the base was written to", size)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRanges(t *testing.T) {
	o, _ := New(blockdev.Bytes{B: make([]byte, 10000)}, Options{})
	for _, c := range []struct{ off, n int64 }{{-1, 1}, {0, 10001}, {10000, 1}, {1 << 62, 1}} {
		if _, err := o.WriteAtContext(bg, make([]byte, c.n), c.off); !errors.Is(err, blockdev.ErrRange) {
			t.Errorf("write at %d: %v", c.off, err)
		}
		if err := o.ZeroRange(bg, c.off, c.n, true); !errors.Is(err, blockdev.ErrRange) {
			t.Errorf("zero at %d: %v", c.off, err)
		}
	}
	if err := o.ZeroRange(bg, 1, 1<<63-1, true); !errors.Is(err, blockdev.ErrRange) {
		t.Errorf("huge zero: %v", err)
	}
	n, err := o.ReadAtContext(bg, make([]byte, 100), 9990)
	if n != 10 || err != io.EOF {
		t.Errorf("read over the end: %d, %v", n, err)
	}
}

// endless is a huge base that reads as zeros.
type endless struct{ blockdev.Bytes }

func (endless) Size() int64 { return 4 << 40 }
func (endless) ReadAtContext(_ context.Context, p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}
func (endless) Extents(_ context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	yield(off, n, blockdev.Hole)
	return nil
}

func TestHugeTrimCostsNothing(t *testing.T) {
	o, err := New(endless{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.ZeroRange(bg, 1<<20, 3<<40, false); err != nil {
		t.Fatal(err)
	}
	if o.Used() != 0 {
		t.Errorf("%d bytes used", o.Used())
	}
	var got []blockdev.Kind
	o.Extents(bg, 0, o.Size(), func(_, _ int64, k blockdev.Kind) bool { got = append(got, k); return true })
	if len(got) != 3 || got[1] != blockdev.Zero {
		t.Errorf("extents %v", got)
	}
}

func TestLimit(t *testing.T) {
	o, _ := New(blockdev.Bytes{B: make([]byte, 1<<20)}, Options{Limit: 64 << 10})
	if _, err := o.WriteAtContext(bg, make([]byte, 128<<10), 0); !errors.Is(err, blockdev.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	if o.Used() != 0 {
		t.Fatalf("a refused write keeps %d bytes", o.Used())
	}
	if _, err := o.WriteAtContext(bg, make([]byte, 64<<10), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.WriteAtContext(bg, []byte{1}, 100<<10); !errors.Is(err, blockdev.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	if _, err := o.WriteAtContext(bg, []byte{1}, 5); err != nil {
		t.Fatalf("overwriting needs no room: %v", err)
	}
	o.ZeroRange(bg, 0, 4096, true)
	if _, err := o.WriteAtContext(bg, []byte{1}, 100<<10); err != nil {
		t.Fatalf("trim gave no room: %v", err)
	}
}

func TestParallel(t *testing.T) {
	base := newSparse(9<<20, 7)
	o, _ := New(base, Options{Memory: 1 << 20, Dir: t.TempDir()})
	defer o.Close()
	var wg sync.WaitGroup
	final := bytes.Clone(base.B)
	for w := range 8 {
		wg.Go(func() { // every worker owns the sectors w, w+8, …: pages are shared
			r := rand.New(rand.NewPCG(uint64(w), 2))
			for range 600 {
				off := (r.Int64N(9<<20/4096)*8 + int64(w)) * 512
				b := pattern(512, r.Uint64())
				if r.IntN(4) == 0 {
					clear(b)
					o.ZeroRange(bg, off, 512, true)
				} else if _, err := o.WriteAtContext(bg, b, off); err != nil {
					t.Error(err)
				}
				got := make([]byte, 512)
				blockdev.ReadFull(bg, o, got, off)
				if !bytes.Equal(got, b) {
					t.Errorf("worker %d: sector at %d differs", w, off)
				}
				copy(final[off:], b)
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(readAll(t, o), final) {
		t.Error("contents differ at the end")
	}
}

// badBase fails to read.
type badBase struct{ blockdev.Bytes }

var errBad = errors.New("bad sector")

func (badBase) ReadAtContext(context.Context, []byte, int64) (int, error) { return 0, errBad }

func TestBadBase(t *testing.T) {
	o, _ := New(badBase{blockdev.Bytes{B: make([]byte, 1<<20)}}, Options{})
	if _, err := o.WriteAtContext(bg, []byte{1}, 0); !errors.Is(err, errBad) {
		t.Errorf("part of an unreadable page: %v", err)
	}
	if _, err := o.WriteAtContext(bg, make([]byte, 4096), 0); err != nil {
		t.Errorf("whole page: %v", err)
	}
	if err := blockdev.ReadFull(bg, o, make([]byte, 4096), 0); err != nil {
		t.Errorf("the written page: %v", err)
	}
	if err := blockdev.ReadFull(bg, o, make([]byte, 4097), 0); !errors.Is(err, errBad) {
		t.Errorf("beside it: %v", err)
	}
}

func TestTempFileLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	o, _ := New(blockdev.Bytes{B: make([]byte, 1<<20)}, Options{Memory: -1, Dir: dir})
	if _, err := o.WriteAtContext(bg, pattern(1<<20, 1), 0); err != nil {
		t.Fatal(err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) > 0 && os.PathSeparator == '/' {
		t.Errorf("the temporary file has a name: %v", names)
	}
	o.Close()
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}
