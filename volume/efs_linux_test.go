package volume

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"vitrine/internal/testvol"
)

// TestEncryptedIsReadRaw lets ntfs-3g store a file as encrypted and reads the
// cipher text back.
func TestEncryptedIsReadRaw(t *testing.T) {
	cipher := make([]byte, 1024)
	for i := range cipher {
		cipher[i] = byte(rand.Uint32())
	}
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		// The last two bytes tell how many of the last block do not count.
		path := filepath.Join(dir, "secret")
		if err := os.WriteFile(path, binary.LittleEndian.AppendUint16(bytes.Clone(cipher), 24), 0o644); err != nil {
			t.Fatal(err)
		}
		keys := make([]byte, 84)
		keys[0], keys[8] = 84, 2
		if err := syscall.Setxattr(path, "system.ntfs_efsinfo", keys, 0); err != nil {
			t.Fatal(err)
		}
	})
	f, err := os.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, _ := f.Stat()
	n, err := openNTFS(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	a, err := n.Lookup(ctx, n.Root(), "secret")
	if err != nil || a.Size != 1000 {
		t.Fatalf("%+v, %v", a, err)
	}
	o, err := n.Open(ctx, a.ID)
	if err == nil {
		_, err = o.ReadAt(ctx, make([]byte, 10), 0)
	}
	if !errors.Is(err, ErrEncrypted) {
		t.Errorf("plain: %v", err)
	}
	if o, err = n.OpenRaw(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, o.Size())
	if _, err = o.ReadAt(ctx, got, 0); err != nil && err != io.EOF || !bytes.Equal(got, cipher) {
		t.Errorf("%d bytes of cipher text, %v", len(got), err)
	}
}
