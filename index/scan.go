package index

import (
	"errors"
	"io"
)

// ScanVisitor receives what a scan finds, in file order. Nil functions are not
// called. An error ends the scan.
type ScanVisitor struct {
	// Plan is what the capture set out to take. Streams have ID and Size.
	Plan func(m *Meta, streams []StreamRoot) error
	// Segment is a segment whose head is proved. bad lists slots whose stored
	// bytes do not match their checksum, or lie behind the end of the file: of
	// the last segment of a file that was cut off, p says the length it had.
	Segment func(p SegmentPtr, s *Segment, bad []int) error
	// Leaf is a finished leaf of the map, see ExpandLeaf.
	Leaf func(stream uint16, leaf uint64, pg *Page) error
	// Damaged is a place where a record was expected and none, or a broken one,
	// was found; the scan goes on behind it. It is called once per gap, before
	// what follows it is reported.
	Damaged func(addr, n int64) error
	// Progress is called with the address reached.
	Progress func(addr int64) error
}

// Lender shows bytes that it holds instead of copying them.
type Lender interface {
	// Lend gives n bytes from off, which stay as they are until the next call.
	// Errors are those of io.ReaderAt.
	Lend(n int, off int64) ([]byte, error)
}

// Scan walks the records of a member from the front, without its index: for
// members that are unfinished or whose index is damaged, and to prove every
// stored byte. r is the member's address space (all parts joined, further
// headers left out), size its length. Scan stops at the tail of a finished
// member, whose address is end; pass size when there is none. If r is a
// [Lender] the records are not copied.
func Scan(r io.ReaderAt, size, end int64, h *Header, v ScanVisitor) error {
	s := &scanner{r: r, size: min(size, end), h: h, v: v, gap: -1}
	for at := int64(HeaderSize); at+PreambleSize <= s.size; {
		n, err := s.record(at)
		if err != nil {
			return err
		}
		if n == 0 {
			s.miss(at)
			n = Align
		}
		at += n
		if v.Progress != nil {
			if err := v.Progress(min(at, s.size)); err != nil {
				return err
			}
		}
	}
	return s.closeGap(s.size)
}

type scanner struct {
	r    io.ReaderAt
	size int64
	h    *Header
	v    ScanVisitor
	at   int64 // the record at hand
	gap  int64 // where the open gap begins; -1: none
	buf  []byte
}

func (s *scanner) miss(at int64) {
	if s.gap < 0 {
		s.gap = at
	}
}

func (s *scanner) closeGap(at int64) error {
	from := s.gap
	s.gap = -1
	if from < 0 || s.v.Damaged == nil {
		return nil
	}
	return s.v.Damaged(from, at-from)
}

// record handles the record at addr and gives its padded length; 0: there is
// none that can be trusted.
func (s *scanner) record(at int64) (int64, error) {
	s.at = at
	var b [PreambleSize]byte
	if err := readFull(s.r, b[:], at); err != nil {
		return 0, ignoreShort(err)
	}
	p, err := decodePreamble(b[:], at)
	if err != nil || p.Set != s.h.Set || p.UIDHalf != [8]byte(s.h.UID[:8]) || PreambleSize+int64(p.TableLen) > s.size-at {
		return 0, nil
	}
	if p.size() > s.size-at && p.Type != recSegment {
		return 0, nil
	}
	padded := int(min(alignUp(p.size()), s.size-at))
	all, err := s.bytes(padded, at)
	if err != nil {
		return 0, ignoreShort(err)
	}
	n := min(p.size(), s.size-at)
	ok, err := s.dispatch(p, all[:n])
	if err != nil || !ok {
		return 0, err
	}
	if err := s.closeGap(at); err != nil {
		return 0, err
	}
	if !allZero(all[n:]) {
		s.miss(at + p.size())
	}
	return alignUp(p.size()), nil
}

// bytes gives n bytes from at, good until the next call.
func (s *scanner) bytes(n int, at int64) ([]byte, error) {
	if l, ok := s.r.(Lender); ok {
		return l.Lend(n, at)
	}
	if cap(s.buf) < n {
		s.buf = make([]byte, n)
	}
	return s.buf[:n], readFull(s.r, s.buf[:n], at)
}

