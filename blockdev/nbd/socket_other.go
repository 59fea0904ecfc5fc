//go:build !linux

package nbd

import "net"

func widen(net.Conn) {}

// arrivals reads from a client.
type arrivals struct {
	net.Conn
	eager bool
}

func newArrivals(nc net.Conn) *arrivals { return &arrivals{Conn: nc} }

// waiting reports whether bytes of the client have arrived that were not read;
// here it cannot be told.
func (*arrivals) waiting() bool { return true }
