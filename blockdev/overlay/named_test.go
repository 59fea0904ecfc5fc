package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"vitrine/blockdev"
)

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.vtro")
	base := newSparse(13<<20+777, 3)
	id := ID{1, 2, 3}
	o, err := Create(path, base, id, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shadowed{t, rand.New(rand.NewPCG(4, 4)), o, bytes.Clone(base.B)}
	for range 12 {
		for range 60 {
			s.step()
			if s.r.IntN(10) == 0 {
				o.Flush(bg)
			}
		}
		used := s.o.Used()
		if err := s.o.Close(); err != nil {
			t.Fatal(err)
		}
		if s.o, err = Open(path, base, id, Options{}); err != nil {
			t.Fatal(err)
		}
		if s.o.Used() != used {
			t.Fatalf("%d bytes used after reopening, %d before", s.o.Used(), used)
		}
		if !bytes.Equal(readAll(t, s.o), s.flat) {
			t.Fatal("contents differ after reopening")
		}
	}
	st, _ := os.Stat(path)
	if limit := int64(2*len(base.B) + 1<<20); st.Size() > limit {
		t.Errorf("the file grew to %d bytes, freed pages are not used again", st.Size())
	}
	s.o.Close()
}

func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.vtro")
	base := blockdev.Bytes{B: make([]byte, 8192)}
	o, err := Create(path, base, ID{1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, base, ID{1}, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := Create(path, base, ID{1}, Options{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("created over another: %v", err)
	}
	o.Close()
	if _, err := Open(path, base, ID{2}, Options{}); !errors.Is(err, ErrOtherBase) {
		t.Errorf("other id: %v", err)
	}
	if _, err := Open(path, blockdev.Bytes{B: make([]byte, 4096)}, ID{1}, Options{}); !errors.Is(err, ErrOtherBase) {
		t.Errorf("other size: %v", err)
	}
	if o, err = Open(path, base, ID{1}, Options{}); err != nil {
		t.Error(err)
	}
	o.Close()
	os.WriteFile(path, bytes.Repeat([]byte("x"), 20000), 0o600)
	if _, err := Open(path, base, ID{1}, Options{}); !errors.Is(err, ErrNotOverlay) {
		t.Errorf("another file: %v", err)
	}
}

// disk is a file in memory that knows what a crash could leave of it: the
// writes since the last Sync may be there or not, sector by sector. It can fail
// its n-th operation.
type disk struct {
	mu     sync.Mutex
	now    []byte
	synced []byte
	loose  []int64 // sectors written since the last Sync
	failAt int     // 1: the next operation
	ops    int
}

var errDisk = errors.New("injected fault")

func (d *disk) op() error {
	d.ops++
	if d.failAt > 0 && d.ops >= d.failAt {
		return errDisk
	}
	return nil
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off >= int64(len(d.now)) {
		return 0, io.EOF
	}
	n := copy(p, d.now[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(); err != nil {
		return 0, err
	}
	if need := off + int64(len(p)); need > int64(len(d.now)) {
		d.now = append(d.now, make([]byte, need-int64(len(d.now)))...)
	}
	copy(d.now[off:], p)
	for s := off / 512; s*512 < off+int64(len(p)); s++ {
		d.loose = append(d.loose, s)
	}
	return len(p), nil
}

func (d *disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(); err != nil {
		return err
	}
	d.synced = slices.Clone(d.now)
	d.loose = nil
	return nil
}

func (d *disk) Close() error { return nil }

// crash returns one of the states that a power cut now could leave.
func (d *disk) crash(r *rand.Rand) *disk {
	b := make([]byte, len(d.now))
	copy(b, d.synced)
	for _, s := range d.loose {
		if r.IntN(2) == 0 {
			copy(b[s*512:min(len(b), int(s*512+512))], d.now[s*512:])
		}
	}
	return &disk{now: b, synced: slices.Clone(b)}
}

func (d *disk) load(base blockdev.Device) (*Overlay, error) {
	return load(d, int64(len(d.now)), base, ID{9}, Options{})
}

// TestCrash cuts the power after every operation: each sector holds what it
// held at the last flush or something written after it.
func TestCrash(t *testing.T) {
	const size = 6 << 20
	base := newSparse(size, 5)
	r := rand.New(rand.NewPCG(6, 6))
	d := &disk{}
	o, err := format(d, base, ID{9}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	stable := bytes.Clone(base.B)
	later := map[int64][][]byte{} // sector: what was written since the flush
	now := bytes.Clone(base.B)
	for i := range 150 {
		off := r.Int64N(size/512-64) * 512
		n := (r.Int64N(64) + 1) * 512
		switch r.IntN(5) {
		case 0:
			o.ZeroRange(bg, off, n, true)
			clear(now[off : off+n])
		case 1:
			if err := o.Flush(bg); err != nil {
				t.Fatal(err)
			}
			stable, n = bytes.Clone(now), 0
			clear(later)
		default:
			copy(now[off:off+n], pattern(int(n), uint64(i)))
			o.WriteAtContext(bg, now[off:off+n], off)
		}
		for s := off; s < off+n; s += 512 {
			later[s] = append(later[s], bytes.Clone(now[s:s+512]))
		}
		checkCrash(t, d.crash(r), base, stable, later, i)
	}
}

func checkCrash(t *testing.T, d *disk, base blockdev.Device, stable []byte, later map[int64][][]byte, step int) {
	t.Helper()
	o, err := d.load(base)
	if err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
	got := readAll(t, o)
	for s := int64(0); s < int64(len(got)); s += 512 {
		ok := bytes.Equal(got[s:s+512], stable[s:s+512])
		for _, b := range later[s] {
			ok = ok || bytes.Equal(got[s:s+512], b)
		}
		if !ok {
			t.Fatalf("step %d: sector at %d holds neither the flushed nor a later state", step, s)
		}
	}
}

// TestCrashInFlush cuts the power at every operation of a flush.
func TestCrashInFlush(t *testing.T) {
	const size = 9 << 20
	base := newSparse(size, 8)
	r := rand.New(rand.NewPCG(7, 7))
	for failAt := 1; ; failAt++ {
		d := &disk{}
		o, _ := format(d, base, ID{9}, Options{})
		o.WriteAtContext(bg, pattern(3<<20, 1), 2<<20)
		if err := o.Flush(bg); err != nil {
			t.Fatal(err)
		}
		stable := readAll(t, o)
		o.ZeroRange(bg, 2<<20, 1<<20, true)
		o.WriteAtContext(bg, pattern(1<<20, 2), 6<<20)
		next := readAll(t, o)
		d.ops, d.failAt = 0, failAt
		err := o.Flush(bg)
		for range 20 {
			c, lerr := d.crash(r).load(base)
			if lerr != nil {
				t.Fatalf("operation %d: %v", failAt, lerr)
			}
			// The zeroed and the new part were not written in place: old or new as a whole.
			if got := readAll(t, c); !bytes.Equal(got, next) && (err == nil || !sameButLoose(got, stable, next)) {
				t.Fatalf("operation %d (flush: %v): a third state", failAt, err)
			}
		}
		if err == nil {
			return
		}
		if o.Flush(bg) == nil {
			t.Fatalf("operation %d: a flush after a failed one succeeded", failAt)
		}
	}
}

func sameButLoose(got, a, b []byte) bool {
	return bytes.Equal(got, a) || bytes.Equal(got, b)
}

// TestFaults fails every i-th operation of a history: the answer is an error
// or right, and what was flushed stays.
func TestFaults(t *testing.T) {
	base := newSparse(5<<20, 2)
	for failAt := 2; failAt < 60; failAt++ {
		d := &disk{}
		o, err := format(d, base, ID{9}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		d.failAt = failAt + d.ops
		flat, stable := bytes.Clone(base.B), bytes.Clone(base.B)
		failed := false
		for i := range 20 {
			off, b := int64(i*200000), pattern(70000, uint64(i))
			if _, err := o.WriteAtContext(bg, b, off); err != nil {
				failed = true
				break
			}
			copy(flat[off:], b)
			if o.Flush(bg) != nil {
				failed = true
				break
			}
			stable = bytes.Clone(flat)
		}
		if !failed {
			break
		}
		crashed, err := d.crash(rand.New(rand.NewPCG(1, 1))).load(base)
		if err != nil {
			t.Fatalf("operation %d: %v", failAt, err)
		}
		got := readAll(t, crashed)
		for i := range stable {
			if got[i] != stable[i] && got[i] != flat[i] {
				t.Fatalf("operation %d: byte %d is neither flushed nor written", failAt, i)
			}
		}
	}
}

// rotten builds a small valid file to damage.
func rotten(t testing.TB, base blockdev.Device) []byte {
	d := &disk{}
	o, err := format(d, base, ID{9}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.WriteAtContext(bg, pattern(20000, 1), 5000)
	o.ZeroRange(bg, 4<<20, 4<<20, false)
	if err := o.Flush(bg); err != nil {
		t.Fatal(err)
	}
	return d.now
}

// TestRot flips every byte and cuts at every page: an error or the truth of an
// older flush, never a panic or foreign data in the map.
func TestRot(t *testing.T) {
	base := newSparse(9<<20, 1)
	good := rotten(t, base)
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x41
		o, err := (&disk{now: b}).load(base)
		if err == nil && o.Used() != 6*pageSize && o.Used() != 0 {
			t.Fatalf("byte %d: %d bytes used", i, o.Used())
		}
	}
	for n := 0; n < len(good); n += 512 {
		if o, err := (&disk{now: good[:n]}).load(base); err == nil && n > 2*headerLen && o.Used() > 0 {
			blockdev.ReadFull(bg, o, make([]byte, 1<<20), 0)
		}
	}
}

func FuzzLoad(f *testing.F) {
	base := newSparse(9<<20, 1)
	good := rotten(f, base)
	f.Add(good)
	f.Add(good[:3*pageSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := (&disk{now: b}).load(base)
		if err != nil {
			return
		}
		blockdev.ReadFull(bg, o, make([]byte, 1<<20), 0)
		o.WriteAtContext(bg, make([]byte, 9000), 3000)
		o.Flush(bg)
	})
}

func TestFlushInParallel(t *testing.T) {
	base := newSparse(6<<20, 1)
	path := filepath.Join(t.TempDir(), "p")
	o, err := Create(path, base, ID{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	flat := bytes.Clone(base.B)
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 60 {
				b := pattern(4096, uint64(w*1000+i))
				off := int64(w)<<20 + int64(i%20)*12288
				if i%7 == 3 {
					clear(b)
					o.ZeroRange(bg, off, 4096, true)
				} else {
					o.WriteAtContext(bg, b, off)
				}
				copy(flat[off:], b)
				if err := o.Flush(bg); err != nil {
					t.Error(fmt.Errorf("worker %d: %w", w, err))
				}
			}
		})
	}
	wg.Wait()
	o.Close()
	if o, err = Open(path, base, ID{}, Options{}); err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if !bytes.Equal(readAll(t, o), flat) {
		t.Error("contents differ")
	}
}
