package index

import (
	"encoding/binary"
	"math/bits"
)

// Kinds of pages, their first byte. docs/FORMAT.md, section 6.
const (
	pageLeaf     = 1 // runs of LeafBlocks blocks
	pagePatch    = 2 // runs that differ from one full leaf
	pageInner    = 3 // up to FanOut children
	pageDirLeaf  = 4 // pointers to segments
	pageDirInner = 5 // pointers to directory pages
)

// runKeep is the kind of a patch's run that leaves the base as it is.
const runKeep = 7

// Pages gives decoded pages by their pointers; callers put a cache behind it.
// Pages are proved by the hash in the pointer.
type Pages interface {
	Page(p PagePtr) (*Page, error)
}

// Page is one decoded page of the map or the directory. It is immutable.
type Page struct {
	kind  byte
	runs  []leafRun    // leaf, patch: ascending, gap-free, covering LeafBlocks
	base  PagePtr      // patch
	mask  uint64       // inner: which children are there
	kids  []PagePtr    // inner: those children; directory inner: pages
	first []uint32     // directory inner: first segment of each page; leaf: [0]
	segs  []SegmentPtr // directory leaf
}

// leafRun is n blocks from start with one kind; Data chunks are consecutive.
type leafRun struct {
	start, n uint16
	kind     uint8
	member   uint32
	chunk    uint64
}

// Bytes is what a cached page costs in memory, roughly.
func (p *Page) Bytes() int {
	return 160 + len(p.runs)*24 + len(p.kids)*48 + len(p.first)*4 + len(p.segs)*48
}

// DecodePage proves b against p and decodes it.
func DecodePage(b []byte, p PagePtr) (*Page, error) {
	if uint32(len(b)) != p.Len || len(b) == 0 || len(b) > MaxPage {
		return nil, corrupt("index page", p.Off, "its length is wrong")
	}
	if ctxPage.sum(b) != p.Hash {
		return nil, corrupt("index page", p.Off, "its hash does not match")
	}
	return decodePage(b, p.Off)
}

func decodePage(b []byte, off int64) (*Page, error) {
	f := &fields{b: b}
	pg := &Page{kind: f.u8()}
	ok := false
	switch pg.kind {
	case pageLeaf:
		ok = pg.decodeRuns(f)
	case pagePatch:
		pg.base = f.shortPtr()
		ok = pg.base.Len > 0 && pg.decodeRuns(f)
	case pageInner:
		ok = pg.decodeInner(f)
	case pageDirLeaf:
		ok = pg.decodeDirLeaf(f)
	case pageDirInner:
		ok = pg.decodeDirInner(f)
	}
	if !ok || f.bad || len(f.b) != 0 {
		return nil, corrupt("index page", off, "it does not decode")
	}
	return pg, nil
}

// decodeRuns reads a little dictionary of members, then the runs.
func (p *Page) decodeRuns(f *fields) bool {
	members := make([]uint32, f.limit(LeafBlocks))
	if len(members) > len(f.b) {
		return false
	}
	for i := range members {
		members[i] = uint32(f.limit(NoParent - 1))
	}
	n := f.limit(LeafBlocks)
	if n == 0 || n > uint64(len(f.b)) {
		return false
	}
	p.runs = make([]leafRun, n)
	next := make([]uint64, len(members)) // chunk expected next, per member
	at := 0
	for i := range p.runs {
		r := &p.runs[i]
		head := f.limit(LeafBlocks<<3 | 7)
		r.start, r.n, r.kind = uint16(at), uint16(head>>3)+1, uint8(head&7)
		if at += int(r.n); at > LeafBlocks {
			return false
		}
		if !p.decodeRef(f, r, members, next) {
			return false
		}
	}
	return at == LeafBlocks
}

func (p *Page) decodeRef(f *fields, r *leafRun, members []uint32, next []uint64) bool {
	switch {
	case r.kind == runKeep:
		return p.kind == pagePatch
	case Kind(r.kind) > Unreadable:
		return false
	case Kind(r.kind) != Data:
		return true
	}
	m := f.limit(LeafBlocks)
	if m >= uint64(len(members)) {
		return false
	}
	r.member, r.chunk = members[m], next[m]+uint64(f.varint())
	next[m] = r.chunk + uint64(r.n)
	return r.chunk < maxChunk
}

// maxChunk bounds chunk numbers: 2^32 segments.
const maxChunk = SegmentChunks << 32

func (p *Page) decodeInner(f *fields) bool {
	p.mask = f.u64()
	p.kids = make([]PagePtr, bits.OnesCount64(p.mask))
	for i := range p.kids {
		p.kids[i] = f.shortPtr()
		if p.kids[i].Len == 0 {
			return false
		}
	}
	return p.mask != 0
}

// child is the i-th child of an inner page; a zero Len is none.
func (p *Page) child(i int) PagePtr {
	if p.mask&(1<<i) == 0 {
		return PagePtr{}
	}
	return p.kids[bits.OnesCount64(p.mask&(1<<i-1))]
}

