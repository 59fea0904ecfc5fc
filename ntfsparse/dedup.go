package ntfsparse

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"vitrine/ntfsparse/internal/decomp"
)

// openDedup opens a deduplicated file. One that has never been sparse holds
// all its contents itself: it was not yet emptied, or is filled again. Of one
// that has some clusters of its own nobody knows which of their bytes are
// newer than the chunks, so that it is refused.
func (f *File) openDedup(p ReparsePoint, s *Stream) (*Stream, error) {
	if s.runs == nil || s.flags&AttrSparse == 0 && s.whole() {
		return s, nil
	}
	if s.allocated() {
		return nil, classf(ErrUnsupported, f.rec.N, "file was written to since it was deduplicated: part of it is in the chunk store, part not")
	}
	d, err := p.Dedup()
	if err != nil {
		return nil, inRecord(err, f.rec.N)
	}
	if d.Size != s.size {
		return nil, classf(ErrUnsupported, f.rec.N, "the chunk store holds %d bytes of a file of %d", d.Size, s.size)
	}
	plain := *s
	plain.valid = s.size
	plain.inBlocks(newDedupBlocks(f.v, f.Ref(), d))
	return &plain, nil
}

// whole tells whether the stream has a cluster for every byte.
func (s *Stream) whole() bool {
	for i := range s.runs.Len() {
		if s.runs.r[i].lcn == Hole {
			return false
		}
	}
	return s.runs.End()<<s.v.geo.shift >= s.size
}

// dedupBlocks are the chunks of a deduplicated file. The upper 32 bits of a
// block's number are that of its stream map, the others that of its entry.
type dedupBlocks struct {
	v     *Volume
	file  Ref
	store [16]byte
	parts []dedupPart
}

type dedupPart struct {
	DedupMap
	smap lazy[*smap]
}

func newDedupBlocks(v *Volume, file Ref, d Dedup) *dedupBlocks {
	c := &dedupBlocks{v: v, file: file, store: d.Store, parts: make([]dedupPart, len(d.Maps))}
	for i, m := range d.Maps {
		c.parts[i].DedupMap = m
	}
	return c
}

// open opens the i-th stream map.
func (c *dedupBlocks) open(i int64) (*smap, error) {
	p := &c.parts[i]
	return p.smap.get(func() (*smap, error) {
		store, err := c.v.chunkStore(c.store)
		if err != nil {
			return nil, err
		}
		return store.openMap(p.DedupMap)
	})
}

func (c *dedupBlocks) find(off int64) (block, error) {
	i := sort.Search(len(c.parts), func(i int) bool { return c.parts[i].End > off })
	m, err := c.open(int64(i))
	if err != nil {
		return block{}, inRecord(err, c.file.Record())
	}
	var bad error
	n := sort.Search(m.n, func(n int) bool {
		e, _, err := m.entry(n)
		bad = firstError(bad, err)
		return err != nil || e.end > off
	})
	e, start, err := m.entry(min(n, m.n-1))
	if err = firstError(bad, err); err == nil && (off < start || off >= e.end) {
		err = corrupt("stream map is not in order", -1)
	}
	return block{int64(i)<<32 | int64(n), start, e.end}, inRecord(err, c.file.Record())
}

// part never has bytes that need no decoding: all of a chunk proves it.
func (c *dedupBlocks) part(int64, []byte, int64) (bool, error) { return false, nil }

func (c *dedupBlocks) read(i int64, p []byte) error {
	m, err := c.open(i >> 32)
	if err != nil {
		return inRecord(err, c.file.Record())
	}
	e, _, err := m.entry(int(i & (1<<32 - 1)))
	if err == nil {
		err = c.storeOf(m).readChunk(e, p)
	}
	return inRecord(err, c.file.Record())
}

// storeOf is the store of a map, with the containers that it lacked when the map was
// opened and the disk failed.
func (c *dedupBlocks) storeOf(m *smap) *chunkStore {
	if m.store.passing() != nil {
		if s, err := c.v.chunkStore(c.store); err == nil {
			return s
		}
	}
	return m.store
}

