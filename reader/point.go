package reader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"

	"vitrine/index"
	"vitrine/internal/filelock"
)

// Options say how a point is read. The zero value works.
type Options struct {
	CacheBytes     int64    // bound of decoded chunks; 0: DefaultCacheBytes. At least 4 MiB are used
	PageCacheBytes int64    // bound of index pages; 0: DefaultPageCacheBytes
	Search         []string // folders searched for members besides the opened one's
	FillUnreadable bool     // give zeros for what was unreadable at capture, not an error
	NoReadAhead    bool     // for random access only
	Once           bool     // everything is read once, in parallel: nothing is kept or read ahead
	Pool           *Pool    // shared with other points; nil: one of its own, of the bounds above

	open func(path string) (file, error) // tests count reads with it
}

// Point is the state of the source when one member was captured.
type Point struct {
	o       Options
	pool    *Pool
	own     bool // the pool is the point's own
	path    string
	tail    *index.Tail
	find    finder
	members []member
	streams map[uint16]*stream
	disks   []*Disk

	loaded func(index.PagePtr) // Verify notes the pages that were read with it

	life   sync.RWMutex // held for reading by whoever uses files or caches
	closed bool
}

// Open opens the point of the member that path is a part of. It reads the
// member's header and its end; ancestors are looked for when they are needed.
func Open(ctx context.Context, path string, o Options) (*Point, error) {
	p := &Point{o: o, pool: o.Pool, own: o.Pool == nil}
	if p.own {
		open := o.open
		if open == nil {
			open = openFile
		}
		p.pool = newPool(o.CacheBytes, o.PageCacheBytes, open)
	}
	if err := p.openTail(ctx, path); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Point) openTail(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h, err := headOrSibling(ctx, p.pool.files, path)
	if err != nil {
		return err
	}
	p.path = path
	p.find = finder{files: p.pool.files, dirs: searchDirs(path, p.o.Search), set: h.Set, prefix: prefixOf(path, h.Set)}
	last, err := p.readTail(h)
	if err != nil {
		return err
	}
	p.chain()
	self := &p.members[len(p.members)-1]
	p.find.take(self, h)
	p.find.take(self, last)
	p.streams = p.newStreams()
	p.disks, err = p.newDisks()
	return pathError(path, err)
}

// headOrSibling reads the header of a file. If it is damaged and the file is not
// its member's last part, the name tells which other parts belong to it.
func headOrSibling(ctx context.Context, files *handles, path string) (*head, error) {
	h, err := readHead(files, path)
	set, number, ok := setOf(path)
	if _, bad := errors.AsType[*index.FormatError](err); !bad || !ok {
		return h, err
	}
	err = byName(path, err)
	heads, _, _ := scanHeads(ctx, files, filepath.Dir(path), func(name string) bool {
		s, n, _ := setOf(name)
		return s == set && n == number
	})
	heads = slices.DeleteFunc(heads, func(o *head) bool { return o.Set != set || o.Number != number })
	if len(heads) == 0 || slices.ContainsFunc(heads, func(o *head) bool { return o.UID != heads[0].UID }) {
		return nil, err
	}
	return heads[0], nil
}

