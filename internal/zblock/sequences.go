package zblock

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// coder codes one of the three values of a sequence.
type coder struct {
	count      [64]uint32
	norm       [64]int16
	own        table
	predefined *table
	cost       [64]uint32 // of predefined, in 1/256 bit
	most       uint       // log of the largest table allowed
}

// predefinition is a table that needs no description, RFC 8878 section 3.1.1.3.2.2.
type predefinition struct {
	norm []int16
	log  uint
}

var (
	litPredefined = predefinition{[]int16{4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1}, 6}
	offPredefined = predefinition{[]int16{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1}, 5}
	// matchPredefined is for lengths − 3.
	matchPredefined = predefinition{[]int16{1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1}, 6}
)

func (c *coder) init(p *predefinition, most uint) {
	c.predefined, c.most = new(table), most
	c.predefined.build(p.norm, p.log)
	for s := range c.cost {
		c.cost[s] = math.MaxUint16 << 8
	}
	for s, n := range p.norm {
		c.cost[s] = cost(n, p.log)
	}
}

// cost is the price of a symbol in 1/256 bit.
func cost(n int16, log uint) uint32 { return uint32(log)<<8 - log256[max(n, 1)] }

// log256 is 256·log2.
var log256 = func() (t [maxTable + 1]uint32) {
	for i := 1; i < len(t); i++ {
		t[i] = uint32(math.Round(256 * math.Log2(float64(i))))
	}
	return t
}()

// Modes of a table, RFC 8878 section 3.1.1.3.2.1.
const (
	modePredefined = 0
	modeSingle     = 1
	modeOwn        = 2
)

// choose picks the table for n values that count tells of, and appends its
// description.
func (c *coder) choose(dst []byte, n uint) (*table, uint8, []byte) {
	last, used := 0, 0
	for s, k := range c.count {
		if k > 0 {
			last = s
			used++
		}
	}
	if used == 1 {
		c.own.only(uint8(last))
		return &c.own, modeSingle, append(dst, uint8(last))
	}
	log := tableLog(n, last+1, c.most)
	norm := c.norm[:last+1]
	normalise(norm, c.count[:], n, log)
	own, predefined := uint32(0), uint32(0)
	for s, k := range c.count[:last+1] {
		own += k * cost(norm[s], log)
		predefined += k * c.cost[s]
	}
	out := appendCounts(dst, norm, log)
	if predefined <= own+uint32(len(out)-len(dst))<<11 {
		return c.predefined, modePredefined, dst
	}
	c.own.build(norm, log)
	return &c.own, modeOwn, out
}

// litCodes are the codes of runs of literals below 64.
var litCodes = [64]uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 20, 20, 21, 21, 21, 21,
	22, 22, 22, 22, 22, 22, 22, 22, 23, 23, 23, 23, 23, 23, 23, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24}

// matchCodes are the codes of lengths − 3 below 128.
var matchCodes = [128]uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
	32, 32, 33, 33, 34, 34, 35, 35, 36, 36, 36, 36, 37, 37, 37, 37, 38, 38, 38, 38, 38, 38, 38, 38, 39, 39, 39, 39, 39, 39, 39, 39,
	40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41,
	42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42}