// ignoreShort turns a file that ends into "no record"; other errors are real.
func ignoreShort(err error) error {
	if errors.Is(err, ErrUnfinished) {
		return nil
	}
	return err
}

// dispatch proves and reports one record.
func (s *scanner) dispatch(p *preamble, b []byte) (ok bool, err error) {
	head := b[:PreambleSize+p.TableLen]
	table, body := head[PreambleSize:], b[len(head):]
	if ctxTable.sum(table) != p.Table {
		return false, nil
	}
	whole := len(body) == int(p.BodyLen) && CRC(body) == p.BodyCRC
	switch p.Type {
	case recPlan:
		return whole && s.plan(table, body, &err), err
	case recSegment:
		return s.segment(p, head, body, whole, &err), err
	case recCheckpoint:
		return whole && s.checkpoint(table, body, &err), err
	}
	return true, nil // a kind of later versions
}

func (s *scanner) plan(table, body []byte, err *error) bool {
	doc := decodePlan(table, body)
	if doc == nil {
		return false
	}
	var streams []StreamRoot
	for _, st := range doc.Streams {
		r := StreamRoot{ID: st.ID, Size: st.Size}
		if st.Size < 0 || r.Blocks() > MaxBlocks {
			return false
		}
		streams = append(streams, r)
	}
	if *err = s.closeGap(s.at); *err == nil && s.v.Plan != nil {
		*err = s.v.Plan(doc.Meta, streams)
	}
	return true
}

// decodePlan decodes a plan; nil: it is damaged.
func decodePlan(table, body []byte) *planDoc {
	f, doc := fields{b: table}, planDoc{}
	plain := f.u32()
	if f.bad || plain > MaxMeta || unpackJSON(body, int(plain), &doc) != nil || doc.Meta == nil || len(doc.Streams) > MaxStreams {
		return nil
	}
	return &doc
}

func (s *scanner) segment(p *preamble, head, body []byte, whole bool, err *error) bool {
	seg, e := p.segment(head[PreambleSize:])
	if e != nil {
		return false
	}
	var bad []int
	for i := range seg.Slots {
		at := seg.starts[i] - p.Addr - int64(len(head))
		if !whole && !soundSlot(body, at, &seg.Slots[i]) {
			bad = append(bad, i)
		}
	}
	if *err = s.closeGap(s.at); *err == nil && s.v.Segment != nil {
		ptr := SegmentPtr{p.Addr, uint32(len(head)), uint32(p.size()), ctxSegment.sum(head)}
		*err = s.v.Segment(ptr, seg, bad)
	}
	return true
}

// soundSlot tells whether a slot's bytes, at at in the body, are all there.
func soundSlot(body []byte, at int64, sl *Slot) bool {
	return at <= int64(len(body)) && int64(sl.Len) <= int64(len(body))-at && CRC(body[at:][:sl.Len]) == sl.CRC
}

func (s *scanner) checkpoint(table, body []byte, err *error) bool {
	if *err = s.closeGap(s.at); *err != nil {
		return true
	}
	f := fields{b: table}
	for len(f.b) > 0 {
		tag, _, n, key := f.u16(), f.u16(), f.u32(), f.u64()
		if f.bad || n > MaxPage || int(n) > len(body) {
			return false
		}
		page := body[:n]
		body = body[n:]
		if tag == tagDirectory || s.v.Leaf == nil {
			continue
		}
		pg, e := holePage, error(nil)
		if n > 0 {
			pg, e = decodePage(page, -1)
		}
		if e != nil || (pg.kind != pageLeaf && pg.kind != pagePatch) {
			return false
		}
		if *err = s.v.Leaf(tag, key, pg); *err != nil {
			return true
		}
	}
	return len(body) == 0
}

// holePage is the leaf that stands for a length of 0: all holes.
var holePage = &Page{kind: pageLeaf, runs: []leafRun{{n: LeafBlocks, kind: uint8(Hole)}}}

// ExpandLeaf fills refs with what a leaf page says; pages gives the full leaf
// that a patch lies on.
func ExpandLeaf(pg *Page, pages Pages, refs *[LeafBlocks]Ref) error {
	*refs = [LeafBlocks]Ref{}
	return (&Map{pages: pages}).expand(pg, refs)
}
