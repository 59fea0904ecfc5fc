package overlay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"vitrine/blockdev"
)

// Sizes, see docs/overlay.md.
const (
	pageSize  = 4096                 // bytes: the unit of change
	leafPages = 1024                 // pages under one leaf of the map
	leafBytes = pageSize * leafPages // 4 MiB
	stripes   = 64                   // locks; leaf i belongs to lock i % stripes
	maxSize   = maxRoots << 40       // bytes of a base: what the map can address
)

// slot says where a page is: one of three words, or a place in the store.
type slot uint32

const (
	inBase    slot = 0 // unchanged
	zeroPage  slot = 1 // all zero
	holePage  slot = 2 // trimmed; reads as zeros
	firstSlot slot = 3 // this and above: a page of the store
)

// Options of an overlay. The zero value works.
type Options struct {
	// Memory is how many bytes of changes [New] keeps in memory before it uses
	// a file. 0: 64 MiB; negative: none.
	Memory int64
	// Limit is how many bytes of changes there may be in all; writing more
	// fails with [blockdev.ErrNoSpace]. 0: as much as fits.
	Limit int64
	// Dir is the folder of the temporary file. "": the system's.
	Dir string
}

// store holds the contents of changed pages. alloc and free are called with
// the lock of the page's leaf held; ranges may run over neighbouring slots.
type store interface {
	alloc() (slot, error)
	free(slot)
	readAt(p []byte, s slot, in int) error
	writeAt(p []byte, s slot, in int) error
	used() int64
	close() error
}

// leaf maps the pages of 4 MiB.
type leaf [leafPages]slot

// Leaves shared by all ranges that were zeroed or trimmed as a whole. They are
// never written to.
var zeroLeaf, holeLeaf = uniform(zeroPage), uniform(holePage)

func uniform(s slot) *leaf {
	l := new(leaf)
	for i := range l {
		l[i] = s
	}
	return l
}

func shared(l *leaf) bool { return l == zeroLeaf || l == holeLeaf }

// Overlay is a writable device over a read-only one.
type Overlay struct {
	base   blockdev.Device
	size   int64
	locks  [stripes]sync.RWMutex
	leaves []*leaf // nil: all in base. Entry i is guarded by locks[i%stripes]
	store  store
	log    *commits // of a named overlay; else nil
}

// New makes a throw-away overlay: its changes are gone after Close.
func New(base blockdev.Device, o Options) (*Overlay, error) {
	return newOverlay(base, newScratch(o))
}

func newOverlay(base blockdev.Device, s store) (*Overlay, error) {
	size := base.Size()
	if size < 0 || size > maxSize {
		return nil, fmt.Errorf("overlay: a base of %d bytes: %w", size, blockdev.ErrRange)
	}
	n := (size + leafBytes - 1) / leafBytes
	return &Overlay{base: base, size: size, leaves: make([]*leaf, n), store: s}, nil
}

// Size is the base's length in bytes.
func (o *Overlay) Size() int64 { return o.size }

// SectorSize is the base's.
func (o *Overlay) SectorSize() int { return o.base.SectorSize() }

// Used is how many bytes of changes are kept.
func (o *Overlay) Used() int64 { return o.store.used() }

// Close throws the changes away, or, for a named overlay, flushes and closes
// it. No other call may be running.
func (o *Overlay) Close() error {
	err := o.Flush(context.Background())
	return errors.Join(err, o.store.close())
}

// Flush makes a named overlay's changes durable. A throw-away one has nothing
// to make durable. A failed Flush is final: what reached the disk is unknown,
// so that every later Flush fails too.
func (o *Overlay) Flush(ctx context.Context) error {
	if o.log == nil {
		return nil
	}
	return o.log.flush(ctx, o)
}

// lock returns the lock of leaf i.
func (o *Overlay) lock(i int64) *sync.RWMutex { return &o.locks[i%stripes] }

// piece is the part of a request that lies under one leaf.
type piece struct {
	leaf  int64
	page  int // first page under the leaf
	in    int // first byte in that page
	bytes int
}

func cut(off int64, n int64) piece {
	in := off % leafBytes
	return piece{off / leafBytes, int(in / pageSize), int(in % pageSize), int(min(n, leafBytes-in))}
}

