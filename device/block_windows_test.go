package device

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// A device that is gone is told from a sector that cannot be read.
func TestLasting(t *testing.T) {
	for err, want := range map[error]bool{
		windows.ERROR_DEVICE_NOT_CONNECTED: true,
		windows.ERROR_NO_SUCH_DEVICE:       true, // of a shadow copy, too
		windows.ERROR_FILE_INVALID:         true,
		windows.ERROR_CRC:                  false,
		windows.ERROR_SECTOR_NOT_FOUND:     false,
		windows.ERROR_IO_DEVICE:            false,
	} {
		got := error(&os.PathError{Op: "read", Path: "x", Err: lasting(err)})
		if errors.Is(got, syscall.ENODEV) != want || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// Reading and writing at places works past the position, and ends where the file does.
func TestBlockFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := blockIO(f)
	if n, err := b.WriteAt([]byte("0123456789"), 5); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	buf := make([]byte, 20)
	if n, err := b.ReadAt(buf, 10); n != 5 || err == nil || string(buf[:n]) != "56789" {
		t.Errorf("%d, %v, %q", n, err, buf[:n])
	}
}
