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

// looks reports whether it can be told what has arrived.
func (*arrivals) looks() bool { return false }

// waiting reports whether bytes of the client have arrived that were not read.
func (*arrivals) waiting() bool { return false }
