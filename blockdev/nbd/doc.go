// Package nbd serves devices over the Network Block Device protocol: fixed
// newstyle negotiation with structured replies, block status and TLS.
//
//	srv := &nbd.Server{Exports: []*nbd.Export{{Name: "disk", Device: dev}}}
//	l, err := net.Listen("unix", "/run/user/1000/vitrine.sock")
//	err = srv.Serve(ctx, l) // until ctx ends
//
// A device that is a [blockdev.Writable] can be written to; any other is
// announced as read-only, and writing to it is answered with EPERM. Requests of
// one connection run in parallel, and connections share one device coherently,
// so that clients may open several.
//
// Clients are not trusted: option lengths, connections, requests at a time and
// the bytes they hold are all bounded, and a client that stops reading its
// replies is cut off. Source of the protocol: doc/proto.md of
// github.com/NetworkBlockDevice/nbd.
package nbd
