package overlay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"vitrine/blockdev"
)

// The named file, see docs/overlay.md. Little-endian.
const (
	magic      = "VTRCOW\r\n"
	version    = 1
	headerLen  = pageSize
	rootsAt    = 128
	maxRoots   = 448 // root entries: 1 TiB each
	nodeFan    = 512 // entries of an inner page
	entryLen   = 8
	checksumAt = headerLen - 4
)

// Errors of named overlays.
var (
	// ErrOtherBase refuses an overlay that was made over another point.
	ErrOtherBase = errors.New("overlay belongs to another base")
	// ErrCorrupt marks an overlay file that contradicts itself.
	ErrCorrupt = errors.New("overlay file is damaged")
	// ErrNotOverlay marks a file that is no overlay.
	ErrNotOverlay = errors.New("not an overlay file")
	// ErrInUse says that another process has the overlay open.
	ErrInUse = errors.New("overlay is in use")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ID names what an overlay lies over: the root of a point mixed with which of
// its disks or partitions it is. Any 32 bytes that differ when the base does.
type ID [32]byte

// Create makes a named overlay file; the path must not exist.
func Create(path string, base blockdev.Device, id ID, o Options) (*Overlay, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	ov, err := create(f, base, id, o)
	if err != nil {
		f.Close()
		os.Remove(path)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ov, nil
}

func create(f *os.File, base blockdev.Device, id ID, o Options) (*Overlay, error) {
	if err := lockFile(f); err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrInUse, err)
	}
	ov, err := format(f, base, id, o)
	if err == nil {
		err = syncFolder(filepath.Dir(f.Name()))
	}
	return ov, err
}

// format writes an empty overlay.
func format(f file, base blockdev.Device, id ID, o Options) (*Overlay, error) {
	s := &paged{f: f, limit: o.Limit, next: firstSlot, taken: new(bitset), scan: firstSlot}
	ov, err := newOverlay(base, s)
	if err != nil {
		return nil, err
	}
	ov.log = newCommits(s, id, ov.size)
	return ov, ov.log.writeHeader()
}

// Open opens a named overlay over the base with the same id and size.
func Open(path string, base blockdev.Device, id ID, o Options) (*Overlay, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	ov, err := open(f, base, id, o)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ov, nil
}

func open(f *os.File, base blockdev.Device, id ID, o Options) (*Overlay, error) {
	if err := lockFile(f); err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrInUse, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return load(f, st.Size(), base, id, o)
}

// load reads the newest header and the map that it names.
func load(f file, fileSize int64, base blockdev.Device, id ID, o Options) (*Overlay, error) {
	h, err := newestHeader(f)
	if err != nil {
		return nil, err
	}
	if h.id != id || h.baseSize != base.Size() {
		return nil, fmt.Errorf("%w: it was made over %x of %d bytes", ErrOtherBase, h.id[:8], h.baseSize)
	}
	s := &paged{f: f, limit: o.Limit, next: firstSlot, taken: new(bitset), scan: firstSlot}
	ov, err := newOverlay(base, s)
	if err != nil {
		return nil, err
	}
	ov.log = newCommits(s, id, ov.size)
	ov.log.generation = h.generation
	l := loader{s: s, log: ov.log, leaves: ov.leaves, slots: (fileSize + pageSize - 1) / pageSize}
	return ov, l.load(h.roots)
}

// header is one of the two first pages of the file.
//
//	 off len field
//	   0   8 magic      "VTRCOW\r\n"
//	   8   4 version    1
//	  12   4 page       bytes of a page: 4096
//	  16   8 baseSize   bytes
//	  24   8 generation counts flushes; the page is generation % 2
//	  32  32 id         of the base
//	  64   4 roots      root entries that follow: one per TiB of the base
//	 128 8×n entries    of the root pages: slot, CRC-32C of the page
//	4092   4 checksum   CRC-32C of the bytes before
type header struct {
	id         ID
	baseSize   int64
	generation uint64
	roots      []entry
}

// entry names a page of the map: its slot, or one of the words for all pages
// under it, and the CRC-32C of its 4096 bytes.
type entry struct {
	slot slot
	crc  uint32
}

