package direct

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
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
