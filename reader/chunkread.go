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
	for pc.n < len(pc.dst) {
		from := (pc.in + pc.n) % index.BlockSize
		k := uint64(pc.in+pc.n) / index.BlockSize
		to := min(from+len(pc.dst)-pc.n, index.BlockSize)
		ch, err := p.chunk(ctx, pc.m, pc.ref+k, from, to)
		if err != nil {
			pc.err = withBlock(err, pc.stream, int64(pc.block+k))
			return
		}
		pc.n += copy(pc.dst[pc.n:], ch.buf[from:to])
		p.pool.chunks.release(ch)
	}
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
	seg, err := p.segment(m, todo[0].key.chunk/index.SegmentChunks)
	if err != nil {
		p.failAll(todo, err)
		return
	}
	buf := p.pool.stored.Get().(*[]byte)
	defer p.pool.stored.Put(buf)
	base, stored, at, err := p.readStored(m, seg, todo, *buf)
	if err != nil && len(todo) > 1 {
		for i := range todo {
			p.fetch(m, todo[i:i+1], keep)
		}
		return
	}
	if err != nil {
		p.failAll(todo, slotError(err, seg, todo[0]))
		return
	}
	for _, ch := range todo {
		addr, sl, err := seg.Chunk(int(ch.key.chunk % index.SegmentChunks))
		if err == nil {
			p.pool.chunks.room(ch)
			err = p.pool.decode(ch.buf, &sl, stored[addr-base:][:sl.Len])
		}
		if err != nil {
			where := place{at.path, at.off + addr - base}
			p.pool.chunks.fail(ch, slotError(p.damage(m, where, err), seg, ch))
			continue
		}
		p.pool.chunks.ready(ch, keep)
	}
}

// readStored reads the stored bytes from the first to the last of todo. base is
// their address.
func (p *Point) readStored(m *member, seg *index.Segment, todo []*chunk, buf []byte) (base int64, stored []byte, at place, err error) {
	base, _, err = seg.Chunk(int(todo[0].key.chunk % index.SegmentChunks))
	if err != nil {
		return 0, nil, at, p.damage(m, at, err)
	}
	end, sl, err := seg.Chunk(int(todo[len(todo)-1].key.chunk % index.SegmentChunks))
	if err != nil {
		return 0, nil, at, p.damage(m, at, err)
	}
	stored = buf[:end+int64(sl.Len)-base]
	at, err = p.read(m, stored, base)
	return base, stored, at, err
}

func (p *Point) failAll(todo []*chunk, err error) {
	for _, ch := range todo {
		p.pool.chunks.fail(ch, err)
	}
}

// slotError adds to damage which block the chunk was stored for.
func slotError(err error, seg *index.Segment, ch *chunk) error {
	_, sl, e := seg.Chunk(int(ch.key.chunk % index.SegmentChunks))
	if e != nil {
		return err
	}
	return withBlock(err, int(sl.Stream), int64(sl.Block))
}
