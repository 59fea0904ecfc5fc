// Package capture turns a disk or a partition into a member file, and rescues
// what an unfinished member holds.
//
// [Run] reads the partition table and the space in use of every partition,
// reads the source once, in order, and appends to the member whatever differs
// from the parent:
//
//	res, err := capture.Run(ctx, src, capture.Options{Dir: "/backup", Parent: point})
//
// The source is never written to. The member is written under a name that ends
// in ".unfinished" and gets its own name once everything is synced; when a
// capture ends early, what was written stays and [Rescue] makes it readable.
//
// Reading, hashing and compressing run in parallel over a fixed number of
// buffers; memory depends neither on the size of the source nor on the length
// of the chain. A Source must allow parallel ReadAt. Nothing else here is safe
// for parallel use, but any number of captures may run side by side, into the
// same folder too.
//
// What the package trusts: the parent point that it is given. Partition tables
// and file systems may be rotten; what cannot be understood is taken whole.
package capture