// A stream map is a chunk of a stream container: "Smap", version (4), entries:
//
//	0  4  number of the chunk; 4 4 container; 8 4 offset; 12 4 generation
//	16 8  end of the chunk in the file
//	24 32 hash
//	56 4  bytes in the container; 60 4 not known
const (
	smapHead  = 8
	smapEntry = 64
)

// smap is an open stream map.
type smap struct {
	store      *chunkStore
	src        io.ReaderAt
	at         int64 // of entry 0
	n          int
	begin, end int64 // in the file
}

// chunkRef is an entry of a stream map.
type chunkRef struct {
	chunkPlace
	end  int64
	hash [32]byte
}

// chunkPlace is where a chunk was when it was written down.
type chunkPlace struct{ number, container, offset, generation, len uint32 }

// entry reads the i-th entry and the end of the one before it.
func (m *smap) entry(i int) (e chunkRef, start int64, err error) {
	var b [2 * smapEntry]byte
	p, at := b[:], m.at+int64(i-1)*smapEntry
	if start = m.begin; i == 0 {
		p, at = b[smapEntry:], m.at
	}
	if err := readFull(m.src, p, at); err != nil {
		return e, 0, err
	}
	if i > 0 {
		start = int64(le.Uint64(b[16:]))
	}
	e = parseChunkRef(b[smapEntry:])
	return e, start, e.checkLen(start)
}

func parseChunkRef(b []byte) chunkRef {
	e := chunkRef{chunkPlace{le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[56:])}, int64(le.Uint64(b[16:])), [32]byte{}}
	copy(e.hash[:], b[24:])
	return e
}

// checkLen checks a chunk's length where the one before it ends at start.
func (e *chunkRef) checkLen(start int64) error {
	switch {
	case start < 0 || e.end <= start:
		return corruptf("stream map is not in order: a chunk ends at %d behind one at %d", e.end, start)
	case e.end-start > maxChunk:
		return corruptf("stream map has a chunk of %d bytes", e.end-start)
	case e.len == 0 || int64(e.len) > e.end-start:
		return corruptf("stream map has a chunk of %d bytes in %d", e.end-start, e.len)
	}
	return nil
}

// verify reads all of a stream map, past the cache of pages; its entries must
// join.
func (m *smap) verify(src io.ReaderAt) error {
	buf, start := make([]byte, min(m.n*smapEntry, 64<<10)), m.begin
	for i := 0; i < m.n; {
		n := min(m.n-i, len(buf)/smapEntry)
		if err := readFull(src, buf[:n*smapEntry], m.at+int64(i)*smapEntry); err != nil {
			return err
		}
		for b := buf[:n*smapEntry]; len(b) > 0; b = b[smapEntry:] {
			e := parseChunkRef(b)
			if err := e.checkLen(start); err != nil {
				return err
			}
			start = e.end
		}
		i += n
	}
	if start != m.end {
		return corruptf("stream map ends at %d, not at %d as its file says", start, m.end)
	}
	return nil
}

// chunkStore finds containers by number. Their files are NUMBER.GENERATION.ccc,
// 8 hexadecimal digits each.
type chunkStore struct {
	v     *Volume
	guid  [16]byte
	kinds [2]map[uint32][]containerFile // newest generation first
	bad   [2]error                      // why some may be missing

	mu   sync.Mutex
	open map[Ref]*container // the last ones used
	runs int                // of those
}

type containerFile struct {
	generation uint32
	ref        Ref
}

// Kinds of containers, and of chunks.
const (
	chunkData = iota
	chunkMap
)

var chunkFolders = [...]string{chunkData: "Data", chunkMap: "Stream"}

// passing is why containers may be missing that are there another time.
func (s *chunkStore) passing() error {
	for _, bad := range s.bad {
		if !lasting(bad) {
			return bad
		}
	}
	return nil
}

