package nbd

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func sendBufferOf(t *testing.T, c *net.UnixConn) (n int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// connected gives both ends of a connection.
func connected(t *testing.T, network string) (client, server net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestUnixSocketIsWide(t *testing.T) {
	client, server := connected(t, "unix")
	c := newConn(t.Context(), &Server{}, server)
	defer c.close()
	if wide, usual := sendBufferOf(t, server.(*net.UnixConn)), sendBufferOf(t, client.(*net.UnixConn)); wide <= usual {
		t.Errorf("the socket takes %d bytes at once, any takes %d", wide, usual)
	}
}

// TestArrivals has bytes come early, late, not before a deadline, and no more.
func TestArrivals(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		client, nc := connected(t, network)
		a := newArrivals(nc)
		a.eager = true
		var b [8]byte
		for i := range 30 {
			if a.waiting() {
				t.Fatalf("%s: something waits", network)
			}
			if i%3 == 0 {
				client.Write([]byte("ab"))
				for !a.waiting() {
					time.Sleep(time.Millisecond)
				}
			} else {
				time.AfterFunc(time.Duration(i)*patience/5, func() { client.Write([]byte("ab")) })
			}
			if _, err := io.ReadFull(a, b[:2]); err != nil || string(b[:2]) != "ab" {
				t.Fatalf("%s: %q, %v", network, b[:2], err)
			}
		}
		a.SetReadDeadline(time.Unix(1, 0))
		for range 2 {
			if _, err := a.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, after the deadline: %v", network, err)
			}
		}
		a.SetReadDeadline(time.Time{})
		client.Close()
		for range 2 {
			if n, err := a.Read(b[:]); n != 0 || err != io.EOF {
				t.Errorf("%s, after the end: %d, %v", network, n, err)
			}
		}
		nc.Close()
		if _, err := a.Read(b[:]); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s, closed: %v", network, err)
		}
	}
}
