package reader

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// randomFile writes a file whose length is no multiple of anything.
func randomFile(t *testing.T) (path string, data []byte) {
	data = make([]byte, 3<<20+12345)
	rand.NewChaCha8([32]byte{7}).Read(data)
	path = filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(data)
	f.Sync()
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// TestPread has any range, in a buffer at any address, come out of whole pages;
// what the file does not hold is refused.
func TestPread(t *testing.T) {
	path, data := randomFile(t)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := &osFile{File: f, direct: f}
	r := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 300<<10+directRoom+directAlign)
	for range 2000 {
		n := 1 + r.IntN(300<<10)
		off := r.Int64N(int64(len(data)))
		in := r.IntN(directAlign)
		b, ok := o.pread(buf[in:][:n+directRoom], off, n, r.IntN(2) == 0)
		if ok != (off+int64(n) <= int64(len(data))) {
			t.Fatalf("%d bytes at %d of %d: %v", n, off, len(data), ok)
		}
		if ok && !bytes.Equal(b, data[off:][:n]) {
			t.Fatalf("%d bytes at %d are wrong", n, off)
		}
	}
}

// openRandom opens a random file as members are opened.
func openRandom(t *testing.T) (*osFile, []byte) {
	t.Helper()
	path, data := randomFile(t)
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f.(*osFile), data
}

// TestReadDirect reads a file as members are read. Where the test's folder
// cannot be read directly, that is refused from the start.
func TestReadDirect(t *testing.T) {
	o, data := openRandom(t)
	buf := make([]byte, 64<<10+directRoom)
	direct := 0
	for i := range 40 {
		off, n := int64(i)*70001, 64<<10
		b, ok := o.readDirect(buf, off, n, i%2 == 0)
		if !ok {
			b = buf[:n]
			if _, err := o.ReadAt(b, off); err != nil {
				t.Fatal(err)
			}
		} else {
			direct++
		}
		if !bytes.Equal(b, data[off:][:n]) {
			t.Fatalf("%d bytes at %d are wrong", n, off)
		}
	}
	t.Logf("%d of 40 reads were direct", direct)
	if can := !o.plain.Load(); can != (direct > 0) {
		t.Errorf("direct reads: %d, possible: %v", direct, can)
	}
	if cached, err := o.cached(0, 4096); err == nil && direct > 0 && !cached {
		t.Error("the first page went past the cache")
	}
}

// TestShortDirect has a file end inside what is asked for: a direct read leaves
// the error to the common one.
func TestShortDirect(t *testing.T) {
	o, data := openRandom(t)
	buf := make([]byte, 64<<10+directRoom)
	for range directAfter + 3 {
		if _, ok := o.readDirect(buf, int64(len(data))-100, 200, false); ok {
			t.Fatal("200 bytes were read of 100")
		}
	}
}

// TestEarly counts the first reads of a file, and no more than these.
func TestEarly(t *testing.T) {
	var o osFile
	for i := range 3 * directAfter {
		if got := o.early(); got != (i < directAfter) {
			t.Errorf("read %d: early %v", i, got)
		}
	}
	if n := o.reads.Load(); n > directAfter+1 {
		t.Errorf("%d reads were counted", n)
	}
}
