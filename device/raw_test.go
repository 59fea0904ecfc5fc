package device

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"syscall"
	"testing"
	"unsafe"
)

// strict is a device that takes only aligned requests and has a bad sector.
type strict struct {
	t      *testing.T
	data   []byte
	sector int64
	bad    int64 // offset of a sector that cannot be read; -1: none
	reads  int
}

func (s *strict) check(p []byte, off int64) {
	if int64(len(p))%s.sector != 0 || off%s.sector != 0 || uintptr(unsafe.Pointer(&p[0]))%512 != 0 {
		s.t.Errorf("unaligned: %d bytes at %d, memory %p", len(p), off, &p[0])
	}
}

func (s *strict) ReadAt(p []byte, off int64) (int, error) {
	s.check(p, off)
	s.reads++
	if s.bad >= off && s.bad < off+int64(len(p)) {
		return 0, syscall.EIO
	}
	n := copy(p, s.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *strict) WriteAt(p []byte, off int64) (int, error) {
	s.check(p, off)
	return copy(s.data[off:], p), nil
}

func newStrict(t *testing.T, size, sector int) (*strict, *rawFile) {
	s := &strict{t: t, data: make([]byte, size), sector: int64(sector), bad: -1}
	rand.New(rand.NewSource(1)).Read(s.data)
	return s, newRawFile(s, Info{Size: int64(size), SectorSize: sector})
}

func TestRawReads(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		s, r := newStrict(t, 3<<20+sector, sector)
		rng := rand.New(rand.NewSource(2))
		for range 2000 {
			off, n := rng.Intn(len(s.data)+10), rng.Intn(3)*rng.Intn(900<<10)+rng.Intn(5000)
			p := make([]byte, n+rng.Intn(3))[:n]
			got, err := r.ReadAt(p, int64(off))
			want := s.data[min(off, len(s.data)):min(off+n, len(s.data))]
			if got != len(want) || !bytes.Equal(p[:got], want) || (err == nil) != (got == n) {
				t.Fatalf("%d bytes at %d: got %d, %v", n, off, got, err)
			}
		}
	}
}

// Whatever is written, and wherever: the device sees whole sectors only, and
// what lies beside is kept.
func TestRawWrites(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		s, r := newStrict(t, 3<<20+sector, sector)
		want := bytes.Clone(s.data)
		rng := rand.New(rand.NewSource(3))
		for range 2000 {
			off := rng.Intn(len(want))
			n := min(rng.Intn(3)*rng.Intn(1500<<10)+rng.Intn(5000), len(want)-off)
			if rng.Intn(3) == 0 {
				off, n = off/sector*sector, n/sector*sector
			}
			p := make([]byte, n+rng.Intn(3))[:n]
			rng.Read(p)
			copy(want[off:], p)
			if got, err := r.WriteAt(p, int64(off)); got != n || err != nil {
				t.Fatalf("%d bytes at %d: %d, %v", n, off, got, err)
			}
		}
		if !bytes.Equal(s.data, want) {
			t.Error("not what was written")
		}
	}
}

// Around a bad sector every good byte can be had, and the error keeps its number.
func TestRawBadSector(t *testing.T) {
	s, r := newStrict(t, 1<<20, 512)
	s.bad = 100 << 10
	p := AlignedBuffer(512)
	for off := int64(0); off < 1<<20; off += 512 {
		n, err := r.ReadAt(p, off)
		if off == s.bad {
			if n != 0 || !errors.Is(err, syscall.EIO) {
				t.Errorf("bad sector: %d, %v", n, err)
			}
		} else if n != 512 || err != nil || !bytes.Equal(p, s.data[off:off+512]) {
			t.Fatalf("at %d: %d, %v", off, n, err)
		}
	}
	big := make([]byte, 200<<10)
	if n, err := r.ReadAt(big[1:], 0); n < 0 || n > 100<<10 || !errors.Is(err, syscall.EIO) || !bytes.Equal(big[1:1+n], s.data[:n]) {
		t.Errorf("long read over a bad sector: %d, %v", n, err)
	}
}

// Small reads next to each other cost one request.
func TestRawWindows(t *testing.T) {
	s, r := newStrict(t, 1<<20, 512)
	p := make([]byte, 1024)
	for off := int64(0); off < 64<<10; off += 1024 {
		if _, err := r.ReadAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	if s.reads != 1 {
		t.Errorf("%d requests", s.reads)
	}
	s.data[5]++
	r.forget()
	if r.ReadAt(p, 0); p[5] != s.data[5] {
		t.Error("stale after forget")
	}
}

func TestAlignedBuffer(t *testing.T) {
	for _, n := range []int{0, 1, 512, 4096, 100000} {
		b := AlignedBuffer(n)
		if len(b) != n || cap(b) != n || n > 0 && uintptr(unsafe.Pointer(&b[0]))%alignment != 0 {
			t.Errorf("%d: len %d cap %d", n, len(b), cap(b))
		}
	}
}
