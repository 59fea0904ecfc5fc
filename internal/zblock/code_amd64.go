package zblock

import "golang.org/x/sys/cpu"

// bmi2 tells that this processor has what the assembly uses.
var bmi2 = cpu.X86.HasBMI1 && cpu.X86.HasBMI2

// searchFast is fast where there is assembly for it.
func (e *Encoder) searchFast(b *block) uint {
	if !bmi2 {
		return e.fast(b)
	}
	return fastBMI2(e, b)
}

// searchDouble is double where there is assembly for it.
func (e *Encoder) searchDouble(b *block) uint {
	if !bmi2 {
		return e.double(b)
	}
	return doubleBMI2(e, b)
}

// fastBMI2 is fast in assembly. It begins with no literals and no sequences,
// and so does doubleBMI2.
//
//go:noescape
func fastBMI2(e *Encoder, b *block) (anchor uint)

//go:noescape
func doubleBMI2(e *Encoder, b *block) (anchor uint)

// code codes sequences, last to first. The buffer has room.
func (s *flow) code(buf []byte, seqs []sequence, ll, of, ml *table) {
	if !bmi2 || len(seqs) == 0 {
		s.codePlain(buf, seqs, ll, of, ml)
		return
	}
	_ = buf[s.at+uint(len(seqs))*maxSeqBytes+7]
	codeBMI2(&buf[0], &seqs[0], len(seqs), ll, of, ml, s)
}

// codeBMI2 is codePlain in assembly.
//
//go:noescape
func codeBMI2(buf *byte, seqs *sequence, n int, ll, of, ml *table, s *flow)

// fours is foursPlain where there is assembly for it.
func (h *huffman) fours(buf []byte, at uint, lits []byte, acc uint64, n uint) (uint, uint64, uint) {
	if !bmi2 || len(lits) == 0 {
		return h.foursPlain(buf, at, lits, acc, n)
	}
	_ = buf[at+uint(len(lits))*maxCode/8+8]
	return foursBMI2(&buf[0], &h.codes, &lits[0], len(lits), at, acc, n)
}

// foursBMI2 is foursPlain in assembly, for at least four literals.
//
//go:noescape
func foursBMI2(buf *byte, codes *[256]code, lits *byte, count int, at uint, acc uint64, n uint) (at2 uint, acc2 uint64, n2 uint)

// coded is a value's code in the low byte, how many bits follow it in the next,
// and those bits above.
type coded uint32

func codedAs(n int, code, bits uint8) coded {
	return coded(code) | coded(bits)<<8 | coded(n&(1<<bits-1))<<16
}

// litCoded and matchCoded are the values that litCodes and matchCodes have, for
// the assembly.
//
//lint:ignore U1000 the assembly reads them
var litCoded, matchCoded = func() (l [64]coded, m [128]coded) {
	for n, c := range litCodes {
		l[n] = codedAs(n, c, litBits[c])
	}
	for n, c := range matchCodes {
		m[n] = codedAs(n, c, matchBits[c])
	}
	return l, m
}()