func (h *header) encode() []byte {
	b := make([]byte, headerLen)
	copy(b, magic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], pageSize)
	le.PutUint64(b[16:], uint64(h.baseSize))
	le.PutUint64(b[24:], h.generation)
	copy(b[32:], h.id[:])
	le.PutUint32(b[64:], uint32(len(h.roots)))
	putEntries(b[rootsAt:], h.roots)
	le.PutUint32(b[checksumAt:], crc32.Checksum(b[:checksumAt], castagnoli))
	return b
}

func putEntries(b []byte, es []entry) {
	for i, e := range es {
		binary.LittleEndian.PutUint32(b[i*entryLen:], uint32(e.slot))
		binary.LittleEndian.PutUint32(b[i*entryLen+4:], e.crc)
	}
}

func getEntries(b []byte, n int) []entry {
	es := make([]entry, n)
	for i := range es {
		es[i].slot = slot(binary.LittleEndian.Uint32(b[i*entryLen:]))
		es[i].crc = binary.LittleEndian.Uint32(b[i*entryLen+4:])
	}
	return es
}

func decodeHeader(b []byte) (*header, error) {
	le := binary.LittleEndian
	if string(b[:8]) != magic {
		return nil, ErrNotOverlay
	}
	if le.Uint32(b[checksumAt:]) != crc32.Checksum(b[:checksumAt], castagnoli) {
		return nil, fmt.Errorf("%w: header checksum", ErrCorrupt)
	}
	if v, p := le.Uint32(b[8:]), le.Uint32(b[12:]); v != version || p != pageSize {
		return nil, fmt.Errorf("overlay version %d with pages of %d bytes: made by a newer version", v, p)
	}
	h := &header{id: ID(b[32:64]), baseSize: int64(le.Uint64(b[16:])), generation: le.Uint64(b[24:])}
	n := le.Uint32(b[64:])
	if h.baseSize < 0 || h.baseSize > maxSize || int(n) != rootCount(h.baseSize) {
		return nil, fmt.Errorf("%w: %d roots for %d bytes", ErrCorrupt, n, h.baseSize)
	}
	h.roots = getEntries(b[rootsAt:], int(n))
	return h, nil
}

func rootCount(size int64) int { return int((size + 1<<40 - 1) >> 40) }

// newestHeader returns the valid header with the higher generation: a crash
// can tear only the one that was being written.
func newestHeader(f io.ReaderAt) (*header, error) {
	var best *header
	var first error
	for i := range int64(2) {
		b := make([]byte, headerLen)
		if n, err := f.ReadAt(b, i*headerLen); n < headerLen && err != io.EOF {
			return nil, err
		}
		h, err := decodeHeader(b)
		if err != nil {
			if first == nil || errors.Is(first, ErrNotOverlay) { // the other header may tell more
				first = err
			}
		} else if best == nil || h.generation > best.generation {
			best = h
		}
	}
	if best == nil {
		return nil, first
	}
	return best, nil
}

// commits makes the map of a named overlay durable. Map pages are never
// written in place: a flush writes the changed ones to new slots, syncs, then
// writes the other header, syncs, and only then gives the old slots free.
type commits struct {
	s          *paged
	id         ID
	size       int64
	generation uint64
	levels     [3][]entry // of leaves, of pages of 512 leaves, of roots

	mu    sync.Mutex // one flush at a time
	done  uint64     // value of seq that is durable
	fatal error      // of the first failed flush

	dirtyMu sync.Mutex
	dirty   map[int64]struct{} // leaves that changed
	seq     uint64             // counts changes
}

func newCommits(s *paged, id ID, size int64) *commits {
	c := &commits{s: s, id: id, size: size, dirty: map[int64]struct{}{}}
	n := (size + leafBytes - 1) / leafBytes
	for i := range c.levels {
		c.levels[i] = make([]entry, n)
		n = (n + nodeFan - 1) / nodeFan
	}
	return c
}

func (c *commits) touch(leaf int64) {
	c.dirtyMu.Lock()
	defer c.dirtyMu.Unlock()
	c.dirty[leaf] = struct{}{}
	c.seq++
}

