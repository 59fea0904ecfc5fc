package index

import "sort"

// Map looks blocks of one stream up. It holds nothing but the root; pages come
// from Pages. Safe for parallel use if Pages is.
type Map struct {
	s     StreamRoot
	pages Pages
}

// NewMap is the map of stream s.
func NewMap(s StreamRoot, pages Pages) *Map { return &Map{s, pages} }

// maxLevels: 64^5 leaves of 64 MiB are 2^56 bytes.
const maxLevels = 5

// levelsFor is the number of inner levels that a stream of n leaves needs.
func levelsFor(leaves uint64) (l uint8) {
	for span := uint64(1); span < leaves; span *= FanOut {
		l++
	}
	return l
}

// Leaves is the number of leaves that cover the stream.
func (s *StreamRoot) Leaves() uint64 { return (s.Blocks() + LeafBlocks - 1) / LeafBlocks }

// find descends to the leaf page that covers leaf number leaf. Where nothing is
// recorded it gives a nil page and the number of leaves from there on that
// nothing is recorded of either.
func (m *Map) find(leaf uint64) (pg *Page, empty uint64, err error) {
	p := m.s.Root
	for l := int(m.s.Levels); ; l-- {
		span := uint64(1) << (6 * l) // leaves below a page of this level
		if p.Len == 0 {
			return nil, span - leaf%span, nil
		}
		if pg, err = m.pages.Page(p); err != nil {
			return nil, 0, err
		}
		if l == 0 {
			break
		}
		if pg.kind != pageInner {
			return nil, 0, corrupt("index page", p.Off, "an inner page was expected")
		}
		p = pg.child(int(leaf >> (6 * (l - 1)) % FanOut))
	}
	if pg.kind != pageLeaf && pg.kind != pagePatch {
		return nil, 0, corrupt("index page", p.Off, "a leaf was expected")
	}
	return pg, 0, nil
}

// base gives the full leaf under a patch.
func (m *Map) base(pg *Page) (*Page, error) {
	b, err := m.pages.Page(pg.base)
	if err == nil && b.kind != pageLeaf {
		err = corrupt("index page", pg.base.Off, "a patch does not lie on a full leaf")
	}
	return b, err
}

// Leaf fills refs with the blocks of leaf i: block i*LeafBlocks and on. Blocks
// of which nothing is recorded are holes.
func (m *Map) Leaf(i uint64, refs *[LeafBlocks]Ref) error {
	pg, _, err := m.find(i)
	if pg == nil || err != nil {
		*refs = [LeafBlocks]Ref{}
		return err
	}
	return m.expand(pg, refs)
}

func (m *Map) expand(pg *Page, refs *[LeafBlocks]Ref) error {
	if pg.kind == pagePatch {
		base, err := m.base(pg)
		if err != nil {
			return err
		}
		base.fill(refs)
	}
	pg.fill(refs)
	return nil
}

func (p *Page) fill(refs *[LeafBlocks]Ref) {
	for _, r := range p.runs {
		if r.kind == runKeep {
			continue
		}
		for k := range refs[r.start : r.start+r.n] {
			refs[int(r.start)+k] = r.at(k)
		}
	}
}

// at is the ref of the run's k-th block.
func (r *leafRun) at(k int) Ref {
	if Kind(r.kind) != Data {
		return Ref{Kind: Kind(r.kind)}
	}
	return Ref{Data, r.member, r.chunk + uint64(k)}
}

func (p *Page) run(i uint16) *leafRun {
	k := sort.Search(len(p.runs), func(k int) bool { return p.runs[k].start > i })
	return &p.runs[k-1]
}

// Lookup finds block. run is the number of blocks, at least one, from it on
// that share its kind (and, for Data, lie in consecutive chunks of one member),
// as far as one page tells; it does not reach past the stream's last block.
func (m *Map) Lookup(block uint64) (ref Ref, run uint64, err error) {
	blocks := m.s.Blocks()
	if block >= blocks {
		return Ref{}, 0, corrupt("index", -1, "block %d is past the stream's %d blocks", block, blocks)
	}
	leaf, in := block/LeafBlocks, uint16(block%LeafBlocks)
	pg, empty, err := m.find(leaf)
	if err != nil {
		return Ref{}, 0, err
	}
	if pg == nil {
		return Ref{}, min(empty*LeafBlocks-uint64(in), blocks-block), nil
	}
	r := pg.run(in)
	end := r.start + r.n
	if r.kind == runKeep {
		base, err := m.base(pg)
		if err != nil {
			return Ref{}, 0, err
		}
		r = base.run(in)
		end = min(end, r.start+r.n)
	}
	return r.at(int(in - r.start)), min(uint64(end-in), blocks-block), nil
}

// FindSegment looks segment number seg up in the directory below dir.
func FindSegment(dir PagePtr, seg uint32, pages Pages) (SegmentPtr, error) {
	for range maxLevels {
		if dir.Len == 0 {
			break
		}
		pg, err := pages.Page(dir)
		if err != nil {
			return SegmentPtr{}, err
		}
		if pg.kind == pageDirLeaf {
			return pg.segment(seg, dir.Off)
		}
		if pg.kind != pageDirInner {
			return SegmentPtr{}, corrupt("index page", dir.Off, "a directory page was expected")
		}
		k := sort.Search(len(pg.first), func(k int) bool { return pg.first[k] > seg })
		if k == 0 {
			break
		}
		dir = pg.kids[k-1]
	}
	return SegmentPtr{}, corrupt("segment directory", dir.Off, "it does not list segment %d", seg)
}

func (p *Page) segment(seg uint32, off int64) (SegmentPtr, error) {
	if seg < p.first[0] || seg-p.first[0] >= uint32(len(p.segs)) {
		return SegmentPtr{}, corrupt("segment directory", off, "it does not list segment %d", seg)
	}
	return p.segs[seg-p.first[0]], nil
}

// Segments visits every segment below a directory root, in order. It fails on
// a directory that repeats or skips segments.
func Segments(dir PagePtr, pages Pages, visit func(seg uint32, p SegmentPtr) error) error {
	next := uint32(0)
	var walk func(p PagePtr, depth int) error
	walk = func(p PagePtr, depth int) error {
		pg, err := pages.Page(p)
		if err != nil {
			return err
		}
		switch {
		case pg.kind == pageDirInner && depth < maxLevels:
			for _, kid := range pg.kids {
				if err := walk(kid, depth+1); err != nil {
					return err
				}
			}
			return nil
		case pg.kind != pageDirLeaf || pg.first[0] != next:
			return corrupt("segment directory", p.Off, "segment %d was expected", next)
		}
		for _, s := range pg.segs {
			if err := visit(next, s); err != nil {
				return err
			}
			next++
		}
		return nil
	}
	if dir.Len == 0 {
		return nil
	}
	return walk(dir, 0)
}
