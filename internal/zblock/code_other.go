//go:build !amd64

package zblock

// code codes sequences, last to first. The buffer has room.
func (s *flow) code(buf []byte, seqs []sequence, ll, of, ml *table) {
	s.codePlain(buf, seqs, ll, of, ml)
}

func (e *Encoder) searchFast(b *block) uint { return e.fast(b) }

func (e *Encoder) searchDouble(b *block) uint { return e.double(b) }

func (h *huffman) fours(buf []byte, at uint, lits []byte, acc uint64, n uint) (uint, uint64, uint) {
	return h.foursPlain(buf, at, lits, acc, n)
}