func (p *Page) decodeDirLeaf(f *fields) bool {
	p.first = []uint32{uint32(f.limit(1<<32 - 1))}
	n := f.limit(maxDirLeaf)
	if n == 0 || n > uint64(len(f.b)/34) {
		return false
	}
	p.segs = make([]SegmentPtr, n)
	at := int64(0)
	for i := range p.segs {
		s := &p.segs[i]
		at += int64(f.limit(maxAddress/Align)) * Align
		s.Off, s.HeadLen, s.Len = at, uint32(f.limit(MaxHead)), uint32(f.limit(1<<31))
		s.Hash = f.hash()
		if f.bad || !s.valid() {
			return false
		}
	}
	return true
}

// maxDirLeaf is the number of segments one directory leaf lists, at most.
const maxDirLeaf = 512

func (p *Page) decodeDirInner(f *fields) bool {
	n := f.limit(maxDirInner)
	if n == 0 || n > uint64(len(f.b)/36) {
		return false
	}
	p.first, p.kids = make([]uint32, n), make([]PagePtr, n)
	for i := range p.kids {
		p.first[i], p.kids[i] = uint32(f.limit(1<<32-1)), f.shortPtr()
		if p.kids[i].Len == 0 || (i > 0 && p.first[i] <= p.first[i-1]) {
			return false
		}
	}
	return true
}

// maxDirInner is the number of pages one inner directory page lists, at most.
const maxDirInner = 512

// encodeRuns writes runs behind a page's kind (and base).
func encodeRuns(b []byte, runs []leafRun) []byte {
	var members []uint32
	index := map[uint32]int{}
	for _, r := range runs {
		if _, ok := index[r.member]; !ok && Kind(r.kind) == Data {
			index[r.member] = len(members)
			members = append(members, r.member)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(members)))
	for _, m := range members {
		b = binary.AppendUvarint(b, uint64(m))
	}
	b = binary.AppendUvarint(b, uint64(len(runs)))
	next := make([]uint64, len(members))
	for _, r := range runs {
		b = binary.AppendUvarint(b, uint64(r.n-1)<<3|uint64(r.kind))
		if Kind(r.kind) == Data {
			m := index[r.member]
			b = binary.AppendUvarint(b, uint64(m))
			b = binary.AppendVarint(b, int64(r.chunk-next[m]))
			next[m] = r.chunk + uint64(r.n)
		}
	}
	return b
}

// runsOf joins a leaf's blocks to runs. keep marks blocks that a patch leaves
// to its base; nil: none.
func runsOf(refs *[LeafBlocks]Ref, keep *[LeafBlocks]bool) []leafRun {
	runs := make([]leafRun, 0, 16)
	for i := range refs {
		r := leafRun{start: uint16(i), n: 1, kind: uint8(refs[i].Kind)}
		switch {
		case keep != nil && keep[i]:
			r.kind = runKeep
		case refs[i].Kind == Data:
			r.member, r.chunk = refs[i].Member, refs[i].Chunk
		}
		if k := len(runs) - 1; k >= 0 && runs[k].joins(r) {
			runs[k].n++
		} else {
			runs = append(runs, r)
		}
	}
	return runs
}

// joins says whether o, one block, continues r.
func (r *leafRun) joins(o leafRun) bool {
	return r.kind == o.kind && (Kind(r.kind) != Data || (r.member == o.member && r.chunk+uint64(r.n) == o.chunk))
}

func encodeLeaf(runs []leafRun) []byte { return encodeRuns([]byte{pageLeaf}, runs) }

func encodePatch(base PagePtr, runs []leafRun) []byte {
	return encodeRuns(appendShortPtr([]byte{pagePatch}, base), runs)
}

func encodeInner(kids *[FanOut]PagePtr) []byte {
	var mask uint64
	b := make([]byte, 9, 9+FanOut*44)
	b[0] = pageInner
	for i, k := range kids {
		if k.Len > 0 {
			mask |= 1 << i
			b = appendShortPtr(b, k)
		}
	}
	if mask == 0 {
		return nil
	}
	le.PutUint64(b[1:], mask)
	return b
}

func encodeDirLeaf(first uint32, segs []SegmentPtr) []byte {
	b := binary.AppendUvarint([]byte{pageDirLeaf}, uint64(first))
	b = binary.AppendUvarint(b, uint64(len(segs)))
	at := int64(0)
	for _, s := range segs {
		b = binary.AppendUvarint(b, uint64(s.Off-at)/Align)
		b = binary.AppendUvarint(b, uint64(s.HeadLen))
		b = binary.AppendUvarint(b, uint64(s.Len))
		b = append(b, s.Hash[:]...)
		at = s.Off
	}
	return b
}

// dirRef is a directory page and the first segment below it.
type dirRef struct {
	first uint32
	ptr   PagePtr
}

func encodeDirInner(refs []dirRef) []byte {
	b := binary.AppendUvarint([]byte{pageDirInner}, uint64(len(refs)))
	for _, r := range refs {
		b = appendShortPtr(binary.AppendUvarint(b, uint64(r.first)), r.ptr)
	}
	return b
}
