package index

// streamMap is the map of one stream while it is built: a copy-on-write tree of
// which only touched inner pages are in memory (3.6 KB for 4 GiB of stream).
type streamMap struct {
	root StreamRoot
	old  *Map // the parent's; nil: none, or of another size
	top  *node
	leaf PagePtr // the root when there are no inner levels
}

// node is one inner page under construction.
type node struct {
	ptrs  [FanOut]PagePtr
	kids  [FanOut]*node
	dirty bool
}

func newStreamMap(s StreamRoot, parent *Parent) *streamMap {
	m := &streamMap{root: StreamRoot{ID: s.ID, Size: s.Size}}
	m.root.Levels = levelsFor(m.root.Leaves())
	if parent == nil {
		return m
	}
	for _, p := range parent.Streams {
		if p.ID == s.ID && p.Size == s.Size {
			m.old, m.root.Root, m.leaf = NewMap(p, parent.Pages), p.Root, p.Root
		}
	}
	return m
}

// encode turns a leaf into a page; nil for a leaf of holes. same: the parent's
// leaf says the same.
func (m *streamMap) encode(leaf uint64, refs *[LeafBlocks]Ref) (page []byte, same bool, err error) {
	var ptr PagePtr
	if m.old != nil {
		if ptr, err = m.old.leafPtr(leaf); err != nil {
			return nil, false, err
		}
	}
	holes := allHoles(refs)
	switch {
	case ptr.Len == 0 && holes:
		return nil, true, nil
	case ptr.Len == 0:
		return encodeLeaf(runsOf(refs, nil)), false, nil
	}
	old, err := m.old.pages.Page(ptr)
	if err != nil {
		return nil, false, err
	}
	var was [LeafBlocks]Ref
	if err := m.old.expand(old, &was); err != nil || was == *refs {
		return nil, true, err
	}
	if holes {
		return nil, false, nil
	}
	page, err = m.overlay(old, ptr, &was, refs)
	return page, false, err
}

func allHoles(refs *[LeafBlocks]Ref) bool {
	for i := range refs {
		if refs[i].Kind != Hole {
			return false
		}
	}
	return true
}

// overlay encodes a leaf that replaces old, which says was: as a patch on the
// full leaf that old is, or lies on, if that is much smaller.
func (m *streamMap) overlay(old *Page, ptr PagePtr, was, refs *[LeafBlocks]Ref) ([]byte, error) {
	base := was
	if old.kind == pagePatch {
		b, err := m.old.base(old)
		if err != nil {
			return nil, err
		}
		ptr, base = old.base, new([LeafBlocks]Ref)
		b.fill(base)
	}
	var keep [LeafBlocks]bool
	for i := range refs {
		keep[i] = refs[i] == base[i]
	}
	full, patch := encodeLeaf(runsOf(refs, nil)), encodePatch(ptr, runsOf(refs, &keep))
	if len(patch)*4 <= len(full) {
		return patch, nil
	}
	return full, nil
}

// leafPtr finds the pointer to a leaf; zero where nothing is recorded.
func (m *Map) leafPtr(leaf uint64) (PagePtr, error) {
	p := m.s.Root
	for l := int(m.s.Levels); l > 0 && p.Len > 0; l-- {
		pg, err := m.pages.Page(p)
		if err != nil {
			return PagePtr{}, err
		}
		if pg.kind != pageInner {
			return PagePtr{}, corrupt("index page", p.Off, "an inner page was expected")
		}
		p = pg.child(int(leaf >> (6 * (l - 1)) % FanOut))
	}
	return p, nil
}

// set enters the pointer to a leaf.
func (m *streamMap) set(leaf uint64, ptr PagePtr) error {
	if leaf >= m.root.Leaves() {
		return corrupt("index", -1, "leaf %d is past the end of stream %d", leaf, m.root.ID)
	}
	if m.root.Levels == 0 {
		m.leaf = ptr
		return nil
	}
	var err error
	if m.top == nil {
		if m.top, err = m.load(m.root.Root); err != nil {
			return err
		}
	}
	n := m.top
	n.dirty = true
	for l := int(m.root.Levels) - 1; l > 0; l-- {
		i := leaf >> (6 * l) % FanOut
		if n.kids[i] == nil {
			if n.kids[i], err = m.load(n.ptrs[i]); err != nil {
				return err
			}
		}
		n = n.kids[i]
		n.dirty = true
	}
	n.ptrs[leaf%FanOut] = ptr
	return nil
}

// load begins a node as a copy of the parent's page.
func (m *streamMap) load(p PagePtr) (*node, error) {
	n := &node{}
	if p.Len == 0 {
		return n, nil
	}
	pg, err := m.old.pages.Page(p)
	if err != nil {
		return nil, err
	}
	if pg.kind != pageInner {
		return nil, corrupt("index page", p.Off, "an inner page was expected")
	}
	for i := range n.ptrs {
		n.ptrs[i] = pg.child(i)
	}
	return n, nil
}

// flush writes the touched inner pages, children first, and gives the root.
func (m *streamMap) flush(write func([]byte) PagePtr) (StreamRoot, error) {
	switch {
	case m.root.Levels == 0:
		m.root.Root = m.leaf
	case m.top != nil:
		m.root.Root = m.top.flush(write)
	}
	return m.root, nil
}

func (n *node) flush(write func([]byte) PagePtr) PagePtr {
	for i, k := range n.kids {
		if k != nil && k.dirty {
			n.ptrs[i] = k.flush(write)
		}
	}
	b := encodeInner(&n.ptrs)
	if b == nil {
		return PagePtr{}
	}
	return write(b)
}
