package capture

import (
	"github.com/klauspost/compress/zstd"

	"vitrine/index"
)

// minSaving is what compression must save of a block: 1/16. Below it, reading
// a plain block is worth more than the space.
const minSaving = index.BlockSize / 16

// encoder compresses blocks one at a time.
type encoder struct{ z *zstd.Encoder } // z nil: store plain

func newEncoder(l Level) (*encoder, error) {
	level, ok := map[Level]zstd.EncoderLevel{Fastest: zstd.SpeedFastest, Default: zstd.SpeedDefault,
		Better: zstd.SpeedBetterCompression, Best: zstd.SpeedBestCompression}[l]
	if !ok {
		return &encoder{}, nil
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(index.BlockSize), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	return &encoder{z}, err
}

// encode gives the stored form of a block: plain itself, or appended to dst,
// which has room for one more block and a little.
func (e *encoder) encode(dst, plain []byte) (stored, rest []byte, c index.Codec) {
	if e.z == nil {
		return plain, dst, index.Raw
	}
	out := e.z.EncodeAll(plain, dst)
	if len(out)-len(dst) > index.BlockSize-minSaving {
		return plain, dst, index.Raw
	}
	return out[len(dst):len(out):len(out)], out, index.Zstd
}

func (e *encoder) close() {
	if e.z != nil {
		e.z.Close()
	}
}
