package index

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// memOut keeps the parts of a member in memory.
type memOut struct{ parts []*bytes.Buffer }

func newMemOut() *memOut { return &memOut{[]*bytes.Buffer{{}}} }

func (o *memOut) Write(p []byte) (int, error) { return o.parts[len(o.parts)-1].Write(p) }
func (o *memOut) Sync() error                 { return nil }
func (o *memOut) NextPart(n int) error {
	if n != len(o.parts) {
		return fmt.Errorf("part %d after %d", n, len(o.parts))
	}
	o.parts = append(o.parts, &bytes.Buffer{})
	return nil
}

// joined is a member's address space made of its parts.
type joined struct{ out *memOut }

func (j joined) bytes(t testing.TB) []byte {
	b := append([]byte(nil), j.out.parts[0].Bytes()...)
	for _, p := range j.out.parts[1:] {
		h, err := ReadHeader(bytes.NewReader(p.Bytes()))
		if err != nil || h.PartStart != int64(len(b)) {
			t.Fatalf("part starts at %d, want %d: %v", h.PartStart, len(b), err)
		}
		b = append(b, p.Bytes()[HeaderSize:]...)
	}
	return b
}

// chain holds members for tests and serves their pages.
type chain struct {
	members map[uint32][]byte
	tails   map[uint32]*Tail
	reads   int
}

func (c *chain) Page(p PagePtr) (*Page, error) {
	c.reads++
	m := c.members[p.Member]
	if int64(len(m)) < p.Off+int64(p.Len) {
		return nil, io.ErrUnexpectedEOF
	}
	return DecodePage(m[p.Off:][:p.Len], p)
}

func (c *chain) parent(n uint32) *Parent {
	t := c.tails[n]
	return &Parent{UID: t.Self.UID, Root: t.Root, Members: t.Members, Streams: t.Streams, Pages: c}
}

func (c *chain) add(t testing.TB, n uint32, out *memOut) *Tail {
	last := out.parts[len(out.parts)-1].Bytes()
	tail, err := ReadTail(bytes.NewReader(last), int64(len(last)))
	if err != nil {
		t.Fatal(err)
	}
	c.members[n], c.tails[n] = joined{out}.bytes(t), tail
	return tail
}

// stored is the fake stored form of a block: unique and short.
func stored(member uint32, block uint64, r *rand.Rand) []byte {
	b := make([]byte, 20+r.IntN(200))
	copy(b, fmt.Sprintf("m%d b%d ", member, block))
	return b
}

func TestChainAgainstShadow(t *testing.T) {
	for _, split := range []int64{0, MinSplit} {
		t.Run(fmt.Sprint("split ", split), func(t *testing.T) { testChain(t, split) })
	}
}

