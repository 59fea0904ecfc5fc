package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// counter counts what is done to files.
type counter struct {
	opens, reads, bytes, open atomic.Int64
	wait                      chan struct{} // reads of more than a page wait for it
}

func (c *counter) openFile(path string) (file, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	c.opens.Add(1)
	if n := c.open.Add(1); n > int64(maxHandles) {
		return nil, fmt.Errorf("%d files are open", n)
	}
	return &countedFile{f, c}, nil
}

type countedFile struct {
	file
	c *counter
}

func (f *countedFile) ReadAt(b []byte, off int64) (int, error) {
	f.c.reads.Add(1)
	f.c.bytes.Add(int64(len(b)))
	if f.c.wait != nil && len(b) > 4096 {
		<-f.c.wait
	}
	return f.file.ReadAt(b, off)
}

func (f *countedFile) Close() error {
	f.c.open.Add(-1)
	return f.file.Close()
}

func (c *counter) since(was *counter) (reads, bytes int64) {
	reads, bytes = c.reads.Load()-was.reads.Load(), c.bytes.Load()-was.bytes.Load()
	was.reads.Store(c.reads.Load())
	was.bytes.Store(c.bytes.Load())
	return reads, bytes
}

// dense writes a full of n data blocks.
func dense(t testing.TB, n int) (path string, want shadow) {
	set := readertest.NewSet(t, t.TempDir())
	r := rand.New(rand.NewPCG(4, 4))
	want = shadow{1: {}}
	for i := range uint64(n) {
		want[1][i] = readertest.Block{Kind: index.Data, Data: text(r, bs)}
	}
	size := int64(n) * bs
	path, _ = set.Write(0, index.Full, nil, readertest.BareMeta(size), map[uint16]readertest.Stream{1: {Size: size, Blocks: want[1]}})
	return path, want
}

func TestReadsOfAColdRead(t *testing.T) {
	path, want := dense(t, 300)
	var c, was counter
	p := open(t, path, Options{open: c.openFile})
	if reads, bytes := c.since(&was); reads > 3 || bytes > 600<<10 {
		t.Errorf("opening: %d reads, %d bytes", reads, bytes)
	}
	v := p.Disks()[0].View
	want.sameAt(t, v, 1, 100*bs+4096, 4096)
	// leaf, directory leaf, head of the segment, chunk
	if reads, bytes := c.since(&was); reads != 4 || bytes > 96<<10 {
		t.Errorf("first 4 KiB: %d reads, %d bytes", reads, bytes)
	}
	want.sameAt(t, v, 1, 110*bs, 4096)
	if reads, bytes := c.since(&was); reads != 1 || bytes > bs {
		t.Errorf("4 KiB of another chunk: %d reads, %d bytes", reads, bytes)
	}
	want.sameAt(t, v, 1, 110*bs+8192, 4096)
	if reads, _ := c.since(&was); reads != 0 {
		t.Errorf("4 KiB of the same chunk: %d reads", reads)
	}
	want.sameAt(t, v, 1, 200*bs, 16*bs)
	if reads, _ := c.since(&was); reads > 6 {
		t.Errorf("16 chunks: %d reads", reads)
	}
	if s := p.Pool().Stats(); s.Loads != 18 {
		t.Errorf("%d chunks were loaded for 18", s.Loads)
	}
}

func TestDecodedOnceForManyReaders(t *testing.T) {
	path, want := dense(t, 10)
	c := counter{}
	p := open(t, path, Options{open: c.openFile, NoReadAhead: true})
	v := p.Disks()[0].View
	want.sameAt(t, v, 1, 0, 1) // index pages are there now
	c.wait = make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { want.sameAt(t, v, 1, 5*bs, 4096) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	wg.Go(func() { // one of them leaves
		for p.Pool().Stats().Loads < 2 {
			time.Sleep(time.Millisecond)
		}
		if _, err := v.ReadAtContext(ctx, make([]byte, 1), 5*bs); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a waiting reader got %v", err)
		}
		close(c.wait)
	})
	wg.Wait()
	if s := p.Pool().Stats(); s.Loads != 2 {
		t.Errorf("%d chunks were loaded", s.Loads)
	}
}

func TestSequentialReadsAreReadAhead(t *testing.T) {
	path, want := dense(t, 400)
	var c counter
	p := open(t, path, Options{open: c.openFile})
	v := p.Disks()[0].View
	for off := int64(0); off < v.Size(); off += 128 << 10 {
		want.sameAt(t, v, 1, off, 128<<10)
	}
	s := p.Pool().Stats()
	if s.Loads != 400 {
		t.Errorf("%d chunks were loaded for 400", s.Loads)
	}
	if n := c.reads.Load(); n > 200 {
		t.Errorf("%d reads of the file for 400 chunks", n)
	}
}

func TestRandomReadsAreNotReadAhead(t *testing.T) {
	path, want := dense(t, 1000)
	p := open(t, path, Options{CacheBytes: 4 << 20})
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		want.sameAt(t, p.Disks()[0].View, 1, r.Int64N(1000)*bs, 4096)
	}
	if s := p.Pool().Stats(); s.Loads > 600 {
		t.Errorf("%d chunks were loaded for 300 reads", s.Loads)
	}
}