// chunkStore opens the chunk store with the GUID. One that could not be listed whole as
// the disk failed is used, and listed again another time.
func (v *Volume) chunkStore(guid [16]byte) (*chunkStore, error) {
	v.mu.Lock()
	s := v.stores[guid]
	if s == nil {
		if len(v.stores) >= maxStores || v.stores == nil {
			v.stores = map[[16]byte]*lazy[*chunkStore]{}
		}
		s = new(lazy[*chunkStore])
		v.stores[guid] = s
	}
	v.mu.Unlock()
	store, err := s.get(func() (*chunkStore, error) { return v.openChunkStore(guid) })
	if store != nil {
		return store, nil
	}
	return nil, err
}

// openChunkStore lists a chunk store. It may give one with an error, that it is not whole
// for now.
func (v *Volume) openChunkStore(guid [16]byte) (*chunkStore, error) {
	s := &chunkStore{v: v, guid: guid}
	for kind, name := range chunkFolders {
		path := "System Volume Information/Dedup/ChunkStore/{" + strings.ToUpper(GUIDText(guid[:])) + "}.ddp/" + name
		f, err := v.Lookup(path)
		if err == nil {
			s.kinds[kind], s.bad[kind], err = f.containers()
		} else {
			err = &Error{Class: ErrNotCaptured, What: "chunk store " + path, Record: NoRecord, Off: -1, Err: err}
		}
		if err != nil {
			return nil, err
		}
	}
	return s, s.passing()
}

// containers lists the containers in a folder; bad tells why some may be missing.
func (f *File) containers() (list map[uint32][]containerFile, bad, err error) {
	d, err := f.Dir()
	if err != nil {
		return nil, nil, err
	}
	list, n := map[uint32][]containerFile{}, 0
	d.Read(0, func(e DirEntry, err error) bool {
		if err != nil {
			bad = err
			return true // the container needed may be another
		}
		number, generation, ok := parseContainerName(e.Name())
		if !ok {
			return true
		}
		if n++; n > maxContainers {
			bad = classf(ErrUnsupported, f.rec.N, "chunk store has more than %d containers", maxContainers)
			return false
		}
		list[number] = append(list[number], containerFile{generation, e.Ref})
		return true
	})
	for _, files := range list {
		slices.SortFunc(files, func(a, b containerFile) int { return cmp.Compare(b.generation, a.generation) })
	}
	if len(list) == 0 && bad == nil {
		bad = classf(ErrNotCaptured, f.rec.N, "chunk store has no containers")
	}
	if len(list) == 0 || n > maxContainers {
		return nil, nil, bad
	}
	return list, bad, nil
}

func parseContainerName(s string) (number, generation uint32, ok bool) {
	if len(s) != 21 || s[8] != '.' || !strings.EqualFold(s[17:], ".ccc") {
		return 0, 0, false
	}
	a, err1 := strconv.ParseUint(s[:8], 16, 32)
	b, err2 := strconv.ParseUint(s[9:17], 16, 32)
	return uint32(a), uint32(b), err1 == nil && err2 == nil
}

// container is an open container: a header with the magic "Cthr", at 0x3000 a
// table of chunks that were moved, chunks.
type container struct {
	src  *Stream
	name string
}

// container opens a container's file.
func (s *chunkStore) container(kind int, number uint32, c containerFile) (*container, error) {
	s.mu.Lock()
	open := s.open[c.ref]
	s.mu.Unlock()
	if open != nil {
		return open, nil
	}
	f, err := s.v.FileRef(c.ref)
	if err != nil {
		return nil, err
	}
	src, err := f.attrStream(TypeData, "")
	if err != nil {
		return nil, err
	}
	open = &container{src, fmt.Sprintf("%s/%08x.%08x.ccc", chunkFolders[kind], number, c.generation)}
	if err := open.magic(0, "Cthr"); err != nil {
		return nil, err
	}
	s.keep(c.ref, open)
	return open, nil
}

