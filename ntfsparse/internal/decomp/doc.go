// Package decomp expands the four compressed forms that files on NTFS have:
// LZNT1 (the compression attribute), XPRESS Huffman and LZX (CompactOS, the
// Windows Overlay Filter) and plain LZ77 (chunks of deduplicated files).
//
//	err := decomp.Xpress(plain, stored) // len(plain) is the exact plain length
//
// The formats are those of their published descriptions: [MS-XCA] sections 2.1
// and 2.2 (LZ77+Huffman), 2.4 (plain LZ77) and 2.5 (LZNT1); for LZX "Microsoft LZX Data
// Compression Format" of the Cabinet SDK together with [MS-PATCH], and the
// differences of the WIM variant as the imaging format's documentation states
// them (see [LZX]).
//
// Every function is safe in parallel, trusts no byte of its input, writes
// nothing outside dst, takes time bounded by len(dst)+len(src) and allocates
// nothing but pooled tables of a few KiB. What does not decode is an [Error]
// that wraps [ErrCorrupt]; dst then holds what came out before it.
package decomp

import (
	"errors"
	"fmt"
)

// ErrCorrupt is the class of every error of this package.
var ErrCorrupt = errors.New("compressed data is damaged")

// Error says which format did not decode, where and why. It wraps [ErrCorrupt].
type Error struct {
	Format string // "LZNT1", "XPRESS", "LZX" or "LZ77"
	Pos    int    // plain bytes decoded before the fault
	Msg    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s data damaged after %d plain bytes: %s", e.Format, e.Pos, e.Msg)
}

func (e *Error) Unwrap() error { return ErrCorrupt }
