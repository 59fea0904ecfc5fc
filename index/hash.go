package index

import (
	"hash/crc32"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/cpu"
	"lukechampine.com/blake3/guts"
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
	if wide && len(plain) == BlockSize {
		return wideHash((*[BlockSize]byte)(plain))
	}
	return blake3.Sum256(plain)
}

// wide tells that sixteen lanes can be hashed at once, which takes a quarter
// off the time of a block; only package guts can do it.
var wide = cpu.X86.HasAVX512F

// wideHash is the BLAKE3 tree of exactly one block: four subtrees of sixteen
// chunks, joined twice.
func wideHash(b *[BlockSize]byte) (h Hash) {
	const span = guts.MaxSIMD * guts.ChunkSize
	var cv [BlockSize / span][8]uint32
	for i := range cv {
		part := (*[span]byte)(b[i*span:])
		cv[i] = guts.ChainingValue(guts.CompressBuffer(part, span, &guts.IV, uint64(i)*guts.MaxSIMD, 0))
	}
	join := func(l, r *[8]uint32) guts.Node { return guts.ParentNode(*l, *r, &guts.IV, 0) }
	left, right := guts.ChainingValue(join(&cv[0], &cv[1])), guts.ChainingValue(join(&cv[2], &cv[3]))
	root := join(&left, &right)
	root.Flags |= guts.FlagRoot
	out := guts.WordsToBytes(guts.CompressNode(root))
	copy(h[:], out[:])
	return h
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC is the CRC-32C that guards stored bytes.
func CRC(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
