package capture

import (
	"github.com/klauspost/compress/zstd"

	"vitrine/index"
	"vitrine/internal/zblock"
)

// minSaving is what compression must save of a block: 1/16. Below it, reading
// a plain block is worth more than the space.
const minSaving = index.BlockSize / 16

// mostStored is the longest compressed form that is kept.
const mostStored = index.BlockSize - minSaving

// encoder compresses blocks one at a time. With neither encoder it stores them
// plain.
type encoder struct {
	block *zblock.Encoder // fastest and default
	z     *zstd.Encoder   // better and best
}

func newEncoder(l Level) (*encoder, error) {
	switch l {
	case Fastest:
		return &encoder{block: zblock.New(zblock.Fast)}, nil
	case Default:
		return &encoder{block: zblock.New(zblock.Double)}, nil
	case Better:
		return newThorough(zstd.SpeedBetterCompression)
	case Best:
		return newThorough(zstd.SpeedBestCompression)
	}
	return &encoder{}, nil
}

func newThorough(l zstd.EncoderLevel) (*encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(index.BlockSize), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	return &encoder{z: z}, err
}

// encode gives the stored form of a block: plain itself, or appended to dst,
// which best has room for three more blocks.
func (e *encoder) encode(dst, plain []byte) (stored, rest []byte, c index.Codec) {
	out, ok := e.compress(dst, plain)
	if !ok {
		return plain, out, index.Raw
	}
	return out[len(dst):len(out):len(out)], out, index.Zstd
}

// compress appends the compressed form; false, and dst as it was, if that
// saves too little.
func (e *encoder) compress(dst, plain []byte) ([]byte, bool) {
	switch {
	case e.block != nil:
		return e.block.Encode(dst, plain, mostStored)
	case e.z != nil:
		if out := e.z.EncodeAll(plain, dst); len(out)-len(dst) <= mostStored {
			return out, true
		}
	}
	return dst, false
}

func (e *encoder) close() {
	if e.z != nil {
		e.z.Close()
	}
}
