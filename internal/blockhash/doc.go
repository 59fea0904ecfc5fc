// Package blockhash hashes single blocks of 64 KiB with BLAKE3, sixteen lanes
// at once, on processors with AVX-512. What it gives is plain BLAKE3-256.
//
// A block is 64 chunks of 1 KiB, the leaves of a binary tree. Sixteen chunks
// are hashed side by side, each in a lane of the 512-bit registers, and the
// parents above them in the same way.
//
// Source: the BLAKE3 paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020).
package blockhash

// Size is the length of a block in bytes.
const Size = 64 << 10
