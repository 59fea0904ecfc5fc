package ntfsparse

import "vitrine/ntfsparse/internal/decomp"

// The decoders, by the names this package knows them under.
var (
	lznt1  = decomp.LZNT1
	xpress = decomp.Xpress
	lzx    = decomp.LZX
	lz77   = decomp.LZ77
)