// litBits and matchBits are how many low bits of the value follow a code.
var (
	litBits   = [64]uint8{16: 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	matchBits = [64]uint8{32: 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
)

func litCode(n uint16) uint8 {
	if n < 64 {
		return litCodes[n]
	}
	return uint8(bits.Len16(n)) + 18
}

func matchCode(n uint16) uint8 {
	if n < 128 {
		return matchCodes[n]
	}
	return uint8(bits.Len16(n)) + 35
}

func offCode(off uint32) uint8 { return uint8(bits.Len32(off)) - 1 }

// sequences appends the sequences section.
func (e *Encoder) sequences(dst []byte) []byte {
	n := e.nseqs
	switch {
	case n == 0:
		return append(dst, 0)
	case n < 128:
		dst = append(dst, byte(n))
	default: // below 0x7F00
		dst = append(dst, byte(n>>8)+128, byte(n))
	}
	e.countCodes()
	modes := len(dst)
	dst = append(dst, 0)
	ll, llMode, dst := e.ll.choose(dst, n)
	of, ofMode, dst := e.of.choose(dst, n)
	ml, mlMode, dst := e.ml.choose(dst, n)
	dst[modes] = llMode<<6 | ofMode<<4 | mlMode<<2
	return e.stream(dst, ll, of, ml)
}

func (e *Encoder) countCodes() {
	clear(e.ll.count[:])
	clear(e.of.count[:])
	clear(e.ml.count[:])
	for i := range e.seqs[:e.nseqs] {
		q := &e.seqs[i]
		e.ll.count[litCode(q.lit)&63]++
		e.of.count[offCode(q.off)&63]++
		e.ml.count[matchCode(q.match)&63]++
	}
}

const maxSeqBytes = 12 // 26 bits of states, 46 of values, and what was left of the byte before

// stream appends the sequences, last to first.
func (e *Encoder) stream(dst []byte, ll, of, ml *table) []byte {
	seqs := e.seqs[:e.nseqs]
	q := seqs[len(seqs)-1]
	lc, oc, mc := litCode(q.lit), offCode(q.off), matchCode(q.match)
	s := flow{at: uint(len(dst)), ll: ll.first(lc), of: of.first(oc), ml: ml.first(mc)}
	s.acc, s.n = extra(q, lc, oc, mc)
	buf := grow(dst, len(seqs)*maxSeqBytes+16)
	s.put(buf)
	s.code(buf, seqs[:len(seqs)-1], ll, of, ml)
	w := bitWriter{buf[:s.at], s.acc, s.n}
	w.add(uint64(s.ml)&(1<<ml.log-1), ml.log)
	w.add(uint64(s.of)&(1<<of.log-1), of.log)
	w.add(uint64(s.ll)&(1<<ll.log-1), ll.log)
	w.flush()
	return w.close()
}

// flow is how far a stream of sequences has come.
type flow struct {
	at         uint   // where in the buffer the next byte goes
	acc        uint64 // bits that are not there yet …
	n          uint   // … and how many: below 8 between sequences
	ll, of, ml uint32 // states
}

// put moves whole bytes to the buffer.
func (s *flow) put(buf []byte) {
	binary.LittleEndian.PutUint64(buf[s.at:s.at+8], s.acc)
	s.at += s.n >> 3
	s.acc >>= s.n &^ 7 & 63
	s.n &= 7
}

// codePlain codes sequences, last to first. The buffer has room.
func (s *flow) codePlain(buf []byte, seqs []sequence, ll, of, ml *table) {
	at, acc, n := s.at, s.acc, s.n
	ls, os, ms := s.ll, s.of, s.ml
	for i := len(seqs) - 1; i >= 0; i-- {
		q := seqs[i]
		lc, oc, mc := litCode(q.lit), offCode(q.off), matchCode(q.match)
		v, k, next := of.step(os, oc)
		acc |= v << (n & 63)
		n += k
		os = next
		v, k, next = ml.step(ms, mc)
		acc |= v << (n & 63)
		n += k
		ms = next
		v, k, next = ll.step(ls, lc)
		acc |= v << (n & 63)
		n += k
		ls = next
		v, k = extra(q, lc, oc, mc)
		if n+k > 63 {
			binary.LittleEndian.PutUint64(buf[at:at+8], acc)
			at += n >> 3
			acc >>= n &^ 7 & 63
			n &= 7
		}
		acc |= v << (n & 63)
		n += k
		binary.LittleEndian.PutUint64(buf[at:at+8], acc)
		at += n >> 3
		acc >>= n &^ 7 & 63
		n &= 7
	}
	*s = flow{at, acc, n, ls, os, ms}
}

// extra gives the bits of a sequence that follow its codes: at most 46.
func extra(q sequence, lc, oc, mc uint8) (v uint64, n uint) {
	lb, mb, ob := uint(litBits[lc&63]), uint(matchBits[mc&63]), uint(oc)
	v = uint64(q.lit) & (1<<(lb&63) - 1)
	v |= uint64(q.match) & (1<<(mb&63) - 1) << (lb & 63)
	v |= uint64(q.off) & (1<<(ob&63) - 1) << ((lb + mb) & 63)
	return v, lb + mb + ob
}

// grow gives dst with n more bytes.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst[:len(dst)+n]
	}
	return append(dst, make([]byte, n)...)
}
