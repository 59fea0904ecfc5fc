package capture

import (
	"context"
	"unsafe"

	"vitrine/index"
	"vitrine/internal/zblock"
)

// A job is one window of a stream on its way from the planner through a worker
// to the appender. It owns its buffers; jobs are reused.
type job struct {
	stream *stream
	leaf   uint64 // of the stream; the window lies within it
	off    int64  // of the window in the stream
	n      int    // blocks
	whole  bool   // not captured: the whole leaf; no blocks here

	used  []extent    // in use, in the stream's addresses
	take  []extent    // used, not left out
	bytes int64       // of take
	was   []index.Ref // the parent's

	plain []byte
	out   []byte

	want, bad, scratch []extent
	blocks             []block
	done               chan struct{}
	err                error
	lost               int64 // unreadable bytes
	uncompared         error
}

// block is what became of one block of a window.
type block struct {
	kind   index.Kind
	same   bool // as in the parent
	codec  index.Codec
	hash   index.Hash
	stored []byte
}

const (
	// window is read as one. All windows on their way fit the second cache, so that
	// what was read is still there when it is hashed.
	window = 256 << 10
	// nearby ranges are read together, gap included.
	nearby = 32 << 10
)

func newJob() *job {
	n := window / index.BlockSize
	return &job{plain: aligned(window + zblock.Slack)[:window], out: make([]byte, 0, window+2*index.BlockSize), was: make([]index.Ref, n), blocks: make([]block, n), done: make(chan struct{}, 1)}
}

// aligned is a buffer that suits direct reading.
func aligned(n int) []byte {
	const align = 4096
	b := make([]byte, n+align)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & (align - 1)
	return b[skip : skip+n : skip+n]
}

func (j *job) reset(s *stream, off int64, n int) {
	j.stream, j.off, j.n, j.whole = s, off, n, false
	j.leaf = uint64(off) / index.BlockSize / index.LeafBlocks
	j.used, j.take, j.want, j.bad = j.used[:0], j.take[:0], j.want[:0], j.bad[:0]
	j.bytes, j.lost, j.err, j.uncompared = 0, 0, nil, nil
	clear(j.blocks)
}

// cover records extents in use inside the window.
func (j *job) cover() {
	for _, e := range j.used {
		j.take = subtract(j.take, e, j.stream.skip)
		j.each(e, func(b int, _ extent) { j.blocks[b].kind = index.NotCaptured })
	}
	for _, e := range j.take {
		j.bytes += e.Len
		j.each(e, func(b int, _ extent) { j.blocks[b].kind = index.Data })
	}
}

// each visits the blocks of the window that e touches, with their part of e.
func (j *job) each(e extent, visit func(b int, part extent)) {
	for b := int((e.Off - j.off) / index.BlockSize); b < j.n; b++ {
		lo := j.off + int64(b)*index.BlockSize
		if lo >= end(e) {
			return
		}
		visit(b, clip(e, lo, lo+index.BlockSize))
	}
}

// worker turns windows into stored blocks.
type worker struct {
	r      *faultReader
	holes  *holes
	enc    *encoder
	parent ParentPoint
	again  []byte // a block with what is free in it
}

func (w *worker) run(ctx context.Context, j *job) {
	if !j.whole && len(j.take) > 0 {
		if j.err = w.read(ctx, j); j.err == nil {
			j.err = w.store(ctx, j)
		}
	}
	j.done <- struct{}{}
}

// read fills the window's plain buffer: what is taken, and zeros around it in
// every block that is touched.
func (w *worker) read(ctx context.Context, j *job) error {
	base := j.stream.off
	for _, e := range j.take {
		j.scratch = w.holes.data(j.scratch[:0], extent{Off: e.Off + base, Len: e.Len})
		for _, d := range j.scratch {
			j.want = append(j.want, extent{Off: d.Off - base, Len: d.Len})
		}
	}
	for i := 0; i < len(j.want); {
		k := i + 1
		for k < len(j.want) && j.want[k].Off-end(j.want[k-1]) < nearby {
			k++
		}
		lo, hi := j.want[i].Off, end(j.want[k-1])
		j.scratch = j.scratch[:0]
		var err error
		if j.scratch, err = w.r.fill(ctx, j.plain[lo-j.off:hi-j.off], lo+base, j.scratch); err != nil {
			return err
		}
		j.noteBad(j.scratch, j.want[i:k])
		i = k
	}
	j.clean()
	return nil
}

