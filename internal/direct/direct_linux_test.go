package direct

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const page = 4096

// aligned is a page of memory.
func aligned() []byte {
	b := make([]byte, 2*page)
	skip := -uintptr(unsafe.Pointer(&b[0])) & (page - 1)
	return b[skip:][:page:page]
}

// TestOpen writes and reads a file that has lost its name. A file system that
// says that pages suit it must take them.
func TestOpen(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "/dev/shm"} {
		f, err := os.Create(filepath.Join(dir, "vitrine-direct-test"))
		if err != nil {
			t.Logf("%s: %v", dir, err)
			continue
		}
		defer f.Close()
		os.Remove(f.Name())
		suits := Suits(f, page)
		d, err := Open(f, os.O_RDWR)
		t.Logf("%s: pages suit it: %v, opening: %v", dir, suits, err)
		if err != nil {
			if suits {
				t.Errorf("%s: %v", dir, err)
			}
			continue
		}
		defer d.Close()
		want, got := aligned(), aligned()
		for i := range want {
			want[i] = byte(i * 7)
		}
		if _, err := d.WriteAt(want, page); err != nil && suits {
			t.Errorf("%s: writing a page: %v", dir, err)
		} else if err != nil {
			continue
		}
		if _, err := d.ReadAt(got, page); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: reading a page: %v, as written: %v", dir, err, bytes.Equal(got, want))
		}
	}
}

// TestSuits asks of what is no file of a disk, and of a size that suits none.
func TestSuits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if Suits(r, page) {
		t.Error("a pipe is suited")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Suits(f, 3) {
		t.Error("3 bytes suit a file")
	}
	f.Close()
	if Suits(f, page) {
		t.Error("a closed file is suited")
	}
}

// TestReadAwake reads as everybody does: all of it, a short end, nothing behind
// it, what cannot be read directly, and by many at a time.
func TestReadAwake(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bytes.Repeat([]byte("0123456789abcde\n"), 4*page/16)
	if _, err := f.Write(want[:len(want)-100]); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if !Suits(f, page) {
		t.Skip("direct I/O does not suit the file system of temporary files")
	}
	d, err := Open(f, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b := aligned()
			for i := range 200 {
				awake := i%4 > 0
				for k, length := range []int{page, page, page, page - 100, 0} {
					n, err := Read(d, b, int64(k)*page, awake)
					if err != nil || n != length || !bytes.Equal(b[:n], want[k*page:][:n]) {
						t.Errorf("page %d, awake %v: %d bytes, %v", k, awake, n, err)
						return
					}
				}
				if n, err := Read(d, b, 3, awake); err != unix.EINVAL {
					t.Errorf("3 bytes off, awake %v: %d bytes, %v", awake, n, err)
					return
				}
			}
		})
	}
	all.Wait()
	if wakeful.state != usable && runtime.NumCPU() > 1 {
		t.Logf("nothing was read awake: state %d", wakeful.state)
	}
}

// TestBufferStaysInPlace has a buffer that would be on the stack, which the
// system may move while the kernel writes to it.
func TestBufferStaysInPlace(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := testing.AllocsPerRun(10, func() {
		var b [64]byte
		if n, err := Read(f, b[:], 0, true); n != 0 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	if n < 1 {
		t.Error("the kernel was given a buffer on the stack")
	}
}
