package cli

import (
	"context"
	"fmt"
	"slices"

	"vitrine/volume"
)

// Bounds of a walk through folders.
const (
	maxLevels   = 16384   // folders in each other: as many as the longest path of Windows names
	heldEntries = 8 << 20 // bytes of the entries of outer folders
)

// tooDeep is why a folder was not gone into.
func tooDeep(most int) error { return fmt.Errorf("more than %d folders in each other", most) }

// trail is the path of what a walk has come to. There is one for all folders that it
// is in: their own paths would take memory in the square of the depth.
type trail []byte

// down goes on to a name, as join does, and tells where up leads back to.
func (t *trail) down(name string) (from int) {
	if from = len(*t); from == 0 || (*t)[from-1] != '/' {
		*t = append(*t, '/')
	}
	*t = append(*t, name...)
	return from
}

func (t *trail) up(to int) { *t = (*t)[:to] }

// heldLists are the entries of the folders that a walk is in. A volume may have long
// folders in each other, thousands deep: those of outer folders are let go once there
// are more inside, and listed again when the walk comes back. So all together they
// take what heldEntries says, or twice what the longest folder does, and a folder
// is listed again only after more than it holds was listed.
type heldLists struct {
	open  []*heldList // the innermost last
	first int         // of them that may hold entries
	bytes int
}

// heldList is the part of a folder that is held.
type heldList struct {
	entries []volume.Entry
	at      int // the next of them
	bytes   int
	gone    bool // was let go
}

func (s *heldLists) enter(l *heldList) { s.open = append(s.open, l) }

func (s *heldLists) leave() {
	n := len(s.open) - 1
	s.bytes -= s.open[n].bytes
	s.open[n] = nil
	s.open, s.first = s.open[:n], min(s.first, n)
}

// hold gives entries to one of the innermost two, and lets go of others. Two are
// kept, as two trees may be compared.
func (s *heldLists) hold(l *heldList, entries []volume.Entry) {
	s.bytes -= l.bytes
	*l = heldList{entries: entries, bytes: entriesBytes(entries)}
	s.bytes += l.bytes
	s.first = min(s.first, max(0, len(s.open)-2))
	for ; s.first < len(s.open)-2; s.first++ {
		out := s.open[s.first]
		if s.bytes-out.bytes <= max(heldEntries, out.bytes) {
			return
		}
		s.bytes -= out.bytes
		*out = heldList{gone: true}
	}
}

// entriesBytes is about what entries take.
func entriesBytes(entries []volume.Entry) int {
	n := 256 * len(entries)
	for i := range entries {
		n += len(entries[i].Name)
	}
	return n
}

// inOrder goes through a folder in the order of sortByName.
type inOrder struct {
	heldList
	of   *heldLists
	list func() []volume.Entry // the whole folder, in order
	last string                // name of the entry that next gave
	same int                   // entries of that name that it gave
}

// inOrder enters a folder, which ends with of.leave. bad is told once when the folder
// cannot be read whole; keep chooses among what is read, more than once, perhaps.
func (f finder) inOrder(ctx context.Context, of *heldLists, dir volume.ID, bad func(error), keep func([]volume.Entry) []volume.Entry) *inOrder {
	told := false
	o := &inOrder{of: of, list: func() []volume.Entry {
		all, err := f.list(ctx, dir)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !told {
			told = true
			bad(err)
		}
		return keep(all)
	}}
	of.enter(&o.heldList)
	of.hold(&o.heldList, o.list())
	return o
}

func keepAll(entries []volume.Entry) []volume.Entry { return entries }

// peek is the entry that next will give, nil at the end. It is valid until a folder
// is entered, and so is what it points to.
func (o *inOrder) peek() *volume.Entry {
	if o.gone {
		o.of.hold(&o.heldList, o.list())
		o.resume()
	}
	if o.at == len(o.entries) {
		return nil
	}
	return &o.entries[o.at]
}

// resume finds the place in a new list.
func (o *inOrder) resume() {
	last := nameKeyOf(o.last)
	o.at, _ = slices.BinarySearchFunc(o.entries, last, func(e volume.Entry, k nameKey) int { return nameKeyOf(e.Name).compare(k) })
	for n := o.same; n > 0 && o.at < len(o.entries) && o.entries[o.at].Name == o.last; n-- {
		o.at++
	}
}

func (o *inOrder) next() *volume.Entry {
	e := o.peek()
	if e == nil {
		return nil
	}
	if o.at++; e.Name != o.last {
		o.last, o.same = e.Name, 0
	}
	o.same++
	return e
}

// inBatches goes through a folder in the volume's order, a batch at a time: folders
// may be huge.
type inBatches struct {
	heldList
	of    *heldLists
	f     finder
	dir   volume.ID
	bad   func(error) // is told what a batch lacks; nil: nobody
	after uint64      // cookie of the entry that next gave
	err   error       // of the batch
	more  bool        // there may be another one
}

// inBatches enters a folder, which ends with of.leave.
func (f finder) inBatches(of *heldLists, dir volume.ID, bad func(error)) *inBatches {
	b := &inBatches{of: of, f: f, dir: dir, bad: bad, more: true}
	of.enter(&b.heldList)
	return b
}

// next gives an entry, nil at the end. It is valid until a folder is entered, and so
// is what it points to.
func (b *inBatches) next(ctx context.Context) *volume.Entry {
	for b.at == len(b.entries) {
		if b.err != nil && b.bad != nil {
			b.bad(b.err)
		}
		b.err = nil
		if !b.more && !b.gone || ctx.Err() != nil {
			return nil
		}
		b.read(ctx)
	}
	e := &b.entries[b.at]
	b.at, b.after = b.at+1, e.Cookie
	return e
}

func (b *inBatches) read(ctx context.Context) {
	var batch []volume.Entry
	b.err = b.f.fs.ReadDir(ctx, b.dir, b.after, true, func(e *volume.Entry) bool {
		own := *e
		b.f.fillAttr(ctx, &own)
		batch = append(batch, own)
		return len(batch) < folderBatch
	})
	b.more = len(batch) == folderBatch
	b.of.hold(&b.heldList, batch)
}
