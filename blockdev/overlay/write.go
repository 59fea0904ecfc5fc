package overlay

import (
	"context"
	"fmt"
	"slices"

	"vitrine/blockdev"
)

// WriteAtContext writes p at off. Beyond the limit it fails with
// [blockdev.ErrNoSpace].
func (o *Overlay) WriteAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := blockdev.Check(off, int64(len(p)), o.size); err != nil {
		return 0, err
	}
	done := 0
	err := o.change(ctx, off, int64(len(p)), func(c piece, whole bool) error {
		b := p[done : done+c.bytes]
		done += c.bytes
		if whole {
			return o.writePages(b, c)
		}
		return o.writePart(ctx, b, c)
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// ZeroRange makes the range read as zeros, as a hole if asked to. Whole pages
// cost no space.
func (o *Overlay) ZeroRange(ctx context.Context, off, n int64, hole bool) error {
	if err := blockdev.Check(off, n, o.size); err != nil {
		return err
	}
	word := zeroPage
	if hole {
		word = holePage
	}
	return o.change(ctx, off, n, func(c piece, whole bool) error {
		if whole {
			return o.setPages(c, word)
		}
		return o.zeroPart(ctx, c)
	})
}

// change cuts a range into pieces that are whole pages and pieces that lie
// inside one page, and calls do for each in order. The device's last page is
// whole when it is covered up to the device's end.
func (o *Overlay) change(ctx context.Context, off, n int64, do func(c piece, whole bool) error) error {
	for end := off + n; off < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := cut(off, end-off)
		whole := c.in == 0 && (c.bytes >= pageSize || off+int64(c.bytes) == o.size)
		switch {
		case !whole:
			c.bytes = min(c.bytes, pageSize-c.in)
		case off+int64(c.bytes) != o.size:
			c.bytes -= c.bytes % pageSize
		}
		if err := do(c, whole); err != nil {
			return err
		}
		off += int64(c.bytes)
	}
	return nil
}

func pagesOf(c piece) int { return (c.bytes + pageSize - 1) / pageSize }

// own returns leaf i for changing. The caller holds its lock.
func (o *Overlay) own(i int64) *leaf {
	l := o.leaves[i]
	switch {
	case l == nil:
		l = new(leaf)
	case shared(l):
		own := *l
		l = &own
	}
	o.leaves[i] = l
	return l
}

// writePages writes whole pages. A page's contents are in the store before the
// map says so, so that a failed write changes no page that was in the base.
func (o *Overlay) writePages(p []byte, c piece) error {
	mu := o.lock(c.leaf)
	mu.Lock()
	defer mu.Unlock()
	var next leaf
	m := o.own(c.leaf)
	if err := o.place(m, &next, c); err != nil {
		return err
	}
	if err := o.writeRuns(p, &next, c); err != nil {
		o.unplace(m, &next, c)
		return err
	}
	o.adopt(m, &next, c)
	return nil
}

// place fills next with the slots that the pages of c will have.
func (o *Overlay) place(m, next *leaf, c piece) (err error) {
	for k := c.page; k < c.page+pagesOf(c); k++ {
		if next[k] = m[k]; m[k] >= firstSlot {
			continue
		}
		if next[k], err = o.store.alloc(); err != nil {
			c.bytes = (k - c.page) * pageSize
			o.unplace(m, next, c)
			return err
		}
	}
	return nil
}

// unplace gives back the slots that place took.
func (o *Overlay) unplace(m, next *leaf, c piece) {
	for k := c.page; k < c.page+pagesOf(c); k++ {
		if next[k] != m[k] {
			o.store.free(next[k])
		}
	}
}

func (o *Overlay) writeRuns(p []byte, next *leaf, c piece) error {
	for at := 0; at < len(p); {
		n, s, in := run(next, c, at, len(p))
		if err := o.store.writeAt(p[at:at+n], s, in); err != nil {
			return fmt.Errorf("overlay: write: %w", err)
		}
		at += n
	}
	return nil
}

func (o *Overlay) adopt(m, next *leaf, c piece) {
	from, to := c.page, c.page+pagesOf(c)
	if slices.Equal(m[from:to], next[from:to]) {
		o.wrote()
		return
	}
	copy(m[from:to], next[from:to])
	o.touch(c.leaf)
}

// touch notes that leaf i changed, wrote that only contents did.
func (o *Overlay) touch(i int64) {
	if o.log != nil {
		o.log.touch(i)
	}
}

func (o *Overlay) wrote() {
	if o.log != nil {
		o.log.wrote()
	}
}

// writePart writes inside one page. What is below the page cannot change, so
// it is read before the lock is taken.
func (o *Overlay) writePart(ctx context.Context, p []byte, c piece) error {
	page, err := o.below(ctx, c)
	if err != nil {
		return err
	}
	mu := o.lock(c.leaf)
	mu.Lock()
	defer mu.Unlock()
	m := o.own(c.leaf)
	if s := m[c.page]; s >= firstSlot {
		err := o.store.writeAt(p, s, c.in)
		o.wrote() // after the write: a flush in between must not count it
		return err
	}
	if page == nil || m[c.page] != inBase {
		page = make([]byte, pageSize)
	}
	copy(page[c.in:], p)
	return o.addPage(m, page, c)
}

func (o *Overlay) addPage(m *leaf, page []byte, c piece) error {
	s, err := o.store.alloc()
	if err != nil {
		return err
	}
	if err := o.store.writeAt(page, s, 0); err != nil {
		o.store.free(s)
		return fmt.Errorf("overlay: write: %w", err)
	}
	m[c.page] = s
	o.touch(c.leaf)
	return nil
}

// below returns the base's page if the page is still there, else nil.
func (o *Overlay) below(ctx context.Context, c piece) ([]byte, error) {
	off := c.leaf*leafBytes + int64(c.page*pageSize)
	if o.wordAt(off) != inBase {
		return nil, nil
	}
	page := make([]byte, pageSize)
	n := min(pageSize, o.size-off)
	return page, blockdev.ReadFull(ctx, o.base, page[:n], off)
}

// zeroPart zeroes inside one page, unless it is zero already.
func (o *Overlay) zeroPart(ctx context.Context, c piece) error {
	w := o.wordAt(c.leaf*leafBytes + int64(c.page*pageSize))
	if w == zeroPage || w == holePage {
		return nil
	}
	return o.writePart(ctx, make([]byte, c.bytes), c)
}

// setPages gives whole pages the word w and frees their slots. The leaf is
// marked before a slot is free: a flush that recycles the slot then writes the
// leaf as well.
func (o *Overlay) setPages(c piece, w slot) error {
	mu := o.lock(c.leaf)
	mu.Lock()
	defer mu.Unlock()
	o.touch(c.leaf)
	if pagesOf(c) == leafPages {
		o.release(o.leaves[c.leaf], c)
		o.leaves[c.leaf] = map[slot]*leaf{zeroPage: zeroLeaf, holePage: holeLeaf}[w]
		return nil
	}
	m := o.own(c.leaf)
	o.release(m, c)
	for k := c.page; k < c.page+pagesOf(c); k++ {
		m[k] = w
	}
	return nil
}

func (o *Overlay) release(m *leaf, c piece) {
	if m == nil || shared(m) {
		return
	}
	for k := c.page; k < c.page+pagesOf(c); k++ {
		if m[k] >= firstSlot {
			o.store.free(m[k])
		}
	}
}
