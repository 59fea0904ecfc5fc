package nbd

import (
	"net"

	"golang.org/x/sys/unix"
)

// sendBuffer is how much of a reply a unix socket takes at once, in bytes. With
// its default, 208 KiB, a reply of 1 MiB waits for the client several times.
const sendBuffer = 2 << 20

// widen gives a unix socket room for a reply, as far as the system lets it. TCP
// finds its size by itself.
func widen(nc net.Conn) {
	u, ok := nc.(*net.UnixConn)
	if !ok {
		return
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil { // not root
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
		}
	})
}