func testChain(t *testing.T, split int64) {
	r := rand.New(rand.NewPCG(1, 2))
	streams := []StreamRoot{{ID: 0, Size: 300 << 20}, {ID: 7, Size: 9<<30 + 5}, {ID: 9, Size: 12345}}
	shadow := map[uint16]map[uint64]Ref{0: {}, 7: {}, 9: {}}
	c := &chain{map[uint32][]byte{}, map[uint32]*Tail{}, 0}
	for n := range uint32(12) {
		o := WriterOptions{Set: ImageID{1, 2}, Number: n, UID: UID{byte(n), 9}, Kind: Full, Created: int64(n), Split: split}
		if n > 0 {
			o.Kind, o.Parent = Incremental, c.parent(n-1)
		}
		out := newMemOut()
		w, err := NewWriter(out, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Plan(&Meta{Schema: 1}, streams); err != nil {
			t.Fatal(err)
		}
		for _, s := range streams {
			mutate(t, w, n, s, shadow[s.ID], r)
		}
		root, err := w.Finish(&Meta{Schema: 1, Comment: "x"})
		if err != nil {
			t.Fatal(err)
		}
		tail := c.add(t, n, out)
		if tail.Root != root || len(tail.Members) != int(n)+1 || tail.Meta.Comment != "x" {
			t.Fatalf("tail %+v", tail)
		}
		check(t, c, n, shadow)
	}
}

// mutate changes some blocks of a stream in the shadow and the new member.
func mutate(t *testing.T, w *Writer, n uint32, s StreamRoot, shadow map[uint64]Ref, r *rand.Rand) {
	changed := map[uint64]bool{}
	for range 1 + r.IntN(400) {
		b := r.Uint64N(s.Blocks())
		for k := range 1 + r.Uint64N(20) {
			if b+k < s.Blocks() {
				changed[b+k] = true
			}
		}
	}
	leaves := s.Leaves()
	for leaf := range leaves {
		var refs [LeafBlocks]Ref
		any := false
		for i := range refs {
			b := leaf*LeafBlocks + uint64(i)
			refs[i] = shadow[b]
			if !changed[b] {
				continue
			}
			any = true
			refs[i] = Ref{Kind: Kind(r.IntN(5))}
			if refs[i].Kind == Data {
				st := stored(n, b, r)
				ref, err := w.Chunk(Chunk{s.ID, b, Zstd, BlockHash(st), st})
				if err != nil {
					t.Fatal(err)
				}
				refs[i] = ref
			}
			shadow[b] = refs[i]
		}
		if any || leaf%7 == 0 {
			if err := w.Leaf(s.ID, leaf, &refs); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// check compares point n with the shadow, block by block, and reads chunks.
func check(t *testing.T, c *chain, n uint32, shadow map[uint16]map[uint64]Ref) {
	t.Helper()
	for _, s := range c.tails[n].Streams {
		m := NewMap(s, c)
		var refs [LeafBlocks]Ref
		for leaf := range s.Leaves() {
			if err := m.Leaf(leaf, &refs); err != nil {
				t.Fatal(err)
			}
			for i := range refs {
				if want := shadow[s.ID][leaf*LeafBlocks+uint64(i)]; refs[i] != want {
					t.Fatalf("point %d stream %d block %d: %v, want %v", n, s.ID, leaf*LeafBlocks+uint64(i), refs[i], want)
				}
			}
		}
		for b := uint64(0); b < s.Blocks(); {
			ref, run, err := m.Lookup(b)
			if err != nil || run == 0 || ref != shadow[s.ID][b] {
				t.Fatalf("lookup %d: %v %d %v, want %v", b, ref, run, err, shadow[s.ID][b])
			}
			if ref.Kind == Data {
				checkChunk(t, c, n, s.ID, b, ref)
			}
			b += run
		}
	}
}

func checkChunk(t *testing.T, c *chain, n uint32, stream uint16, block uint64, ref Ref) {
	t.Helper()
	var dir PagePtr
	for _, m := range c.tails[n].Members {
		if m.Number == ref.Member {
			dir = m.Dir
		}
	}
	p, err := FindSegment(dir, uint32(ref.Chunk/SegmentChunks), c)
	if err != nil {
		t.Fatal(err)
	}
	b := c.members[ref.Member]
	seg, err := DecodeSegment(b[p.Off:][:p.HeadLen], p)
	if err != nil {
		t.Fatal(err)
	}
	at, sl, err := seg.Chunk(int(ref.Chunk % SegmentChunks))
	if err != nil || sl.Stream != stream || sl.Block != block || CRC(b[at:][:sl.Len]) != sl.CRC || BlockHash(b[at:][:sl.Len]) != sl.Hash {
		t.Fatalf("chunk of block %d: %+v %v", block, sl, err)
	}
}

func TestColdLookupReads(t *testing.T) {
	c := &chain{map[uint32][]byte{}, map[uint32]*Tail{}, 0}
	s := StreamRoot{ID: 1, Size: 64 << 30}
	r := rand.New(rand.NewPCG(3, 4))
	for n := range uint32(100) {
		o := WriterOptions{Number: n, UID: UID{byte(n)}, Kind: Full}
		if n > 0 {
			o.Kind, o.Parent = Incremental, c.parent(n-1)
		}
		out := newMemOut()
		w, _ := NewWriter(out, o)
		w.Plan(&Meta{}, []StreamRoot{s})
		mutate(t, w, n, s, map[uint64]Ref{}, r)
		if _, err := w.Finish(&Meta{}); err != nil {
			t.Fatal(err)
		}
		c.add(t, n, out)
	}
	for range 200 {
		c.reads = 0
		m := NewMap(c.tails[99].Streams[0], c)
		if _, _, err := m.Lookup(r.Uint64N(s.Blocks())); err != nil {
			t.Fatal(err)
		}
		if c.reads > 2+2 { // two inner levels, a patch and its base
			t.Fatalf("%d page reads", c.reads)
		}
	}
}

// small builds a finished member of a few segments and its pages' chain.
func small(t testing.TB) ([]byte, *chain) {
	c := &chain{map[uint32][]byte{}, map[uint32]*Tail{}, 0}
	out := newMemOut()
	w, err := NewWriter(out, WriterOptions{Set: ImageID{5}, UID: UID{6}, Kind: Full})
	if err != nil {
		t.Fatal(err)
	}
	s := StreamRoot{ID: 3, Size: 100 << 20}
	w.Plan(&Meta{Schema: 1}, []StreamRoot{s})
	r := rand.New(rand.NewPCG(5, 6))
	for leaf := range s.Leaves() {
		var refs [LeafBlocks]Ref
		for i := range 60 {
			st := stored(0, leaf*LeafBlocks+uint64(i), r)
			ref, err := w.Chunk(Chunk{3, leaf*LeafBlocks + uint64(i), Zstd, BlockHash(st), st})
			if err != nil {
				t.Fatal(err)
			}
			refs[i] = ref
		}
		w.Leaf(3, leaf, &refs)
		w.Checkpoint()
	}
	if _, err := w.Finish(&Meta{Schema: 1}); err != nil {
		t.Fatal(err)
	}
	c.add(t, 0, out)
	return out.parts[0].Bytes(), c
}

func TestCutEverywhere(t *testing.T) {
	b, _ := small(t)
	for n := 0; n < len(b); n += 1 + (n&^4095)%61 {
		_, err := ReadTail(bytes.NewReader(b[:n]), int64(n))
		if !errors.Is(err, ErrUnfinished) && !(n < 8 && errors.Is(err, ErrNotMember)) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if n < HeaderSize || n%997 != 0 {
			continue
		}
		h, _ := ReadHeader(bytes.NewReader(b))
		segs := 0
		err = Scan(bytes.NewReader(b[:n]), int64(n), int64(n), h, ScanVisitor{
			Segment: func(p SegmentPtr, s *Segment, bad []int) error { segs++; return nil }})
		if err != nil {
			t.Fatalf("scan cut at %d: %v", n, err)
		}
	}
}

func TestFlipEverywhere(t *testing.T) {
	b, c := small(t)
	want := c.tails[0]
	h, _ := ReadHeader(bytes.NewReader(b))
	for i := 0; i < len(b); i += 1 + i%5 {
		b[i] ^= 1 << (i % 8)
		tail, err := ReadTail(bytes.NewReader(b), int64(len(b)))
		if err == nil && (tail.Root != want.Root || tail.Streams[0] != want.Streams[0]) {
			t.Fatalf("byte %d: another root", i)
		}
		if err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
		if i%31 == 0 {
			gaps, bad := 0, 0
			Scan(bytes.NewReader(b), int64(len(b)), want.Self.Dir.Off, h, ScanVisitor{
				Segment: func(_ SegmentPtr, _ *Segment, b []int) error { bad += len(b); return nil },
				Damaged: func(int64, int64) error { gaps++; return nil }})
			if i >= HeaderSize && int64(i) < want.Self.Dir.Off-HeaderSize && gaps+bad == 0 {
				t.Fatalf("byte %d: flipped and not noticed", i)
			}
		}
		b[i] ^= 1 << (i % 8)
	}
}

func TestTrailingGarbage(t *testing.T) {
	b, c := small(t)
	for _, n := range []int{1, 4096, 300 << 10, 1 << 20} {
		g := append(append([]byte(nil), b...), make([]byte, n)...)
		tail, err := ReadTail(bytes.NewReader(g), int64(len(g)))
		if err != nil || tail.Root != c.tails[0].Root || tail.Trailing != int64(n) {
			t.Fatalf("%d bytes behind: %v", n, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, c := small(f)
	f.Add(b[:HeaderSize])
	f.Add(b[len(b)-3*FooterSize:])
	p := c.tails[0].Streams[0].Root
	f.Add(b[p.Off:][:p.Len])
	f.Fuzz(func(t *testing.T, b []byte) {
		decodePage(b, 0)
		decodeMembers(b, 0)
		decodeSuper(b, 0)
		decodeFooter(b)
		if pre, err := decodePreamble(b, 0); err == nil {
			pre.segment(b[PreambleSize:])
		}
		if len(b) >= HeaderSize {
			decodeHeader(b[:HeaderSize])
		}
		ReadTail(bytes.NewReader(b), int64(len(b)))
		Scan(bytes.NewReader(b), int64(len(b)), int64(len(b)), &Header{}, ScanVisitor{})
	})
}

// TestPartsHoldToTheirSize: no part is longer than asked for, whatever its
// segments hold.
func TestPartsHoldToTheirSize(t *testing.T) {
	for _, split := range []int64{MinSplit, 4 << 20, 4<<20 + 1, 5 << 20, 16 << 20} {
		for _, stored := range []int{300, BlockSize} {
			out := newMemOut()
			w, err := NewWriter(out, WriterOptions{Kind: Full, Split: split})
			if err != nil {
				t.Fatal(err)
			}
			s := StreamRoot{ID: 1, Size: 1 << 40}
			w.Plan(&Meta{}, []StreamRoot{s})
			for leaf := range uint64(200) {
				var refs [LeafBlocks]Ref
				for i := 0; i < LeafBlocks && leaf < 1; i++ {
					refs[i], _ = w.Chunk(Chunk{1, leaf*LeafBlocks + uint64(i), Zstd, Hash{byte(i)}, make([]byte, stored)})
				}
				refs[leaf%LeafBlocks] = Ref{Kind: Zero}
				w.Leaf(1, leaf, &refs)
			}
			if _, err := w.Finish(&Meta{}); err != nil {
				t.Fatal(err)
			}
			for i, p := range out.parts {
				if int64(p.Len()) > split {
					t.Errorf("split %d, chunks of %d: part %d has %d bytes", split, stored, i, p.Len())
				}
			}
		}
	}
	w, err := NewWriter(newMemOut(), WriterOptions{Kind: Full, Split: 4 << 30})
	if err != nil || w.o.Split != 1<<32-1 {
		t.Fatal("a part of 4 GiB does not fit a FAT file system", err)
	}
}
