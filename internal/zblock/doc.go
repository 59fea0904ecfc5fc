// Package zblock encodes single blocks of 64 KiB as zstd frames (RFC 8878).
//
// It makes what any zstd decoder reads, and only that one shape of it: a
// frame that names its size, with one block, without checksum. Nothing is kept
// from one block to the next, so the same block always gives the same bytes.
//
//	e := zblock.New(zblock.Fast)
//	frame, ok := e.Encode(dst, block, zblock.Size-zblock.Size/16)
//
// What takes the time is in assembly for processors with BMI2, and in Go for
// all; both give the same bytes.
//
// An Encoder holds its tables, about 450 KiB, and is for one goroutine.
package zblock
