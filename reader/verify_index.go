package reader

import (
	"errors"
	"iter"
	"math/bits"
	"slices"
	"sort"

	"vitrine/index"
)

// reach is the set of a member's chunks that a point consists of: 8 bytes for
// 64 chunks.
type reach struct {
	leaves map[uint32]*[reachLeaf]uint64
}

const reachLeaf = 512 // segments

// mask gives the slots of a segment that are needed.
func (r *reach) mask(seg uint32) uint64 {
	if l := r.leaves[seg/reachLeaf]; l != nil {
		return l[seg%reachLeaf]
	}
	return 0
}

// set enters slots of a segment and gives the number of those that are new.
func (r *reach) set(seg uint32, mask uint64) int64 {
	if r.leaves == nil {
		r.leaves = map[uint32]*[reachLeaf]uint64{}
	}
	l := r.leaves[seg/reachLeaf]
	if l == nil {
		l = new([reachLeaf]uint64)
		r.leaves[seg/reachLeaf] = l
	}
	added := mask &^ l[seg%reachLeaf]
	l[seg%reachLeaf] |= mask
	return int64(bits.OnesCount64(added))
}

func (r *reach) clear(seg uint32) {
	if l := r.leaves[seg/reachLeaf]; l != nil {
		l[seg%reachLeaf] = 0
	}
}

// all gives the segments in ascending order.
func (r *reach) all() iter.Seq2[uint32, uint64] {
	return func(yield func(uint32, uint64) bool) {
		var keys []uint32
		for k := range r.leaves {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			for i, mask := range r.leaves[k] {
				if mask != 0 && !yield(k*reachLeaf+uint32(i), mask) {
					return
				}
			}
		}
	}
}

// index walks the maps of all streams, which proves their pages, and enters
// what the point consists of.
func (v *verifier) index() error {
	v.p.loaded = func(p index.PagePtr) {
		v.pages[p.Member] = append(v.pages[p.Member], interval{p.Off, p.Off + int64(p.Len)})
	}
	total, done := int64(0), int64(0)
	for _, s := range v.p.tail.Streams {
		total += s.Size
	}
	for _, s := range v.p.tail.Streams {
		err := v.walk(v.p.streams[s.ID], func(block, run uint64, ref index.Ref) {
			v.count(v.p.streams[s.ID], ref.Kind, int64(block), int64(run))
			v.progress("index", done+min(int64(block+run)*index.BlockSize, s.Size), total, v.p.path)
			if ref.Kind == index.Data {
				v.enter(int(s.ID), block, run, ref)
			}
		}, v.damage)
		if err != nil {
			return err
		}
		done += s.Size
	}
	v.directories()
	v.p.loaded = nil
	return nil
}

// directories reads the segment directories to their ends, so that all their
// pages are proved.
func (v *verifier) directories() {
	for i := range v.p.members {
		if v.r.Members[i].Err != nil {
			v.unmapped = true
			continue
		}
		m := &v.p.members[i]
		if err := index.Segments(m.Dir, v.p, func(uint32, index.SegmentPtr) error { return v.ctx.Err() }); err != nil && v.ctx.Err() == nil {
			v.unmapped = true
			v.note(v.p.damage(m, place{}, err))
		}
	}
}

func (v *verifier) count(s *stream, k index.Kind, block, run int64) {
	from, to := block*index.BlockSize, min((block+run)*index.BlockSize, s.size)
	n := to - from
	switch k {
	case index.Data:
		v.r.Captured += n
	case index.Zero:
		v.r.Zero += n
	case index.NotCaptured:
		v.r.NotCaptured += n
	case index.Unreadable:
		v.r.Unreadable += v.seen(s, from, to)
	}
}

// seen gives how many of the bytes [from, to) of a stream the disks show.
func (v *verifier) seen(s *stream, from, to int64) (n int64) {
	for _, d := range v.p.disks {
		for _, sp := range d.View.spans {
			if sp.s == s {
				n += max(min(to, sp.at+sp.n)-max(from, sp.at), 0)
			}
		}
	}
	return n
}

// walk visits the runs of a stream. Where a page is damaged it calls bad and
// goes on behind what the page covers. What is missing is in the report
// already.
func (v *verifier) walk(s *stream, visit func(block, run uint64, ref index.Ref), bad func(*DamageError)) error {
	blocks := (uint64(s.size) + index.BlockSize - 1) / index.BlockSize
	last, span := "", uint64(0)
	for b := uint64(0); b < blocks; {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		ref, run, err := s.blocks.Lookup(b)
		if err == nil {
			visit(b, run, ref)
			b, last = b+run, ""
			continue
		}
		v.unmapped = true
		if err.Error() == last {
			span *= index.FanOut // the same page again, so it covers more
		} else if last, span = err.Error(), index.LeafBlocks; !errors.Is(err, ErrMissing) {
			bad(asDamage(s.blockError(err, b)))
		}
		b = (b/span + 1) * span
	}
	return nil
}

func asDamage(err error) *DamageError {
	if d, ok := errors.AsType[*DamageError](err); ok {
		return d
	}
	return &DamageError{Stream: -1, Block: -1, Err: err}
}

// enter adds a run of chunks to what the point consists of. Each segment is
// looked up in its directory first, so that an index that lies cannot make the
// set larger than the directories are.
func (v *verifier) enter(stream int, block, run uint64, ref index.Ref) {
	m, err := v.p.member(ref.Member)
	if err != nil {
		v.damage(asDamage(withBlock(err, stream, int64(block))))
		return
	}
	r, n := &v.reach[v.nth(m)], uint64(0)
	for k := uint64(0); k < run; k += n {
		seg, slot := uint32((ref.Chunk+k)/index.SegmentChunks), (ref.Chunk+k)%index.SegmentChunks
		n = min(index.SegmentChunks-slot, run-k)
		err := v.listed(m, r, seg)
		if err == nil {
			v.r.ChunksNeeded += r.set(seg, (1<<n-1)<<slot)
			continue
		}
		if v.unmapped = true; !errors.Is(err, ErrMissing) {
			v.damage(asDamage(withBlock(v.p.damage(m, place{}, err), stream, int64(block+k))))
		}
	}
}

// listed says whether a segment is in its member's directory.
func (v *verifier) listed(m *member, r *reach, seg uint32) error {
	if r.mask(seg) != 0 {
		return nil
	}
	_, err := index.FindSegment(m.Dir, seg, v.p)
	return err
}

// nth is a member's index in the chain.
func (v *verifier) nth(m *member) int {
	return sort.Search(len(v.p.members), func(i int) bool { return v.p.members[i].Number >= m.Number })
}

// spread turns damaged chunks into the blocks of this point that cannot be
// read because of them.
func (v *verifier) spread() error {
	if len(v.bad) == 0 {
		return nil
	}
	for _, s := range v.p.tail.Streams {
		err := v.walk(v.p.streams[s.ID], func(block, run uint64, ref index.Ref) {
			if ref.Kind == index.Data {
				v.spreadRun(int(s.ID), block, run, ref)
			}
		}, func(*DamageError) {})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) spreadRun(stream int, block, run uint64, ref index.Ref) {
	m, err := v.p.member(ref.Member)
	if err != nil {
		return
	}
	nth := v.nth(m)
	for k := range run {
		if d := v.bad[badKey{nth, ref.Chunk + k}]; d != nil {
			c := *d
			c.Stream, c.Block = stream, int64(block+k)
			v.damage(&c)
		}
	}
}
