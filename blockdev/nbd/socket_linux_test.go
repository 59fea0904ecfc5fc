package nbd

import (
	"net"
	"path/filepath"
	"testing"

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

func TestUnixSocketIsWide(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(t.Context(), &Server{}, server)
	defer c.close()
	if wide, usual := sendBufferOf(t, server.(*net.UnixConn)), sendBufferOf(t, client.(*net.UnixConn)); wide <= usual {
		t.Errorf("the socket takes %d bytes at once, any takes %d", wide, usual)
	}
}