// noteBad notes which of the wanted bytes are bad (addresses of the disk).
func (j *job) noteBad(bad, want []extent) {
	for _, b := range bad {
		for _, e := range want {
			if part := clip(e, b.Off-j.stream.off, end(b)-j.stream.off); part.Len > 0 {
				j.bad = append(j.bad, part)
				j.lost += part.Len
			}
		}
	}
}

// clean zeroes what was not wanted, or could not be read, in touched blocks.
func (j *job) clean() {
	at, limit := j.off, j.off+int64(j.n)*index.BlockSize
	for _, e := range j.want {
		j.zero(at, e.Off)
		at = end(e)
	}
	j.zero(at, limit)
	for _, e := range j.bad {
		clear(j.plain[e.Off-j.off:][:e.Len])
	}
}

// zero clears [lo, hi) but for blocks that lie wholly inside.
func (j *job) zero(lo, hi int64) {
	up := min((lo+index.BlockSize-1)/index.BlockSize*index.BlockSize, hi)
	down := max(hi/index.BlockSize*index.BlockSize, up)
	clear(j.plain[lo-j.off : up-j.off])
	clear(j.plain[down-j.off : hi-j.off])
}

// perBlock counts bytes of each block of a window.
type perBlock [window / index.BlockSize]int64

// count gives how many bytes of each block the extents have.
func (j *job) count(list []extent) (n perBlock) {
	for _, e := range list {
		j.each(e, func(b int, part extent) { n[b] += part.Len })
	}
	return n
}

// store decides what becomes of every block. Its error is one that ends the
// capture.
func (w *worker) store(ctx context.Context, j *job) error {
	wanted, lost := j.count(j.want), j.count(j.bad)
	j.out = j.out[:0]
	for i := range j.blocks[:j.n] {
		b := &j.blocks[i]
		if b.kind != index.Data {
			continue
		}
		plain := j.plain[i*index.BlockSize:][:index.BlockSize]
		switch {
		case wanted[i] > 0 && lost[i] == wanted[i]:
			b.kind = index.Unreadable
		case wanted[i] == 0 || isZero(plain):
			b.kind = index.Zero
		default:
			if err := w.data(ctx, j, i, lost[i] == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// data compares a block with the parent's and compresses it if it changed.
func (w *worker) data(ctx context.Context, j *job, i int, whole bool) error {
	b, plain := &j.blocks[i], j.plain[i*index.BlockSize:][:index.BlockSize]
	b.hash = index.BlockHash(plain)
	if was := j.was[i]; was.Kind == index.Data {
		h, err := w.parent.ChunkHash(was)
		if err != nil {
			j.uncompared = err
		} else if b.same = h == b.hash; !b.same && whole {
			if b.same, err = w.freed(ctx, j, i, h); err != nil {
				return err
			}
		}
		if b.same {
			return nil
		}
	}
	b.stored, j.out, b.codec = w.enc.encode(j.out, plain)
	return nil
}

// freed reports whether nothing happened to a block but that some of it became
// free: with what still stands there it is the parent's, whose hash is h, and
// need not be stored again. Blocks with contents that are left out are.
func (w *worker) freed(ctx context.Context, j *job, i int, h index.Hash) (bool, error) {
	at := j.off + int64(i)*index.BlockSize
	block := extent{Off: at, Len: min(index.BlockSize, j.stream.size-at)}
	if j.left(block) {
		return false, nil
	}
	gaps := subtract(j.scratch[:0], block, j.used)
	if j.scratch = gaps; len(gaps) == 0 {
		return false, nil
	}
	if w.again == nil {
		w.again = aligned(index.BlockSize)
	}
	copy(w.again, j.plain[at-j.off:])
	for _, g := range gaps {
		bad, err := w.r.fill(ctx, w.again[g.Off-at:][:g.Len], g.Off+j.stream.off, nil)
		if err != nil || len(bad) > 0 {
			return false, err
		}
	}
	return index.BlockHash(w.again) == h, nil
}

// left reports whether some of e is left out.
func (j *job) left(e extent) bool {
	rest := subtract(nil, e, j.stream.skip)
	return len(rest) != 1 || rest[0] != e
}

// isZero reports whether b, whose length is a multiple of 64, is all zero.
func isZero(b []byte) bool {
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
	for len(words) >= 8 {
		w := words[:8:8]
		if w[0]|w[1]|w[2]|w[3]|w[4]|w[5]|w[6]|w[7] != 0 {
			return false
		}
		words = words[8:]
	}
	return true
}
