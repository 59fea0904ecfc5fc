package reader

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"vitrine/index"
)

// contents reads every file of the chain from front to back: every record is
// compared with its checksum, every chunk that the point consists of is
// expanded and proved.
func (v *verifier) contents() error {
	total, done := int64(0), int64(0)
	for i := range v.p.members {
		total += v.p.members[i].Length
	}
	pr := newProver(v)
	defer pr.stop()
	for i := range v.p.members {
		m := &v.p.members[i]
		if v.r.Members[i].Path != "" {
			if err := v.scan(pr, i, func(addr int64) { v.progress("contents", done+addr, total, v.r.Members[i].Path) }); err != nil {
				return err
			}
		}
		done += m.Length
		v.progress("contents", done, total, v.r.Members[i].Path)
	}
	return v.ctx.Err()
}

// scan proves one member.
func (v *verifier) scan(pr *prover, nth int, progress func(int64)) error {
	m := &v.p.members[nth]
	h := v.r.Members[nth].Header
	sp := newSpool(v, m, pr)
	var gaps []interval
	defer sp.done()
	err := index.Scan(sp, m.Length, m.Length, &h, index.ScanVisitor{
		Segment: func(p index.SegmentPtr, s *index.Segment, bad []int) error {
			pr.add(job{nth: nth, m: m, seg: s, ptr: p, held: sp.take(p), need: v.need(nth, m, p, s, bad)})
			return nil
		},
		Damaged: func(addr, n int64) error {
			gaps = append(gaps, interval{addr, addr + n})
			return nil
		},
		Progress: func(addr int64) error {
			progress(addr)
			return v.ctx.Err()
		},
	})
	if err != nil {
		return err
	}
	v.rest(pr, nth, m)
	pr.wait()
	v.r.Plain = pr.plain.Load()
	v.gaps(nth, m, gaps)
	return nil
}

// need gives the slots of a segment found in a file that the point needs, and
// forgets them. Those with a wrong checksum are damage here and now.
func (v *verifier) need(nth int, m *member, p index.SegmentPtr, s *index.Segment, bad []int) uint64 {
	mask := v.reach[nth].mask(s.Number)
	want, err := index.FindSegment(m.Dir, s.Number, v.p)
	if err != nil || want != p {
		mask = 0 // another segment with the same number: rest looks for the right one
	} else {
		v.reach[nth].clear(s.Number)
	}
	for _, i := range bad {
		addr, sl, _ := s.Chunk(i)
		if mask>>i&1 == 0 && m.Root == (index.Hash{}) && addr+int64(sl.Len) > m.Length {
			continue // the capture was cut off before it was written
		}
		d := v.at(m, addr, errCRC)
		d.Stream, d.Block = int(sl.Stream), int64(sl.Block)
		v.chunkBad(nth, uint64(s.Number)*index.SegmentChunks+uint64(i), d, mask>>i&1 == 1)
		mask &^= 1 << i
	}
	return mask
}

// at makes a DamageError for an address of a member.
func (v *verifier) at(m *member, addr int64, err error) *DamageError {
	d := &DamageError{m.path(), addr, m.Number, -1, -1, err}
	if p, ok := m.where(addr); ok {
		d.Path, d.Off = p.path, addr+p.shift
	}
	return d
}

func (m *member) path() string {
	if len(m.parts) > 0 {
		return m.parts[0].path
	}
	return fmt.Sprintf("member %d", m.Number)
}

func (v *verifier) chunkBad(nth int, chunk uint64, d *DamageError, needed bool) {
	switch {
	case !needed:
		v.other(d)
	case !v.remember(badKey{nth, chunk}, d):
		v.damage(d)
	}
}

// remember enters a damaged chunk, if there is room.
func (v *verifier) remember(key badKey, d *DamageError) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.bad) >= maxBad {
		return false
	}
	v.bad[key] = d
	return true
}

// maxBad bounds the damaged chunks that are traced to the blocks they hold;
// more of them are listed as they are.
const maxBad = 1 << 16

// rest proves the needed segments that the scan did not come across.
func (v *verifier) rest(pr *prover, nth int, m *member) {
	for seg, mask := range v.reach[nth].all() {
		pr.add(job{nth: nth, m: m, number: seg, need: mask})
	}
}

