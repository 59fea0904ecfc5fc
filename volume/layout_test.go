package volume

import (
	"bytes"
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

func FuzzReadLayout(f *testing.F) {
	f.Add(make([]byte, 4096), 0)
	f.Add(fakeEBRs(), 512)
	f.Add(fakeEBRs(), 0)
	f.Fuzz(func(t *testing.T, b []byte, sector int) {
		l, err := ReadLayout(bytes.NewReader(b), int64(len(b)), sector)
		if err != nil {
			return
		}
		for _, p := range l.Partitions {
			if p.Off < 0 || p.Len <= 0 || p.Off > l.Size || p.Len > l.Size-p.Off {
				t.Fatalf("partition outside the disk: %+v", p)
			}
		}
	})
}

// FuzzGPT repairs the checksums, so that what lies behind them is reached.
func FuzzGPT(f *testing.F) {
	f.Add(make([]byte, 92), make([]byte, 512))
	f.Fuzz(func(t *testing.T, header, entries []byte) {
		if len(header) < 92 || len(header) > 512 || len(entries) > 1<<16 {
			return
		}
		b := fakeGPT(header, entries)
		l, err := ReadLayout(bytes.NewReader(b), int64(len(b)), 512)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range l.Partitions {
			if p.Off < 0 || p.Len <= 0 || p.Off > l.Size || p.Len > l.Size-p.Off {
				t.Fatalf("partition outside the disk: %+v", p)
			}
		}
	})
}

func TestFakeEBRs(t *testing.T) {
	l, err := ReadLayout(bytes.NewReader(fakeEBRs()), 64*512, 512)
	if err != nil || len(l.Partitions) != 4 || l.Partitions[3].Number != 7 || l.Partitions[3].Off != 31*512 || len(l.Problems) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}