func TestCacheKeepsWhatIsUsedAgain(t *testing.T) {
	path, want := dense(t, 1000)
	p := open(t, path, Options{CacheBytes: 8 << 20, NoReadAhead: true})
	v := p.Disks()[0].View
	hot := func() {
		for i := range int64(40) {
			want.sameAt(t, v, 1, i*bs, 4096)
		}
	}
	hot()
	hot()
	for i := int64(40); i < 1000; i++ {
		want.sameAt(t, v, 1, i*bs, bs)
		if i%50 == 0 {
			hot()
		}
	}
	if s := p.Pool().Stats(); s.Loads > 1060 {
		t.Errorf("%d loads: a pass over the disk pushed out what is in use", s.Loads)
	}
}

func TestClosed(t *testing.T) {
	path, _ := dense(t, 10)
	p := open(t, path, Options{})
	v := p.Disks()[0].View
	p.Close()
	if _, err := v.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := v.Extents(t.Context(), 0, 1, func(Extent) bool { return true }); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestHugeHolesAreCheap(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	size := int64(1) << 55
	data := readertest.Block{Kind: index.Data, Data: corpus()[:bs]}
	far := uint64(size/bs) - 3
	path, _ := writeSparse(set, size, map[uint64]readertest.Block{0: data, far: data})
	p := open(t, path, Options{})
	v := p.Disks()[0].View
	n := 0
	must(t, v.Extents(t.Context(), 0, size, func(Extent) bool { n++; return true }))
	if s := p.Pool().Stats(); n != 4 || s.Pages > 3000 {
		t.Errorf("%d extents, %d pages", n, s.Pages)
	}
	if k, err := v.ReadAt(make([]byte, 2*bs), size-bs); k != bs || err != io.EOF {
		t.Error(k, err)
	}
	r, err := Verify(t.Context(), p, VerifyOptions{Level: Full})
	if err != nil || !r.OK() || r.Chunks != 2 {
		t.Errorf("%+v %v", r, err)
	}
}

// writeSparse writes a full without visiting its holes.
func writeSparse(set *readertest.Set, size int64, blocks map[uint64]readertest.Block) (string, error) {
	w, out := set.Writer(0, index.Full, nil)
	meta := readertest.BareMeta(size)
	must(set.T, w.Plan(meta, []index.StreamRoot{{ID: 1, Size: size}}))
	leaves := map[uint64]*[index.LeafBlocks]index.Ref{}
	for n := range blocks {
		leaves[n/index.LeafBlocks] = &[index.LeafBlocks]index.Ref{}
	}
	for leaf := uint64(0); len(leaves) > 0; {
		next := ^uint64(0)
		for l := range leaves {
			next = min(next, l)
		}
		leaf = next
		refs := leaves[leaf]
		for i := range refs {
			if b, ok := blocks[leaf*index.LeafBlocks+uint64(i)]; ok {
				refs[i] = set.Store(w, 1, leaf*index.LeafBlocks+uint64(i), b)
			}
		}
		must(set.T, w.Leaf(1, leaf, refs))
		delete(leaves, leaf)
	}
	_, err := w.Finish(meta)
	must(set.T, err)
	must(set.T, out.Close())
	return set.Name(0, 0), nil
}

func TestThousandMembers(t *testing.T) {
	const members, blocks = 1000, 64 << 10 // 4 GiB
	set := readertest.NewSet(t, t.TempDir())
	r := rand.New(rand.NewPCG(10, 10))
	want, path := shadow{1: {}}, ""
	pool := NewPool(4<<20, 8<<20)
	defer pool.Close()
	var parent readertest.Parent
	var last *Point
	for n := range uint32(members) {
		kind, list := index.Incremental, map[uint64]readertest.Block{}
		if n == 0 {
			kind = index.Full
		}
		for range 3 {
			b := r.Uint64N(blocks)
			list[b] = readertest.Block{Kind: index.Data, Data: text(r, bs)}
			want[1][b] = list[b]
		}
		path, _ = set.Write(n, kind, parent, readertest.BareMeta(blocks*bs), map[uint16]readertest.Stream{1: {Size: blocks * bs, Blocks: list}})
		if last != nil {
			last.Close()
		}
		last = open(t, path, Options{Pool: pool})
		parent = last
	}
	var c, was counter
	p := open(t, path, Options{open: c.openFile})
	if reads, bytes := c.since(&was); reads > 6 || bytes > 600<<10 {
		t.Errorf("opening: %d reads, %d bytes", reads, bytes)
	}
	opens := c.opens.Load()
	if lack := p.Missing(); lack != nil || c.opens.Load() != opens {
		t.Errorf("missing: %d members, after %d files were opened", len(lack), c.opens.Load()-opens)
	}
	v := p.Disks()[0].View
	before := p.Pool().Stats()
	for b := range want[1] {
		want.sameAt(t, v, 1, int64(b)*bs, 4096)
		now := p.Pool().Stats()
		// two inner levels, a patch, its base, a directory, a head
		if n := now.PageReads - before.PageReads; n > 6 {
			t.Fatalf("%d pages were read for one block", n)
		}
		before = now
	}
	for image, want := range map[string]string{set.Dir: path, set.Dir + "@500": set.Name(500, 0)} {
		if got, opened, err := resolveCounted(t, image); err != nil || got != want || len(opened) != 1 {
			t.Errorf("%s: %s %v; opened %q", image, got, err, opened)
		}
	}
	sets, err := ScanDir(t.Context(), set.Dir)
	if err != nil || len(sets) != 1 || len(sets[0].Members) != members {
		t.Fatal(err)
	}
	rep, err := Verify(t.Context(), last, VerifyOptions{Level: Full})
	if err != nil || !rep.OK() || rep.OtherCount > 0 || len(rep.Members) != members {
		t.Fatalf("%+v %v", rep.Damage, err)
	}
}