func (c *commits) wrote() {
	c.dirtyMu.Lock()
	defer c.dirtyMu.Unlock()
	c.seq++
}

// flush makes everything written before the call durable. Calls that waited
// while another flush covered them cost nothing.
func (c *commits) flush(ctx context.Context, o *Overlay) error {
	want := c.current()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fatal != nil || c.done >= want {
		return c.fatal
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.commit(o); err != nil {
		c.fatal = fmt.Errorf("overlay: flush: %w", spaceError(err))
	}
	return c.fatal
}

func (c *commits) current() uint64 {
	c.dirtyMu.Lock()
	defer c.dirtyMu.Unlock()
	return c.seq
}

// take returns the changed leaves in order, and up to which change they count.
func (c *commits) take() (leaves []int64, seq uint64) {
	c.dirtyMu.Lock()
	defer c.dirtyMu.Unlock()
	for i := range c.dirty {
		leaves = append(leaves, i)
	}
	clear(c.dirty)
	slices.Sort(leaves)
	return leaves, c.seq
}

func (c *commits) commit(o *Overlay) error {
	old := c.s.seal() // before take: what is sealed, a leaf taken now no longer names
	leaves, seq := c.take()
	if err := c.writeMap(o, leaves); err != nil {
		return err
	}
	if err := c.s.f.Sync(); err != nil {
		return err
	}
	if len(leaves) > 0 {
		if err := c.writeHeader(); err != nil {
			return err
		}
	}
	c.s.recycle(old)
	c.done = seq
	return nil
}

// writeMap writes the changed leaves and the pages above them.
func (c *commits) writeMap(o *Overlay, leaves []int64) error {
	for _, i := range leaves {
		if err := c.writeLeaf(o, i); err != nil {
			return err
		}
	}
	for level := 1; level < len(c.levels); level++ {
		leaves = parents(leaves)
		for _, i := range leaves {
			if err := c.writeNode(level, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// parents returns the numbers of the pages above the sorted ones.
func parents(sorted []int64) (up []int64) {
	for _, i := range sorted {
		up = append(up, i/nodeFan)
	}
	return slices.Compact(up)
}

func (c *commits) writeLeaf(o *Overlay, i int64) error {
	l := o.lock(i)
	l.RLock()
	m := o.leaves[i]
	if m == nil || shared(m) {
		l.RUnlock()
		var e entry
		if m != nil {
			e.slot = m[0]
		}
		return c.replace(&c.levels[0][i], e)
	}
	b := make([]byte, pageSize)
	for k, s := range m {
		binary.LittleEndian.PutUint32(b[4*k:], uint32(s))
	}
	l.RUnlock()
	return c.writePage(&c.levels[0][i], b)
}

func (c *commits) writeNode(level int, i int64) error {
	below := c.levels[level-1]
	b := make([]byte, pageSize)
	putEntries(b, below[i*nodeFan:min((i+1)*nodeFan, int64(len(below)))])
	return c.writePage(&c.levels[level][i], b)
}

func (c *commits) writePage(e *entry, b []byte) error {
	s, err := c.s.allocMap()
	if err != nil {
		return err
	}
	if err := c.s.writeAt(b, s, 0); err != nil {
		return err
	}
	return c.replace(e, entry{s, crc32.Checksum(b, castagnoli)})
}

// replace gives an entry its new value; the old page is free after the flush.
// It was sealed too late for this flush, so it waits for the next: harmless.
func (c *commits) replace(e *entry, next entry) error {
	if e.slot >= firstSlot {
		c.s.freeMap(e.slot)
	}
	*e = next
	return nil
}

// writeHeader makes the state in levels the one that Open finds.
func (c *commits) writeHeader() error {
	h := header{id: c.id, baseSize: c.size, generation: c.generation + 1, roots: c.levels[2]}
	if _, err := c.s.f.WriteAt(h.encode(), int64(h.generation%2)*headerLen); err != nil {
		return err
	}
	c.generation++
	return c.s.f.Sync()
}
