// Package index holds the structures of a member file and the block index:
// how they are built, encoded, decoded and looked up. docs/FORMAT.md is the
// contract; this package is its only implementation, for reading and writing.
//
// A member is written front to back by a [Writer]: header, plan, segments of
// chunks, checkpoints, then the index tail and the footer. It is opened from
// its end by [ReadTail]; [Map] then looks blocks up through pages that the
// caller supplies, and [ReadSegment] tells where a chunk's bytes are. A member
// without a footer is unfinished; [Scan] walks its records from the front.
//
// The package is pure: no files, no clock, no goroutines. Decoders take hostile
// bytes: they return a [FormatError] and never allocate more than a bounded
// multiple of their input. Decoded pages are immutable and safe for parallel
// use; a Writer is for one goroutine.
package index