// gaps lists the places of a file that are neither records nor index. What no
// file holds is in the list of members.
func (v *verifier) gaps(nth int, m *member, gaps []interval) {
	tail, pages := v.tail(m), v.pages[m.Number]
	slices.SortFunc(pages, func(a, b interval) int { return cmp.Compare(a.off, b.off) })
	for _, whole := range gaps {
		for _, g := range uncovered(whole, m.absent()) {
			v.gap(nth, m, g, tail, pages)
		}
	}
}

func (v *verifier) gap(nth int, m *member, g interval, tail int64, pages []interval) {
	if g.end == m.Length {
		if m.Root == (index.Hash{}) || (nth < len(v.p.members)-1 && v.superseded(m, g.off, tail)) {
			return // unfinished, or index pages that only its own point needs
		}
		g.end = tail
	}
	for _, hole := range uncovered(g, pages) {
		if !v.padding(m, hole) {
			v.other(v.at(m, hole.off, fmt.Errorf("%s no sound record and no page of the index (%w)", are(hole.end-hole.off, "byte"), index.ErrCorrupt)))
		}
	}
}

// absent gives the addresses that no file holds, in order.
func (m *member) absent() (list []interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := int64(0)
	for _, p := range m.parts {
		if p.start > at {
			list = append(list, interval{at, p.start})
		}
		at = max(at, p.end)
	}
	return append(list, interval{at, m.Length})
}

// padding says whether a hole is zeros up to the next multiple of Align.
func (v *verifier) padding(m *member, hole interval) bool {
	if hole.end-hole.off >= index.Align || hole.end%index.Align != 0 {
		return false
	}
	b := make([]byte, hole.end-hole.off)
	_, err := v.p.find.read(m, b, hole.off)
	return err == nil && bytes.Count(b, []byte{0}) == len(b)
}

// superseded says whether index pages begin at addr, behind the last record
// and its padding: they begin with their kind, 3 to 5, unlike a record.
func (v *verifier) superseded(m *member, addr, tail int64) bool {
	var b [1]byte
	if p, ok := m.where(addr); addr == tail || !ok || (addr%index.Align != 0 && addr != p.start) {
		return addr == tail
	}
	_, err := v.p.find.read(m, b[:], addr)
	return err == nil && b[0] >= 3 && b[0] <= 5
}

// tail proves both copies of the objects at the end of a member and gives the
// address where they begin.
func (v *verifier) tail(m *member) int64 {
	start := m.Length
	if m.Root == (index.Hash{}) || len(m.parts) == 0 || m.parts[len(m.parts)-1].end != m.Length {
		return start
	}
	last := m.parts[len(m.parts)-1]
	err := v.p.pool.files.use(last.path, func(f file) error {
		size, err := f.Size()
		if err != nil {
			return err
		}
		s, damaged, err := index.CheckTail(f, size)
		if err != nil {
			return err
		}
		start = s
		for _, d := range damaged {
			v.other(&DamageError{last.path, errorOffset(d) + last.shift, m.Number, -1, -1, d})
		}
		return nil
	})
	if err != nil {
		v.note(&DamageError{last.path, m.Length + last.shift, m.Number, -1, -1, err})
	}
	return start
}

// errorOffset is the address that an error of package index is about.
func errorOffset(err error) int64 {
	if e, ok := errors.AsType[*index.FormatError](err); ok {
		return max(e.Off, 0)
	}
	return 0
}

// uncovered gives the parts of whole that no interval of a sorted list covers.
func uncovered(whole interval, list []interval) (holes []interval) {
	at := whole.off
	for _, i := range list {
		if i.end <= at || i.off >= whole.end {
			continue
		}
		if i.off > at {
			holes = append(holes, interval{at, i.off})
		}
		at = max(at, i.end)
	}
	if at < whole.end {
		holes = append(holes, interval{at, whole.end})
	}
	return holes
}

// sample proves some of the chunks, chosen by chance, in file order.
func (v *verifier) sample() error {
	rnd := rand.New(rand.NewPCG(v.o.Seed, 0))
	total := v.choose(rnd)
	pr := newProver(v)
	defer pr.stop()
	for i := range v.p.members {
		m := &v.p.members[i]
		for seg, mask := range v.reach[i].all() {
			if v.ctx.Err() != nil {
				return v.ctx.Err()
			}
			pr.add(job{nth: i, m: m, number: seg, need: mask})
			v.progress("contents", min(pr.plain.Load(), total), total, m.path())
		}
	}
	pr.wait()
	v.r.Plain = pr.plain.Load()
	v.progress("contents", total, total, v.p.path)
	return nil
}

