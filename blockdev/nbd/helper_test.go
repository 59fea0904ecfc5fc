package nbd

import (
	"context"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vitrine/blockdev"
)

const diskSize = 40<<20 + 512

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
	return serveOn(t, s, "tcp", "127.0.0.1:0").String()
}

func serveOn(t testing.TB, s *Server, network, addr string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
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
	return l.Addr()
}
