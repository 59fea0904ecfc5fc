package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"vitrine/device"
)

// Whatever the offsets and lengths, and whether the file system takes direct
// writes or not, the file holds what was written.
func TestSink(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "/dev/shm"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		path := filepath.Join(dir, "vitrine-sink-test")
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(path)
		defer f.Close()
		s := newSink(f, directFrom)
		var want []byte
		for i, n := range []int{1 << 20, 4096, 8192 + 1, 5, 4096, 1 << 20, 100} {
			b := device.AlignedBuffer(n)
			for j := range b {
				b[j] = byte(j*7 + i)
			}
			if k, err := s.WriteAt(b, int64(len(want))); k != n || err != nil {
				t.Fatalf("%s: %d bytes: %d, %v", dir, n, k, err)
			}
			want = append(want, b...)
		}
		s.done()
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes instead of %d, %v", dir, len(got), len(want), err)
		}
	}
}