// searchDirs is the folder of path and those of search, each once.
func searchDirs(path string, search []string) []string {
	dirs := []string{filepath.Dir(path)}
	for _, d := range search {
		if d = filepath.Clean(d); !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// readTail reads the end of the member that h is a part of: of h itself, or of
// its last part, which is looked for by name first.
func (p *Point) readTail(h *head) (*head, error) {
	err := p.tailOf(h)
	if err == nil || h.rotten == nil && !errors.Is(err, index.ErrUnfinished) {
		return h, err // of a rotten head, any error may mean that the end is elsewhere
	}
	for _, parts := range []func(*head) []*head{p.namedParts, p.scannedParts} {
		for _, part := range parts(h) {
			if err := p.tailOf(part); !errors.Is(err, index.ErrUnfinished) {
				return part, err
			}
		}
	}
	if !errors.Is(err, index.ErrUnfinished) {
		return nil, byName(h.path, err)
	}
	return nil, &UnfinishedError{h.path, h.Number, (&Member{Header: *h.Header}).Time(), filelock.Held(h.path)}
}

func (p *Point) tailOf(h *head) error {
	return pathError(h.path, p.pool.files.use(h.path, func(f file) (err error) {
		p.tail, err = index.ReadTail(f, h.size)
		return err
	}))
}

// namedParts finds the other parts of h's member by name, the last one first.
func (p *Point) namedParts(h *head) []*head {
	m := &member{MemberEntry: &index.MemberEntry{Number: h.Number, UID: h.UID, Length: math.MaxInt64}}
	p.find.byName(m)
	var heads []*head
	for _, pt := range m.parts {
		if hd, err := readHead(p.pool.files, pt.path); err == nil {
			heads = append(heads, hd)
		}
	}
	return partsBeside(h, heads)
}

// scannedParts finds them by the headers of all files.
func (p *Point) scannedParts(h *head) []*head {
	heads, err := p.find.scan(1, h.UID)
	if err != nil {
		return nil
	}
	return partsBeside(h, slices.Clone(heads))
}

// partsBeside keeps the other parts of h's member, the last one first.
func partsBeside(h *head, heads []*head) []*head {
	sort.SliceStable(heads, func(i, j int) bool { return heads[i].Part > heads[j].Part })
	return slices.DeleteFunc(heads, func(o *head) bool {
		return o.UID != h.UID || o.Set != h.Set || o.Number != h.Number || o.path == h.path
	})
}

func (p *Point) chain() {
	p.members = make([]member, len(p.tail.Members))
	for i := range p.members {
		e := &p.tail.Members[i]
		p.members[i].MemberEntry, p.members[i].dir = e, p.pool.dir(e.Dir.Hash)
	}
}

// Close ends all reads and closes the point. Reads fail with os.ErrClosed from
// now on.
func (p *Point) Close() error {
	p.life.Lock()
	was := p.closed
	p.closed = true
	p.life.Unlock()
	if was || !p.own {
		return nil
	}
	return p.pool.Close()
}

// enter begins a use of the point; leave ends it.
func (p *Point) enter() error {
	p.life.RLock()
	if p.closed {
		p.life.RUnlock()
		return os.ErrClosed
	}
	return nil
}

func (p *Point) leave() { p.life.RUnlock() }

// Set is the ID of the image set.
func (p *Point) Set() index.ImageID { return p.tail.Header.Set }

// Meta describes the point. It must not be changed.
func (p *Point) Meta() *index.Meta { return p.tail.Meta }

// Tail is the end of the point's member. It must not be changed.
func (p *Point) Tail() *index.Tail { return p.tail }

// Path is the file that was opened.
func (p *Point) Path() string { return p.path }

// Disks are the captured disks.
func (p *Point) Disks() []*Disk { return p.disks }

// Pool gives the point's caches, to share them or to look at their figures.
func (p *Point) Pool() *Pool { return p.pool }

// Chain lists the members that the point needs, itself last. It looks for the
// files of all of them; for those that are not there Err is set.
func (p *Point) Chain() []Member {
	if p.enter() != nil {
		return nil
	}
	defer p.leave()
	list := make([]Member, len(p.members))
	for i := range p.members {
		list[i] = p.describe(&p.members[i])
	}
	return list
}

// First describes the member that the chain begins with, as Chain does.
func (p *Point) First() Member {
	if err := p.enter(); err != nil {
		return Member{Err: err}
	}
	defer p.leave()
	return p.describe(&p.members[0])
}

func (p *Point) describe(m *member) Member {
	d := Member{Header: index.Header{Set: p.Set(), UID: m.UID, Number: m.Number, Kind: m.Kind, ParentNumber: m.Parent, Created: m.Created},
		Root: m.Root, Finished: m.Root != index.Hash{}}
	parts, err := p.find.all(m)
	d.Err = err
	for _, pt := range parts {
		d.Parts = append(d.Parts, pt.path)
		d.Size += pt.end + pt.shift
	}
	if len(parts) > 0 {
		d.Path = parts[0].path
		if h, err := readHead(p.pool.files, d.Path); err == nil {
			d.Header = *h.Header
		}
	}
	return d
}

// all finds every part of m, or tells what is missing besides those it found.
func (f *finder) all(m *member) ([]part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.complete() && !m.searched {
		if err := f.search(m); err != nil {
			return slices.Clone(m.parts), err
		}
	}
	parts, at := slices.Clone(m.parts), int64(0)
	for i, p := range parts {
		if p.num != i || p.start != at {
			break
		}
		at = p.end
	}
	if m.complete() {
		return parts, nil
	}
	return parts, f.lost(m, at)
}

// member finds a member of the chain by number.
func (p *Point) member(number uint32) (*member, error) {
	i := sort.Search(len(p.members), func(i int) bool { return p.members[i].Number >= number })
	if i == len(p.members) || p.members[i].Number != number {
		return nil, &DamageError{p.path, 0, p.tail.Self.Number, -1, -1,
			fmt.Errorf("the index names member %d, which is not in the chain (%w)", number, index.ErrCorrupt)}
	}
	return &p.members[i], nil
}

// read fills b from a member's address; its errors name the file.
func (p *Point) read(m *member, b []byte, addr int64) (place, error) {
	at, err := p.find.read(m, b, addr)
	if err != nil {
		err = p.damage(m, at, err)
	}
	return at, err
}

// damage makes err a DamageError, unless it is one or tells of something
// missing.
func (p *Point) damage(m *member, at place, err error) error {
	if errors.Is(err, ErrMissing) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	if _, ok := errors.AsType[*DamageError](err); ok {
		return err
	}
	if at.path == "" {
		at.path = FileName(p.find.prefix, p.Set(), m.Number, 0)
	}
	return &DamageError{at.path, at.off, m.Number, -1, -1, err}
}

// Page gives an index page out of the cache or its member. It makes a point the
// index.Pages of its own maps.
func (p *Point) Page(ptr index.PagePtr) (*index.Page, error) {
	v, err := p.pool.pages.get(ptr, func() (any, int, error) {
		m, err := p.member(ptr.Member)
		if err != nil {
			return nil, 0, err
		}
		b := make([]byte, min(ptr.Len, index.MaxPage))
		at, err := p.read(m, b, ptr.Off)
		if err != nil {
			return nil, 0, err
		}
		pg, err := index.DecodePage(b, ptr)
		if err != nil {
			return nil, 0, p.damage(m, at, err)
		}
		if p.loaded != nil {
			p.loaded(ptr)
		}
		return pg, pg.Bytes(), nil
	})
	if err != nil {
		return nil, err
	}
	pg, ok := v.(*index.Page)
	if !ok {
		return nil, fmt.Errorf("member %d: a pointer to a page leads to a segment (%w)", ptr.Member, index.ErrCorrupt)
	}
	return pg, nil
}

// segment gives the head of a segment of m.
func (p *Point) segment(m *member, seg uint64) (*index.Segment, error) {
	sp, err := index.FindSegment(m.Dir, uint32(seg), p)
	if err != nil {
		return nil, p.damage(m, place{}, err)
	}
	key := index.PagePtr{Member: m.Number, Off: sp.Off, Len: sp.HeadLen, Hash: sp.Hash}
	v, err := p.pool.pages.get(key, func() (any, int, error) {
		b := make([]byte, min(sp.HeadLen, index.MaxHead))
		at, err := p.read(m, b, sp.Off)
		if err != nil {
			return nil, 0, err
		}
		s, err := index.DecodeSegment(b, sp)
		if err != nil {
			return nil, 0, p.damage(m, at, err)
		}
		return s, s.Bytes(), nil
	})
	if err != nil {
		return nil, err
	}
	s, ok := v.(*index.Segment)
	if !ok || uint64(s.Number) != seg {
		return nil, p.damage(m, place{}, fmt.Errorf("the directory names another segment than %d (%w)", seg, index.ErrCorrupt))
	}
	return s, nil
}

// IndexParent is what a capture onto this point builds on. The point must stay
// open while it is used.
func (p *Point) IndexParent() *index.Parent {
	return &index.Parent{UID: p.tail.Self.UID, Root: p.tail.Root, Members: p.tail.Members, Streams: p.tail.Streams, Pages: p}
}

// Ref fills refs with what the map says of leaf number leaf of a stream. A
// stream that the point does not have is all holes.
func (p *Point) Ref(stream uint16, leaf uint64, refs *[index.LeafBlocks]index.Ref) error {
	s := p.streams[stream]
	if s == nil {
		*refs = [index.LeafBlocks]index.Ref{}
		return nil
	}
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	return s.blocks.Leaf(leaf, refs)
}

// ChunkHash is the hash of the block that a Data ref leads to.
func (p *Point) ChunkHash(ref index.Ref) (index.Hash, error) {
	if err := p.enter(); err != nil {
		return index.Hash{}, err
	}
	defer p.leave()
	m, err := p.member(ref.Member)
	if err != nil {
		return index.Hash{}, err
	}
	s, err := p.segment(m, ref.Chunk/index.SegmentChunks)
	if err != nil {
		return index.Hash{}, err
	}
	_, sl, err := s.Chunk(int(ref.Chunk % index.SegmentChunks))
	return sl.Hash, err
}
