package zblock

import "encoding/binary"

// bits writes a bit stream that is read from its end: what is added first is
// read last.
type bitWriter struct {
	out []byte
	acc uint64
	n   uint // bits in acc, below 8 after flush
}

// add appends the low n bits of v, which has no others. At most 56 bits fit
// between two flushes.
func (w *bitWriter) add(v uint64, n uint) {
	w.acc |= v << (w.n & 63)
	w.n += n
}

func (w *bitWriter) flush() {
	k := w.n >> 3
	w.out = binary.LittleEndian.AppendUint64(w.out, w.acc)
	w.out = w.out[:uint(len(w.out))-8+k]
	w.acc >>= k * 8 & 63
	w.n &= 7
}

// close adds the mark that ends a stream.
func (w *bitWriter) close() []byte {
	w.add(1, 1)
	w.flush()
	if w.n > 0 {
		w.out = append(w.out, byte(w.acc))
	}
	return w.out
}
