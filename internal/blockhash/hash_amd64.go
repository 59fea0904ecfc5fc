package blockhash

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Available tells whether this processor can run Sum.
var Available = cpu.X86.HasAVX512F

const (
	lanes    = 16
	chunkLen = 1024
	blockLen = 64 // bytes that one compression takes
)

// Flags of a compression (BLAKE3, 2.2).
const (
	chunkStart = 1 << iota
	chunkEnd
	parent
	root
)

// cv is a chaining value.
type cv [8]uint32

// compress runs sixteen chains of compressions. Lane i begins with the key of
// plain hashing and takes n pieces of 64 bytes, one after the other from
// in+i*stride. Its counter is counter[i]; its flags are first, last and every.
//
//go:noescape
func compress(out *[lanes]cv, in *byte, stride, n uint64, counter *[lanes]uint32, first, last, every uint32)

// Sum is the BLAKE3-256 hash of a block.
func Sum(b *[Size]byte) (h [32]byte) {
	var cvs [Size / chunkLen]cv
	var counter, none [lanes]uint32
	for i := 0; i < len(cvs); i += lanes {
		for k := range counter {
			counter[k] = uint32(i + k)
		}
		compress((*[lanes]cv)(cvs[i:]), &b[i*chunkLen], chunkLen, chunkLen/blockLen, &counter, chunkStart, chunkEnd, 0)
	}
	// Two chaining values side by side are the piece of their parent. Lanes
	// without one work on what is left there.
	flags := uint32(parent)
	for n := len(cvs) / 2; n > 0; n /= 2 {
		if n == 1 {
			flags |= root
		}
		for i := 0; i < n; i += lanes {
			compress((*[lanes]cv)(cvs[i:]), (*byte)(unsafe.Pointer(&cvs[2*i])), blockLen, 1, &none, 0, 0, flags)
		}
	}
	for i, w := range cvs[0] {
		binary.LittleEndian.PutUint32(h[4*i:], w)
	}
	return h
}
