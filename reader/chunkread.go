package reader

import (
	"context"

	"vitrine/index"
)

// loadPiece copies a piece's bytes out of the cache, after loading what is not
// in it.
func (p *Point) loadPiece(ctx context.Context, pc *piece) {
	if pc.err = ctx.Err(); pc.err != nil {
		return
	}
	if pc.in+len(pc.dst) > index.BlockSize {
		p.loadGroup(pc.m, pc.ref, (pc.in+len(pc.dst)+index.BlockSize-1)/index.BlockSize)
	}
	for pc.err == nil && pc.n < len(pc.dst) {
		p.copyChunk(ctx, pc)
	}
}

// copyChunk copies what the piece wants next of one chunk.
func (p *Point) copyChunk(ctx context.Context, pc *piece) {
	k, from := pc.at()
	to := min(from+len(pc.dst)-pc.n, index.BlockSize)
	ch, err := p.chunk(ctx, pc.m, pc.ref+k, from, to)
	if err != nil {
		pc.fail(err, k)
		return
	}
	pc.n += copy(pc.dst[pc.n:], ch.buf[from:to])
	p.pool.chunks.release(ch)
}

// at is the chunk of the piece that is wanted next, and where in it.
func (pc *piece) at() (k uint64, in int) {
	return uint64(pc.in+pc.n) / index.BlockSize, (pc.in + pc.n) % index.BlockSize
}

func (pc *piece) fail(err error, k uint64) { pc.err = withBlock(err, pc.stream, int64(pc.block+k)) }

// loadOnce is loadPiece for what is read once: whole chunks are expanded where
// they are wanted, past the cache. What is cut off at the ends of chunks goes
// through it: the next read wants the rest.
func (p *Point) loadOnce(ctx context.Context, pc *piece) {
	group := groupChunks
	for pc.err == nil && pc.n < len(pc.dst) {
		if pc.err = ctx.Err(); pc.err != nil {
			return
		}
		_, in := pc.at()
		whole := min((len(pc.dst)-pc.n)/index.BlockSize, group)
		switch {
		case in > 0 || whole == 0:
			p.copyChunk(ctx, pc)
		case !p.expandInto(pc, whole):
			group = 1 // which of them is it?
		}
	}
}

// expandInto expands n chunks of one segment into the piece. It reports false
// without an error when they cannot be read together.
func (p *Point) expandInto(pc *piece, n int) bool {
	k, _ := pc.at()
	first := pc.ref + k
	seg, err := p.segment(pc.m, first/index.SegmentChunks)
	if err != nil {
		pc.fail(err, k)
		return false
	}
	buf := p.pool.stored.Get().(*[]byte)
	defer p.pool.stored.Put(buf)
	slot := int(first % index.SegmentChunks)
	base, stored, at, err := p.readStored(pc.m, seg, slot, slot+n-1, *buf, false)
	if err != nil {
		if n == 1 {
			pc.fail(slotError(err, seg, slot), k)
		}
		return false
	}
	for i := range n {
		if err := p.expandSlot(pc.dst[pc.n:], pc.m, seg, slot+i, base, stored, at); err != nil {
			pc.fail(err, k+uint64(i))
			return false
		}
		pc.n += index.BlockSize
	}
	return true
}

// expandSlot expands and proves a slot out of the stored bytes from address
// base on, which were read at the place at.
func (p *Point) expandSlot(buf []byte, m *member, seg *index.Segment, slot int, base int64, stored []byte, at place) error {
	addr, sl, err := seg.Chunk(slot)
	if err == nil {
		err = p.pool.decode(buf, &sl, stored[addr-base:][:sl.Len])
	}
	if err != nil {
		where := place{at.path, at.off + addr - base}
		return slotError(p.damage(m, where, err), seg, slot)
	}
	return nil
}

