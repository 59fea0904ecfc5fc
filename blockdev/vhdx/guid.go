package vhdx

import "crypto/sha256"

// guid makes an identifier out of a seed: a version 4 UUID, as it is stored.
func guid(seed []byte, what string) []byte {
	sum := sha256.Sum256(append([]byte(what+"\x00"), seed...))
	g := sum[:16]
	g[7] = g[7]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}
