package index

import (
	"hash/crc32"

	"github.com/zeebo/blake3"

	"vitrine/internal/blockhash"
)

// Objects of the index are hashed with BLAKE3 in derive-key mode under a
// context of their own, so that no object can stand in for another kind.
// Chunks are hashed plainly.
var (
	ctxHeader  = context("vitrine v1 header")
	ctxSegment = context("vitrine v1 segment")
	ctxTable   = context("vitrine v1 table")
	ctxPage    = context("vitrine v1 page")
	ctxMembers = context("vitrine v1 members")
	ctxMeta    = context("vitrine v1 meta")
	ctxSuper   = context("vitrine v1 super")
)

type hashContext struct{ base *blake3.Hasher }

func context(s string) hashContext { return hashContext{blake3.NewDeriveKey(s)} }

// sum hashes the parts as one string of bytes.
func (c hashContext) sum(parts ...[]byte) (h Hash) {
	d := c.base.Clone()
	for _, p := range parts {
		d.Write(p)
	}
	d.Sum(h[:0])
	return h
}

// BlockHash is the hash of one block's plain data: BLAKE3-256 of exactly
// BlockSize bytes; a stream's short last block is padded with zeros.
func BlockHash(plain []byte) Hash {
	if blockhash.Available && len(plain) == BlockSize {
		return blockhash.Sum((*[BlockSize]byte)(plain))
	}
	return blake3.Sum256(plain)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC is the CRC-32C that guards stored bytes.
func CRC(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