// ReadAtContext reads as [blockdev.Device] says.
func (o *Overlay) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, blockdev.ErrRange
	}
	want := int(max(0, min(int64(len(p)), o.size-off)))
	for done := 0; done < want; {
		c := cut(off+int64(done), int64(want-done))
		if err := o.readPiece(ctx, p[done:done+c.bytes], c); err != nil {
			return done, err
		}
		done += c.bytes
	}
	if want < len(p) {
		return want, io.EOF
	}
	return want, nil
}

// readPiece reads changed pages under the lock and the rest, which never
// changes, without it.
func (o *Overlay) readPiece(ctx context.Context, p []byte, c piece) error {
	below, err := o.readChanged(p, c)
	if err != nil {
		return err
	}
	start := c.leaf*leafBytes + int64(c.page*pageSize+c.in)
	for _, r := range below {
		if err := blockdev.ReadFull(ctx, o.base, p[r.from:r.to], start+int64(r.from)); err != nil {
			return err
		}
	}
	return nil
}

type span struct{ from, to int } // bytes of a request

func (o *Overlay) readChanged(p []byte, c piece) (below []span, err error) {
	l := o.lock(c.leaf)
	l.RLock()
	defer l.RUnlock()
	m := o.leaves[c.leaf]
	if m == nil {
		return []span{{0, len(p)}}, nil
	}
	for at := 0; at < len(p) && err == nil; {
		n, s, in := run(m, c, at, len(p))
		switch {
		case s == inBase:
			below = append(below, span{at, at + n})
		case s < firstSlot:
			clear(p[at : at+n])
		default:
			err = o.store.readAt(p[at:at+n], s, in)
		}
		at += n
	}
	return below, err
}

// run returns how many bytes from byte at of the piece have one fate: equal
// words, or slots that follow each other.
func run(m *leaf, c piece, at, end int) (n int, s slot, in int) {
	pos := c.in + at
	k := c.page + pos/pageSize
	s, in = m[k], pos%pageSize
	n = pageSize - in
	for next := s; at+n < end; n += pageSize {
		k++
		if next >= firstSlot {
			next++
		}
		if m[k] != next {
			break
		}
	}
	return min(n, end-at), s, in
}

// Extents yields what changed and, between that, what the base says.
func (o *Overlay) Extents(ctx context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	if err := blockdev.Check(off, n, o.size); err != nil {
		return err
	}
	add, flush := blockdev.Merge(yield)
	more := true
	tell := func(off, n int64, k blockdev.Kind) bool { more = add(off, n, k); return more }
	for end := off + n; off < end && more; {
		next, kind, below := o.fate(off, end)
		if !below {
			tell(off, next-off, kind)
		} else if err := o.base.Extents(ctx, off, next-off, tell); err != nil {
			return err
		}
		off = next
	}
	flush()
	return ctx.Err()
}

// fate returns up to where the pages from off on are alike, and what they are.
func (o *Overlay) fate(off, end int64) (next int64, k blockdev.Kind, below bool) {
	word := o.wordAt(off)
	for next = off; next < end; {
		to := o.alike(next, end, word)
		if to == next {
			break
		}
		next = to
	}
	kinds := [...]blockdev.Kind{zeroPage: blockdev.Zero, holePage: blockdev.Hole, firstSlot: blockdev.Data}
	return max(next, min(end, (off/pageSize+1)*pageSize)), kinds[word], word == inBase
}

// wordAt returns the word of the page at off; firstSlot stands for any slot.
func (o *Overlay) wordAt(off int64) slot {
	c := cut(off, 1)
	l := o.lock(c.leaf)
	l.RLock()
	defer l.RUnlock()
	if m := o.leaves[c.leaf]; m != nil {
		return min(m[c.page], firstSlot)
	}
	return inBase
}

// alike returns up to where the pages from off on have the word w, looking no
// further than the end of the leaf.
func (o *Overlay) alike(off, end int64, w slot) int64 {
	c := cut(off, end-off)
	l := o.lock(c.leaf)
	l.RLock()
	defer l.RUnlock()
	m := o.leaves[c.leaf]
	if m == nil && w == inBase || shared(m) && m[0] == w {
		return off + int64(c.bytes)
	}
	if m == nil {
		return off
	}
	for k := c.page; k*pageSize < c.page*pageSize+c.in+c.bytes; k++ {
		if min(m[k], firstSlot) != w {
			return max(off, c.leaf*leafBytes+int64(k*pageSize))
		}
	}
	return off + int64(c.bytes)
}
