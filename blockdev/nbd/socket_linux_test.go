package nbd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vitrine/blockdev"
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

// lagging is a connection whose first writes return only when the client has
// asked for more.
type lagging struct {
	*net.TCPConn
	lags, reads atomic.Int32
}

func (l *lagging) Read(b []byte) (int, error) {
	n, err := l.TCPConn.Read(b)
	l.reads.Add(1)
	return n, err
}

func (l *lagging) Write(b []byte) (int, error) {
	before, lag := l.reads.Load(), l.lags.Add(-1) >= 0
	n, err := l.TCPConn.Write(b)
	if lag {
		for l.reads.Load() == before {
			time.Sleep(10 * time.Microsecond)
		}
	}
	return n, err
}

// placed notes whether the last read ran where it was received.
type placed struct {
	blockdev.Bytes
	here atomic.Bool
}

func (p *placed) ReadAtContext(ctx context.Context, b []byte, off int64) (int, error) {
	p.here.Store(!bytes.Contains(debug.Stack(), []byte("labour")))
	return p.Bytes.ReadAtContext(ctx, b, off)
}

// TestOvertakenAnswers has a client ask for one thing at a time, and be quicker
// than the worker that answered it: it is still seen to do so.
func TestOvertakenAnswers(t *testing.T) {
	client, server := connected(t, "tcp")
	nc := &lagging{TCPConn: server.(*net.TCPConn)}
	dev := &placed{Bytes: blockdev.Bytes{B: make([]byte, 1<<20)}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- (&Server{Exports: []*Export{{Device: dev}}}).ServeConn(ctx, nc) }()
	c := over(t, client).begin(false)
	nc.lags.Store(10)
	for range crowd {
		c.request(0, cmdRead, 0, 512, "")
		c.get(simpleLen + 512)
	}
	c.request(0, cmdRead, 0, 512, "")
	c.get(simpleLen + 512)
	if !dev.here.Load() {
		t.Error("the client was taken for several")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
