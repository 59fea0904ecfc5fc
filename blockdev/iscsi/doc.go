// Package iscsi is an iSCSI target: it serves devices as SCSI disks to the
// initiators that systems bring along, Windows' among them.
//
//	srv := &iscsi.Server{Targets: []*iscsi.Target{{
//		Name: "iqn.2026-01.example:disk",
//		LUNs: []*iscsi.LUN{{Device: dev, Serial: "0123456789ABCDEF"}},
//	}}}
//	err = srv.Serve(ctx, listener) // until ctx ends
//
// A device that is a [blockdev.Writable] can be written to; any other is a
// write-protected disk. Each session has one connection and error recovery
// level 0; CHAP guards a target. Commands of a session run in parallel, but for
// those whose task attribute says otherwise.
//
// Initiators are not trusted: connections, commands at a time, bytes in flight,
// negotiations and registrations are bounded. docs/iscsi.md lists the commands
// and what libiscsi's test suite says of them.
//
// Sources: RFC 7143 (iSCSI), SPC-4 and SBC-3 of T10 (SCSI).
package iscsi
