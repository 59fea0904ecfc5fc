package volume

import (
	"bytes"
	"slices"
	"testing"
)

func TestMBROverlapAndEnd(t *testing.T) {
	b := make([]byte, 1<<20)
	b[510], b[511] = 0x55, 0xaa
	entry := func(i int, typ byte, first, count byte) {
		e := b[446+16*i:]
		e[4], e[8], e[12] = typ, first, count
	}
	entry(0, 7, 10, 20)
	entry(1, 7, 20, 20)
	entry(2, 7, 200, 255)
	b[446+32+13] = 255
	entry(3, 7, 0, 10)
	b[446+48+11] = 1
	l, err := ReadLayout(bytes.NewReader(b), int64(len(b)), 512)
	if err != nil || len(l.Partitions) != 3 || len(l.Problems) != 3 {
		t.Fatalf("%+v, %v", l, err)
	}
	if end := l.Partitions[2]; end.Off+end.Len != 1<<20 {
		t.Errorf("not cut: %+v", end)
	}
}

func TestSmallDisks(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 513, 1023, 1536, 4096} {
		l, err := ReadLayout(bytes.NewReader(make([]byte, n)), int64(n), 0)
		if err != nil || l.Table != TableNone || len(l.Partitions) != min(n, 1) {
			t.Errorf("%d bytes: %+v, %v", n, l, err)
		}
	}
}

func TestUnreadableDisk(t *testing.T) {
	if _, err := ReadLayout(bytes.NewReader(nil), 1<<20, 0); err == nil {
		t.Error("no error although nothing can be read")
	}
}

// badFront cannot be read before byte n.
type badFront struct {
	*bytes.Reader
	n   int64
	err error
}

func (b badFront) ReadAt(p []byte, off int64) (int, error) {
	if off < b.n {
		return 0, b.err
	}
	return b.Reader.ReadAt(p, off)
}

// layoutOn looks at what ReadLayout does with any disk, besides its answer.
func layoutOn(t *testing.T, r *rotten, sector int) *Layout {
	l, err := ReadLayout(r, r.size, sector)
	if r.reads > 2500 || r.bytes > 16<<20 {
		t.Fatalf("%d of %d bytes, sector %d bad: %d reads of %d bytes", len(r.b), r.size, r.bad, r.reads, r.bytes)
	}
	if err != nil {
		return nil
	}
	for _, p := range l.Partitions {
		if p.Off < 0 || p.Len <= 0 || p.Off > l.Size || p.Len > l.Size-p.Off {
			t.Fatalf("partition outside the disk of %d bytes: %+v", l.Size, p)
		}
	}
	return l
}

// moveOn looks at what rewriting a GPT for another disk gives.
func moveOn(t *testing.T, r *rotten, sector int, newSize int64) *GPTMove {
	m, err := MoveGPT(r, r.size, sector, newSize)
	if err != nil {
		return nil
	}
	for _, p := range append(m.Primary, m.Backup...) {
		if p.Off < 0 || p.Off > newSize || int64(len(p.Data)) > newSize-p.Off {
			t.Fatalf("piece outside the disk: %d bytes at %d", len(p.Data), p.Off)
		}
	}
	return m
}

// within reports whether each partition is one of full, perhaps cut short.
func within(l, full *Layout) bool {
	for _, p := range l.Partitions {
		if !slices.ContainsFunc(full.Partitions, func(q Partition) bool {
			cut := q
			cut.Len = min(p.Len, q.Len)
			return p == cut
		}) {
			return false
		}
	}
	return true
}

// TestLayoutRotten: a sector that cannot be read, and a disk cut anywhere, hide
// partitions at most. A GPT's second copy stands for any sector of the first.
func TestLayoutRotten(t *testing.T) {
	for _, c := range []struct {
		name   string
		b      []byte
		sector int
	}{{"mbr", fakeEBRs(), 512}, {"gpt", fakeGPTDisk(64, 512), 512}, {"gpt 4k", fakeGPTDisk(16, 4096), 4096}} {
		for _, given := range []int{0, c.sector} {
			size := int64(len(c.b))
			full := layoutOn(t, &rotten{b: c.b, size: size, bad: -1}, given)
			if full.Table == TableNone || len(full.Problems) != 0 || full.SectorSize != c.sector {
				t.Fatalf("%s: %+v", c.name, full)
			}
			for bad := int64(-1); bad < size/512; bad++ {
				if l := layoutOn(t, &rotten{b: c.b, size: size, bad: bad}, given); full.Table == TableGPT && !slices.Equal(l.Partitions, full.Partitions) {
					t.Fatalf("%s, sector %d bad: %+v", c.name, bad, l)
				}
				for cut := max(bad*512, 0); cut < size; cut += 512 {
					r := &rotten{b: c.b, size: cut, bad: bad}
					if l := layoutOn(t, r, given); l == nil || l.Table != TableNone && !within(l, full) {
						t.Fatalf("%s cut to %d bytes, sector %d bad: %+v", c.name, cut, bad, l)
					}
					moveOn(t, r, c.sector, size)
				}
				if m := moveOn(t, &rotten{b: c.b, size: size, bad: bad}, c.sector, 2*size); full.Table == TableGPT && bad != 0 && (m == nil || m.Primary == nil) {
					t.Fatalf("%s, sector %d bad: not moved", c.name, bad)
				}
			}
		}
	}
}

func FuzzReadLayout(f *testing.F) {
	for _, b := range [][]byte{make([]byte, 4096), fakeEBRs(), fakeGPTDisk(64, 512)} {
		for _, sector := range []int{0, 512} {
			f.Add(b, sector, uint32(len(b)), int32(-1))
			f.Add(b, sector, uint32(len(b)), int32(1))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, sector int, size uint32, bad int32) {
		if len(b) <= 128<<10 && size <= 2<<20 {
			layoutOn(t, &rotten{b: b, size: int64(size), bad: int64(bad)}, sector)
		}
	})
}

// FuzzGPT repairs the checksums, so that what lies behind them is reached.
func FuzzGPT(f *testing.F) {
	f.Add(make([]byte, 92), make([]byte, 512), int32(-1))
	f.Fuzz(func(t *testing.T, header, entries []byte, bad int32) {
		if len(header) < 92 || len(header) > 512 || len(entries) > 1<<16 {
			return
		}
		b := fakeGPT(header, entries)
		if layoutOn(t, &rotten{b: b, size: int64(len(b)), bad: int64(bad)}, 512) == nil {
			t.Fatal("no layout")
		}
	})
}

func TestFakeEBRs(t *testing.T) {
	l, err := ReadLayout(bytes.NewReader(fakeEBRs()), 64*512, 512)
	if err != nil || len(l.Partitions) != 4 || l.Partitions[3].Number != 7 || l.Partitions[3].Off != 31*512 || len(l.Problems) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}