// keep keeps a container open as long as there is room.
func (s *chunkStore) keep(ref Ref, c *container) {
	n := 64 + c.src.runCount()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil || s.runs+n > maxOpenRuns {
		s.open, s.runs = map[Ref]*container{}, 0
	}
	if n <= maxOpenRuns && s.open[ref] == nil {
		s.open[ref] = c
		s.runs += n
	}
}

func (s *Stream) runCount() int {
	if s.runs == nil {
		return 0
	}
	return s.runs.Len()
}

// ReadAt reads through the cache of pages. The end of the container is an error
// of its own.
func (c *container) ReadAt(p []byte, off int64) (int, error) {
	s := *c.src
	s.cached = true
	n, err := s.ReadAt(p, off)
	if n < len(p) && (err == nil || err == io.EOF) {
		err = c.fault(off, "container ends there")
	}
	return n, err
}

// magic fails when the container has something else at off.
func (c *container) magic(off int64, want string) error {
	var b [4]byte
	if _, err := c.ReadAt(b[:], off); err != nil {
		return err
	}
	if string(b[:]) != want {
		return c.fault(off, fmt.Sprintf("no %q", want))
	}
	return nil
}

func (c *container) fault(off int64, what string) error {
	return &Error{Class: ErrCorrupt, What: "chunk store, " + c.name + ": " + what, Record: NoRecord, Off: off}
}

// each yields where a chunk may be, until yield returns no error: first where its
// place says, then where the table of moved chunks says, then the same in the
// container's other generations. The error tells why the first place was none.
func (s *chunkStore) each(kind int, p chunkPlace, yield func(c *container, off int64) error) error {
	files := s.kinds[kind][p.container]
	if len(files) == 0 {
		what := fmt.Sprintf("chunk store lacks container %s/%08x", chunkFolders[kind], p.container)
		return &Error{Class: ErrCorrupt, What: what, Record: NoRecord, Off: -1, Err: s.bad[kind]}
	}
	files = slices.Clone(files)
	if i := slices.IndexFunc(files, func(f containerFile) bool { return f.generation == p.generation }); i > 0 {
		files[0], files[i] = files[i], files[0]
	}
	var first error
	for _, file := range files[:min(len(files), maxGenerations)] {
		c, err := s.container(kind, p.container, file)
		if err == nil {
			err = c.places(p, yield)
		}
		if err == nil {
			return nil
		}
		first = firstError(first, err)
	}
	return first
}

// places are the two that a chunk may have in a container.
func (c *container) places(p chunkPlace, yield func(c *container, off int64) error) error {
	err := yield(c, int64(p.offset))
	if err == nil {
		return nil
	}
	if off, ok := c.moved(p.number); ok {
		return yield(c, off)
	}
	return err
}

// The table of moved chunks.
//
//	0x3000  "Rrtl"; 8 4 entries; 12 4 length of an entry
//	0x3020  entries by number: 0 4 number, 4 4 offset
const (
	movedAt    = 0x3000
	movedEntry = 8
)

// moved looks a chunk up in the table of moved chunks.
func (c *container) moved(number uint32) (int64, bool) {
	var head [32]byte
	if readFull(c, head[:], movedAt) != nil || string(head[:4]) != "Rrtl" || le.Uint32(head[12:]) != movedEntry {
		return 0, false
	}
	n := int(min(le.Uint32(head[8:]), maxMoved))
	var e [movedEntry]byte
	get := func(i int) bool { return readFull(c, e[:], movedAt+int64(len(head))+int64(i)*movedEntry) == nil }
	i := sort.Search(n, func(i int) bool { return !get(i) || le.Uint32(e[:]) >= number })
	if i == n || !get(i) || le.Uint32(e[:]) != number {
		return 0, false
	}
	return int64(le.Uint32(e[4:])), true
}

// A chunk is a header and its bytes:
//
//	0  4  "Ckhr"; 8 4 number; 12 4 bytes
//	16 2  kind: 1 data, 2 stream map; 18 2 length of what follows at 32
//	32 4  data: method of compression; 40 32 hash
//	56 16 stream map: hash
//	-8 8  checksum of the header
type chunkHead struct {
	size     int64 // of the header
	kind     uint16
	own      uint16 // length of the kind's own part
	hash     int
	hashSize int
}

