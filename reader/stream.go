package reader

import (
	"context"
	"sort"
	"sync"

	"vitrine/index"
)

// stream is the address space of one partition, or of a disk's space outside
// partitions.
type stream struct {
	p          *Point
	id         uint16
	size       int64
	blocks     *index.Map
	unreadable []index.Range // sorted, apart, within the stream
}

func (p *Point) newStreams() map[uint16]*stream {
	list := make(map[uint16]*stream, len(p.tail.Streams))
	for _, s := range p.tail.Streams {
		list[s.ID] = &stream{p: p, id: s.ID, size: s.Size, blocks: index.NewMap(s, p)}
	}
	return list
}

// groupChunks is the number of chunks that one goroutine loads at once, with
// one read of the file.
const groupChunks = 8

// piece is a run of bytes in neighbouring chunks of one segment.
type piece struct {
	m      *member
	ref    uint64 // first chunk
	stream int    // for errors
	block  uint64 // of the stream, for errors
	in     int    // where it begins in the first chunk
	dst    []byte
	n      int // bytes done
	err    error
}

// read fills b from off. The range lies within the stream. It gives the number
// of good bytes before an error.
func (s *stream) read(ctx context.Context, b []byte, off int64) (int, error) {
	if good, err := s.readable(off, int64(len(b))); err != nil {
		if n, e := s.readKinds(ctx, b[:good], off); e != nil {
			return n, e
		}
		return int(good), err
	}
	n, err := s.readKinds(ctx, b, off)
	if err == nil && s.p.o.FillUnreadable {
		s.fill(b, off)
	}
	return n, err
}

// firstUnreadable is the index of the first listed range that ends behind off.
func (s *stream) firstUnreadable(off int64) int {
	return sort.Search(len(s.unreadable), func(i int) bool { return s.unreadable[i].Off+s.unreadable[i].Len > off })
}

// readable gives the number of bytes before one that is listed as unreadable.
func (s *stream) readable(off, n int64) (int64, error) {
	i := s.firstUnreadable(off)
	if s.p.o.FillUnreadable || i == len(s.unreadable) || s.unreadable[i].Off-off >= n {
		return n, nil
	}
	r := s.unreadable[i]
	from := max(r.Off, off)
	return from - off, &UnreadableError{from, r.Off + r.Len - from}
}

// fill clears the listed ranges.
func (s *stream) fill(b []byte, off int64) {
	for i := s.firstUnreadable(off); i < len(s.unreadable); i++ {
		from, to := max(s.unreadable[i].Off-off, 0), min(s.unreadable[i].Off+s.unreadable[i].Len-off, int64(len(b)))
		if from >= to {
			return
		}
		clear(b[from:to])
	}
}

// readKinds reads what the map says is there.
func (s *stream) readKinds(ctx context.Context, b []byte, off int64) (int, error) {
	var few [4]piece
	pieces, planned, perr := s.plan(few[:0], b, off)
	if n, err := s.p.load(ctx, pieces, b); err != nil {
		return n, err
	}
	return planned, perr
}

// plan clears what needs no data and lists the pieces of what does. It gives
// the number of bytes it got to, which is less than len(b) with an error.
func (s *stream) plan(pieces []piece, b []byte, off int64) ([]piece, int, error) {
	for done := 0; done < len(b); {
		at := off + int64(done)
		block, in := uint64(at/index.BlockSize), int(at%index.BlockSize)
		ref, run, err := s.blocks.Lookup(block)
		if err != nil {
			return pieces, done, s.blockError(err, block)
		}
		n := min(len(b)-done, int(min(run, maxRun))*index.BlockSize-in)
		dst := b[done : done+n]
		switch ref.Kind {
		case index.Data:
			m, err := s.p.member(ref.Member)
			if err != nil {
				return pieces, done, s.blockError(err, block)
			}
			pieces = s.appendPieces(pieces, piece{m: m, ref: ref.Chunk, stream: int(s.id), block: block, in: in, dst: dst})
		case index.Unreadable:
			if !s.p.o.FillUnreadable {
				return pieces, done, &UnreadableError{at, min(int64(run)*index.BlockSize-int64(in), s.size-at)}
			}
			clear(dst)
		default:
			clear(dst)
		}
		done += n
	}
	return pieces, len(b), nil
}

// maxRun bounds the blocks taken from one look-up: 1 TiB.
const maxRun = 1 << 24

// blockError adds to damage which block it keeps from being read.
func (s *stream) blockError(err error, block uint64) error {
	return withBlock(err, int(s.id), int64(block))
}

func withBlock(err error, stream int, block int64) error {
	d, ok := err.(*DamageError)
	if !ok || d.Block >= 0 {
		return err
	}
	c := *d
	c.Stream, c.Block = stream, block
	return &c
}

// appendPieces cuts one run of chunks at the ends of segments and to groups
// small enough to be worth doing in parallel; who reads everything once does
// that in parallel already.
func (s *stream) appendPieces(pieces []piece, whole piece) []piece {
	chunks := (whole.in + len(whole.dst) + index.BlockSize - 1) / index.BlockSize
	group := min(max((chunks+1)/2, 1), groupChunks)
	if s.p.o.Once {
		group = index.SegmentChunks
	}
	for len(whole.dst) > 0 {
		left := int(index.SegmentChunks - whole.ref%index.SegmentChunks)
		n := min(group, left)*index.BlockSize - whole.in
		n = min(n, len(whole.dst))
		head := whole
		head.dst = whole.dst[:n]
		pieces = append(pieces, head)
		took := uint64((whole.in + n) / index.BlockSize)
		whole.dst, whole.in, whole.ref, whole.block = whole.dst[n:], 0, whole.ref+took, whole.block+took
	}
	return pieces
}

// load reads the pieces of b, in parallel as far as helpers are free. It gives
// the first error and the number of good bytes of b before it.
func (p *Point) load(ctx context.Context, pieces []piece, b []byte) (int, error) {
	switch {
	case p.o.Once:
		for i := range pieces {
			p.loadOnce(ctx, &pieces[i])
		}
	case len(pieces) == 1:
		p.loadPiece(ctx, &pieces[0])
	default:
		p.loadAll(ctx, pieces)
	}
	for i := range pieces {
		if pc := &pieces[i]; pc.err != nil {
			return cap(b) - cap(pc.dst) + pc.n, pc.err
		}
	}
	return len(b), nil
}

func (p *Point) loadAll(ctx context.Context, pieces []piece) {
	var wg sync.WaitGroup
	for i := len(pieces) - 1; i >= 0; i-- {
		select {
		case p.pool.help <- struct{}{}:
			wg.Go(func() {
				p.loadPiece(ctx, &pieces[i])
				<-p.pool.help
			})
		default:
			p.loadPiece(ctx, &pieces[i])
		}
	}
	wg.Wait()
}