// chunk gives one chunk, pinned. If another goroutine is loading it, that is
// waited for, until ctx ends.
func (p *Point) chunk(ctx context.Context, m *member, n uint64, from, to int) (*chunk, error) {
	c := p.pool.chunks
	for {
		ch, st := c.claim(chunkKey{m.dir, n}, from, to, false)
		switch st {
		case hit:
			return ch, nil
		case mine:
			p.fetch(m, []*chunk{ch}, true)
			if ch.err != nil {
				return nil, ch.err
			}
			return ch, nil
		}
		select {
		case <-ch.done:
			if ch.err != nil {
				return nil, ch.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// loadGroup brings those of n chunks of one segment into the cache that nobody
// else has or loads, at most groupChunks. Errors are left to whoever reads the
// chunks.
func (p *Point) loadGroup(m *member, first uint64, n int) {
	c := p.pool.chunks
	var room [groupChunks]*chunk
	todo := room[:0]
	for k := range uint64(min(n, groupChunks)) {
		switch ch, st := c.claim(chunkKey{m.dir, first + k}, 0, 0, true); st {
		case hit:
			c.release(ch)
		case mine:
			todo = append(todo, ch)
		}
	}
	if len(todo) == 0 {
		return
	}
	p.fetch(m, todo, false)
}

// fetch loads claimed chunks of one segment, in ascending order: one read, then
// each is expanded and proved. Afterwards each has err set, or is in the cache:
// pinned, if keep is set. Without keep no chunk is held while room is awaited
// for another.
func (p *Point) fetch(m *member, todo []*chunk, keep bool) {
	lone := p.pool.loading.Add(1) == 1
	defer p.pool.loading.Add(-1)
	seg, err := p.segment(m, todo[0].key.chunk/index.SegmentChunks)
	if err != nil {
		p.failAll(todo, err)
		return
	}
	buf := p.pool.stored.Get().(*[]byte)
	defer p.pool.stored.Put(buf)
	slot := func(ch *chunk) int { return int(ch.key.chunk % index.SegmentChunks) }
	base, stored, at, err := p.readStored(m, seg, slot(todo[0]), slot(todo[len(todo)-1]), *buf, lone)
	if err != nil && len(todo) > 1 {
		for i := range todo {
			p.fetch(m, todo[i:i+1], keep)
		}
		return
	}
	if err != nil {
		p.failAll(todo, slotError(err, seg, slot(todo[0])))
		return
	}
	for _, ch := range todo {
		p.pool.chunks.room(ch)
		if err := p.expandSlot(ch.buf, m, seg, slot(ch), base, stored, at); err != nil {
			p.pool.chunks.fail(ch, err)
			continue
		}
		p.pool.chunks.ready(ch, keep)
	}
}

// readStored reads the stored bytes of slots first to last of a segment. base
// is their address. A lone read is the only one that loads anything.
func (p *Point) readStored(m *member, seg *index.Segment, first, last int, buf []byte, lone bool) (base int64, stored []byte, at place, err error) {
	base, _, err = seg.Chunk(first)
	if err != nil {
		return 0, nil, at, p.damage(m, at, err)
	}
	end, sl, err := seg.Chunk(last)
	if err != nil {
		return 0, nil, at, p.damage(m, at, err)
	}
	n := int(end + int64(sl.Len) - base)
	w := viaCache
	if p.pool.fresh.take(m.dir, seg.Number, first, last, n) {
		w = pastCache
		if lone {
			w = pastAwake
		}
	}
	stored, at, err = p.find.readAny(m, buf, base, n, w)
	if err != nil {
		err = p.damage(m, at, err)
	}
	return base, stored, at, err
}

func (p *Point) failAll(todo []*chunk, err error) {
	for _, ch := range todo {
		p.pool.chunks.fail(ch, err)
	}
}

// slotError adds to damage which block the slot was stored for.
func slotError(err error, seg *index.Segment, slot int) error {
	_, sl, e := seg.Chunk(slot)
	if e != nil {
		return err
	}
	return withBlock(err, int(sl.Stream), int64(sl.Block))
}