// Methods of compression. No other one is known to be used.
const (
	chunkPlain = 0
	chunkLZ77  = 2
)

var chunkHeads = [...]chunkHead{chunkData: {88, 1, 0x28, 40, 32}, chunkMap: {104, 2, 0x38, 56, 16}}

// check reads a chunk's header, which must say what is known of the chunk.
func (h *chunkHead) check(c *container, off int64, number, size uint32, hash []byte) ([]byte, error) {
	b := make([]byte, h.size)
	if _, err := c.ReadAt(b, off); err != nil {
		return nil, err
	}
	what := ""
	switch {
	case string(b[:4]) != "Ckhr":
		what = "no chunk"
	case le.Uint32(b[8:]) != number:
		what = "chunk has another number"
	case le.Uint32(b[12:]) != size:
		what = "chunk has another length"
	case le.Uint16(b[16:]) != h.kind || le.Uint16(b[18:]) != h.own:
		what = "chunk is of another kind"
	case !bytes.Equal(b[h.hash:h.hash+h.hashSize], hash):
		what = "chunk has another hash"
	default:
		return b, nil
	}
	return nil, c.fault(off, what+" than its file's map says")
}

// openMap opens a stream map.
func (s *chunkStore) openMap(d DedupMap) (m *smap, err error) {
	p := chunkPlace{d.Number, d.Container, d.Offset, d.Generation, d.Len}
	err = s.each(chunkMap, p, func(c *container, off int64) error {
		h := &chunkHeads[chunkMap]
		if _, err := h.check(c, off, d.Number, d.Len, d.Hash[:]); err != nil {
			return err
		}
		if err := c.magic(off+h.size, "Smap"); err != nil {
			return err
		}
		m = &smap{s, c, off + h.size + smapHead, int(d.Len-smapHead) / smapEntry, d.Begin, d.End}
		return m.verify(c.src)
	})
	return m, err
}

// readChunk reads the plain bytes of a chunk into p, which has their length.
func (s *chunkStore) readChunk(e chunkRef, p []byte) error {
	return s.each(chunkData, e.chunkPlace, func(c *container, off int64) error {
		h := &chunkHeads[chunkData]
		head, err := h.check(c, off, e.number, e.len, e.hash[:])
		if err != nil {
			return err
		}
		whole := int64(e.len) == int64(len(p))
		if err := c.expand(p, off+h.size, int64(e.len), whole); err != nil && !errors.Is(err, decomp.ErrCorrupt) {
			return err
		} else if err == nil && proved(p, e.hash) {
			return nil
		}
		if method := le.Uint32(head[32:]); method != chunkPlain && method != chunkLZ77 && !whole {
			return classf(ErrUnsupported, NoRecord, "chunk store, %s: chunk at %#x is compressed with method %d", c.name, off, method)
		}
		return c.fault(off, "chunk does not have the contents that its hash proves")
	})
}

// expand reads n bytes and decodes them unless they are whole.
func (c *container) expand(p []byte, off, n int64, whole bool) error {
	if whole {
		return c.payload(p, off)
	}
	keep, src := borrow(n)
	defer scratch.Put(keep)
	if err := c.payload(src, off); err != nil {
		return err
	}
	return lz77(p, src)
}

// payload reads past the cache of pages.
func (c *container) payload(p []byte, off int64) error {
	n, err := c.src.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return c.fault(off, "container ends inside a chunk")
	}
	return err
}

// proved tells whether p has the hash: the first half of SHA-512, which is what
// Windows uses, or one of the two others of this length that it might have used
// instead. No wrong bytes can have any of them.
func proved(p []byte, hash [32]byte) bool {
	long := sha512.Sum512(p)
	return [32]byte(long[:32]) == hash || sha256.Sum256(p) == hash || sha512.Sum512_256(p) == hash
}
