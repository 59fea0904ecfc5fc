package restore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"

	"vitrine/index"
)

const (
	// sheet is how many bytes, in the order of writing, one hash stands for.
	sheet = 64 << 20
	// maxRanges bounds the differences that an error names.
	maxRanges = 64
)

// seed is that of all sums, which live as long as the process.
var seed = maphash.MakeSeed()

// ledger holds sums over the bytes that were to be written, one for a sheet:
// proving needs no memory to speak of and no second look at the image. What
// came from the image was proved by its BLAKE3 hashes; between that and the
// medium stands chance alone, for which 64 bits under a seed of this run do.
type ledger struct {
	sums []uint64
	h    maphash.Hash
	n    int
}

// add enters a piece and reports whether it filled a sheet. Pieces are at most
// as long as a sheet and never split over two.
func (l *ledger) add(q *piece) bool {
	if l.n == 0 {
		l.h.SetSeed(seed)
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], q.sum)
	l.h.Write(b[:])
	l.n += q.n
	if l.n >= sheet {
		l.close()
		return true
	}
	return false
}

// close ends the sheet at hand.
func (l *ledger) close() {
	if l.n > 0 {
		l.sums = append(l.sums, l.h.Sum64())
		l.n = 0
	}
}

// proof reads the target in the order in which it was written.
type proof struct {
	*run
	sums  ledger
	sheet []span // pieces of the sheet at hand
	bad   []index.Range
	more  bool
}

// prove compares what the medium holds with the ledger.
func (r *run) prove() error {
	if err := r.listUnreadable(); err != nil {
		return err
	}
	if r.opts.SkipProof {
		return nil
	}
	p := &proof{run: r}
	for _, s := range r.stages {
		if err := r.flow(p.read, p.check).run(r.ctx, s.spans); err != nil {
			return err
		}
	}
	if err := p.compareLast(); err != nil {
		return err
	}
	if len(p.bad) > 0 {
		return &DifferError{r.Now.Path, sortRanges(p.bad), p.more}
	}
	return nil
}

// read reads a piece from the medium. What cannot be read differs.
func (p *proof) read(_ context.Context, q *piece) {
	n, err := p.target.ReadAt(q.buf, p.Off+q.off)
	if n < q.n {
		clear(q.buf[n:])
		if err != nil && !errors.Is(err, io.EOF) {
			q.bad = append(q.bad, Damage{index.Range{Off: p.Off + q.off + int64(n), Len: int64(q.n - n)}, err})
		}
	}
	q.sum = maphash.Bytes(seed, q.buf)
}

// check enters a piece into the second ledger and compares it when a sheet is
// full.
func (p *proof) check(ctx context.Context, q *piece) error {
	for _, d := range q.bad {
		p.differs(d.Range)
	}
	p.sheet = append(p.sheet, span{q.off, q.off + int64(q.n)})
	if p.sums.add(q) {
		if err := p.compare(ctx); err != nil {
			return err
		}
	}
	p.tell(int64(q.n), p.Off+q.off)
	return nil
}

func (p *proof) compareLast() error {
	p.sums.close()
	if len(p.sheet) == 0 {
		return nil
	}
	return p.compare(p.ctx)
}

// compare looks at the last sheet; when it is not as written, it finds out
// where.
func (p *proof) compare(ctx context.Context) error {
	last := len(p.sums.sums) - 1
	pieces := p.sheet
	p.sheet = p.sheet[:0]
	if last < len(p.run.sums.sums) && p.sums.sums[last] == p.run.sums.sums[last] {
		for _, s := range pieces {
			p.report.Proven += s.len()
		}
		return nil
	}
	before := len(p.bad)
	for _, s := range pieces {
		if err := p.locate(ctx, s); err != nil {
			return err
		}
	}
	if len(p.bad) == before && !p.more { // it reads back differently each time
		p.differs(index.Range{Off: p.Off + pieces[0].off, Len: pieces[0].len()})
	}
	return nil
}

// locate compares a piece of the target with the image, block by block.
func (p *proof) locate(ctx context.Context, s span) error {
	want, got := make([]byte, block), make([]byte, block)
	for at := s.off; at < s.end && !p.more; at += block {
		n := min(block, s.end-at)
		if err := p.expected(ctx, want[:n], at); err != nil {
			return err
		}
		m, _ := p.target.ReadAt(got[:n], p.Off+at)
		if int64(m) == n && bytes.Equal(want[:n], got[:n]) {
			p.report.Proven += n
			continue
		}
		p.differs(index.Range{Off: p.Off + at, Len: n})
	}
	return nil
}

// expected is what was written at off.
func (p *proof) expected(ctx context.Context, b []byte, off int64) error {
	var kind index.Kind
	err := p.content.extents(ctx, span{off, off + int64(len(b))}, func(e Extent) bool {
		kind = e.Kind
		return false
	})
	if err != nil {
		return err
	}
	if kind != index.Data {
		clear(b)
		return nil
	}
	if err := p.content.read(ctx, b, off); err != nil {
		if !p.opts.SkipDamaged {
			return err
		}
		clear(b)
	}
	return nil
}

func (p *proof) differs(r index.Range) {
	if len(p.bad) >= maxRanges {
		p.more = true
		return
	}
	p.bad = append(p.bad, r)
}