// choose thins out what is to be proved and gives its bytes.
func (v *verifier) choose(rnd *rand.Rand) (total int64) {
	for i := range v.reach {
		for _, leaf := range v.reach[i].leaves {
			for s, mask := range leaf {
				for rest := mask; rest != 0; rest &= rest - 1 {
					if rnd.Float64()*100 >= v.o.Percent {
						mask &^= rest & -rest
					}
				}
				leaf[s] = mask
				total += int64(bits.OnesCount64(mask)) * index.BlockSize
			}
		}
	}
	return total
}

// job is a segment of which some chunks are to be proved. Without seg and held
// bytes they are read by number.
type job struct {
	nth    int
	m      *member
	number uint32
	seg    *index.Segment
	ptr    index.SegmentPtr
	held   held
	need   uint64
}

// prover expands and proves chunks in parallel.
type prover struct {
	v       *verifier
	jobs    chan job
	free    chan []byte // buffers of a segment each, empty until used; their number bounds memory
	workers sync.WaitGroup
	open    sync.WaitGroup // jobs not done
	plain   atomic.Int64
}

func newProver(v *verifier) *prover {
	n := v.o.Workers
	pr := &prover{v: v, jobs: make(chan job, n), free: make(chan []byte, n+2+heldAhead)}
	for range cap(pr.free) {
		pr.free <- []byte{}
	}
	for range n {
		pr.workers.Go(pr.work)
	}
	return pr
}

// put takes a buffer back.
func (pr *prover) put(h held) {
	if h.raw != nil {
		pr.free <- h.raw
	}
}

func (pr *prover) add(j job) {
	if j.need == 0 {
		pr.put(j.held)
		return
	}
	pr.open.Add(1)
	pr.jobs <- j
}

func (pr *prover) wait() { pr.open.Wait() }

func (pr *prover) stop() {
	close(pr.jobs)
	pr.workers.Wait()
}

func (pr *prover) work() {
	dst := make([]byte, bufferSize)
	one := make([]byte, index.MaxStored)
	for j := range pr.jobs {
		pr.do(j, dst, one)
		pr.put(j.held)
		pr.open.Done()
	}
}

func (pr *prover) do(j job, dst, one []byte) {
	var err error
	if j.seg == nil {
		if j.seg, err = pr.v.p.segment(j.m, uint64(j.number)); err != nil {
			pr.failed(j, j.need, place{}, err)
			return
		}
	}
	for rest := j.need; rest != 0 && pr.v.ctx.Err() == nil; rest &= rest - 1 {
		slot := bits.TrailingZeros64(rest)
		addr, sl, err := j.seg.Chunk(slot)
		var at place
		if err == nil {
			at, err = pr.chunk(j, addr, &sl, dst, one)
		}
		if err != nil {
			pr.failed(j, 1<<slot, at, err)
			continue
		}
		pr.plain.Add(index.BlockSize)
	}
}

// chunk proves one chunk, out of the body, of which the scan compared the
// checksums, or out of the file.
func (pr *prover) chunk(j job, addr int64, sl *index.Slot, dst, one []byte) (at place, err error) {
	if j.held.body != nil {
		stored := j.held.body[addr-j.ptr.Off:][:sl.Len]
		if err = pr.v.p.pool.prove(dst, sl, stored); err != nil {
			p, _ := j.m.where(addr)
			at = place{p.path, addr + p.shift}
		}
		return at, err
	}
	at, err = pr.v.p.find.read(j.m, one[:sl.Len], addr)
	if err == nil {
		err = pr.v.p.pool.decode(dst, sl, one[:sl.Len])
	}
	return at, err
}

// failed enters slots of a segment as damaged.
func (pr *prover) failed(j job, slots uint64, at place, err error) {
	if err = pr.v.p.damage(j.m, at, err); errors.Is(err, ErrMissing) {
		return // in the list of members
	}
	d, ok := errors.AsType[*DamageError](err)
	if !ok {
		d = &DamageError{j.m.path(), 0, j.m.Number, -1, -1, err}
	}
	number := j.number
	if j.seg != nil {
		number = j.seg.Number
	}
	for ; slots != 0; slots &= slots - 1 {
		pr.v.chunkBad(j.nth, uint64(number)*index.SegmentChunks+uint64(bits.TrailingZeros64(slots)), d, true)
	}
}
