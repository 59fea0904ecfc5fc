package nbd

import (
	"io"
	"net"
	"runtime"
	"syscall"
	"time"

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

// patience is how long a connection is looked at again and again before its
// reader goes to sleep: about what it costs to wake it on an idle processor.
const patience = 50 * time.Microsecond

// maxShy bounds the reads that are not waited for actively after one that took
// too long.
const maxShy = 256

// arrivals reads from a client. One that asks again as soon as it was answered
// is waited for without going to sleep.
type arrivals struct {
	net.Conn
	eager bool            // wait actively, where there are several processors
	raw   syscall.RawConn // nil: the system cannot look without waiting
	shy   int             // reads to go until it is waited for actively …
	next  int             // … and after the next failure
	p     []byte
	n     int
	err   error
	look  func(fd uintptr) bool
	peek  func(fd uintptr) bool
}

func newArrivals(nc net.Conn) *arrivals {
	a := &arrivals{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		a.raw, _ = sc.SyscallConn()
	}
	var one [1]byte
	a.peek = func(fd uintptr) bool {
		a.n, _, a.err = unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return true
	}
	a.look = func(fd uintptr) bool {
		for began := time.Now(); ; unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) { // to the client, if it is to run here
			a.n, a.err = unix.Read(int(fd), a.p)
			if a.err != unix.EAGAIN && a.err != unix.EINTR || time.Since(began) > patience {
				return true
			}
		}
	}
	return a
}

// Read reads as io.Reader.
func (a *arrivals) Read(p []byte) (int, error) {
	if a.shy--; !a.eager || !a.looks() || runtime.NumCPU() == 1 || a.shy >= 0 {
		return a.Conn.Read(p)
	}
	a.p = p
	if err := a.raw.Read(a.look); err != nil {
		return 0, err
	}
	switch {
	case a.err == nil && a.n > 0:
		a.next = 0
		return a.n, nil
	case a.err == nil:
		return 0, io.EOF
	case a.err != unix.EAGAIN && a.err != unix.EINTR:
		return 0, &net.OpError{Op: "read", Net: "nbd", Err: a.err}
	}
	a.shy, a.next = a.next, min(max(1, 2*a.next), maxShy)
	return a.Conn.Read(p)
}

// looks reports whether it can be told what has arrived.
func (a *arrivals) looks() bool { return a.raw != nil }

// waiting reports, where that can be told, whether bytes of the client have
// arrived that were not read.
func (a *arrivals) waiting() bool {
	return a.raw.Read(a.peek) != nil || a.err == nil && a.n > 0
}
