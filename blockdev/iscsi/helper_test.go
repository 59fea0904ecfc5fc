package iscsi

import (
	"context"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
)

const (
	diskSize = 40 << 20
	iqn      = "iqn.2026-01.test.vitrine:disk"
)

// testDisk makes a raw image with data, holes and zeros.
func testDisk(t testing.TB) (string, *blockdev.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	for i := 0; i < diskSize>>20; i += 3 {
		mrand.NewChaCha8([32]byte{byte(i)}).Read(b)
		f.WriteAt(b, int64(i)<<20)
	}
	if err := f.Truncate(diskSize); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d, err := blockdev.OpenFile(path, 512)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return path, d
}

// start serves on a loopback port and returns its address; the server stops
// with the test.
func start(t testing.TB, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if s.OnError == nil {
		s.OnError = func(_ net.Addr, err error) { t.Logf("connection: %v", err) }
	}
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not stop")
		}
	})
	return l.Addr().String()
}

func disk(d blockdev.Device) []*LUN { return []*LUN{{Device: d, Serial: "0123456789ABCDEF"}} }

func overlaid(t testing.TB, d blockdev.Device) *overlay.Overlay {
	t.Helper()
	o, err := overlay.New(d, overlay.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
