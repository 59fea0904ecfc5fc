package zblock

import "encoding/binary"

// Size is the length of a block in bytes.
const Size = 1 << 16

// Slack is how many bytes behind a block are read, whatever they hold.
const Slack = 8

// block is a block and its slack.
type block = [Size + Slack]byte

// Level chooses between speed and size.
type Level uint8

// The levels.
const (
	Fast   Level = iota // one look-up a position
	Double              // looks for long matches first
)

const (
	minMatch = 4
	maxSeqs  = Size / minMatch
	// limit is where the search ends; what it reads at a position stays inside
	// the block and its slack.
	limit = Size - 16
)

// Encoder encodes blocks. Get one from New.
type Encoder struct {
	level Level
	short [1 << shortLog]uint16 // last position of a short hash
	long  [1 << longLog]uint16

	lits  [Size + 32]byte // literals, and room for copying more than there is
	nlits uint
	seqs  [maxSeqs]sequence
	nseqs uint

	huff       huffman
	ll, of, ml coder

	copy block // of a plain without slack
}

// sequence is a run of literals and the match behind it.
type sequence struct {
	off   uint32 // offset + 3, or 1 to 3: a recent one
	lit   uint16 // literals
	match uint16 // length − 3
}

// New gives an encoder.
func New(l Level) *Encoder {
	e := &Encoder{level: l}
	e.ll.init(&litPredefined, 9)
	e.of.init(&offPredefined, 8)
	e.ml.init(&matchPredefined, 9)
	return e
}

// frameHeader: magic, single segment with a content size of two bytes, which
// count from 256.
var frameHeader = [...]byte{0x28, 0xB5, 0x2F, 0xFD, 0x60, (Size - 256) & 0xFF, (Size - 256) >> 8}

// Encode appends the frame of plain, which is Size bytes long, to dst. If the
// frame would be longer than most, or looks so, it gives dst as it was, and
// false. A plain with Slack bytes of capacity to spare is not copied.
func (e *Encoder) Encode(dst, plain []byte, most int) ([]byte, bool) {
	b := e.view(plain)
	e.nlits, e.nseqs = 0, 0
	clear(e.short[:])
	switch e.level {
	case Fast:
		e.tail(b, e.searchFast(b))
	default:
		clear(e.long[:])
		e.tail(b, e.searchDouble(b))
	}
	if e.nlits > max(uint(most), Size/2) && noisy(e.lits[:e.nlits]) {
		return dst, false
	}
	out := append(dst, frameHeader[:]...)
	out = append(out, 0, 0, 0)
	body := len(out)
	out = e.literals(out)
	if len(out)-len(dst) > most {
		return dst, false
	}
	out = e.sequences(out)
	if n := len(out) - body; n >= Size || len(out)-len(dst) > most {
		return dst, false
	}
	putBlockHeader(out[body-3:body], len(out)-body)
	return out, true
}

func (e *Encoder) view(plain []byte) *block {
	if cap(plain) >= Size+Slack {
		return (*block)(plain[:Size+Slack])
	}
	copy(e.copy[:], plain[:Size])
	return &e.copy
}

// putBlockHeader writes the header of a last, compressed block.
func putBlockHeader(b []byte, n int) {
	h := n<<3 | 2<<1 | 1
	b[0], b[1], b[2] = byte(h), byte(h>>8), byte(h>>16)
}

func load64(b *block, i uint) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }
func load32(b *block, i uint) uint32 { return binary.LittleEndian.Uint32(b[i : i+4]) }
