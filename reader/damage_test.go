package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// smallImage writes a full and an incremental of a few blocks each and returns
// their paths and what the second point must read as.
func smallImage(t testing.TB) (full, inc string, want shadow) {
	set := readertest.NewSet(t, t.TempDir())
	r := rand.New(rand.NewPCG(8, 8))
	size := int64(100<<20 + 700)
	want = shadow{1: {}}
	write := func(n uint32, kind index.MemberKind, parent readertest.Parent, blocks ...uint64) string {
		list := map[uint64]readertest.Block{}
		for i, b := range blocks {
			blk := readertest.Block{Kind: index.Data, Data: bytes.Repeat(text(r, 16), bs/16)}
			if left := size - int64(b)*bs; left < bs {
				clear(blk.Data[left:])
			}
			if i == 1 {
				blk = readertest.Block{Kind: index.Zero}
			}
			list[b], want[1][b] = blk, blk
		}
		path, _ := set.Write(n, kind, parent, readertest.BareMeta(size), map[uint16]readertest.Stream{1: {Size: size, Blocks: list}})
		return path
	}
	full = write(0, index.Full, nil, 0, 1, 2, 3, 700, 1500, 1600)
	inc = write(1, index.Incremental, open(t, full, Options{}), 3, 4, 1500)
	return full, inc, want
}

// readAll reads every block of a view; each must be right or give a named error.
func readAll(t testing.TB, v *View, want shadow) (failed int) {
	t.Helper()
	b := make([]byte, bs)
	for _, n := range []uint64{0, 1, 2, 3, 4, 5, 699, 700, 701, 1023, 1024, 1500, 1599, 1600} {
		k, err := v.ReadAt(b, int64(n)*bs)
		if good := want.at(1, int64(n)*bs, bs)[:k]; !bytes.Equal(b[:k], good) {
			t.Fatalf("block %d: wrong bytes were returned", n)
		}
		if err != nil && err != io.EOF {
			failed++
			named(t, err)
		}
	}
	return failed
}

// named fails the test if an error is of no class.
func named(t testing.TB, err error) {
	t.Helper()
	for _, class := range []error{index.ErrCorrupt, index.ErrUnfinished, index.ErrNotMember, index.ErrUnsupported, ErrMissing} {
		if errors.Is(err, class) {
			return
		}
	}
	t.Fatalf("an error of no class: %v", err)
}

// try opens a damaged image, reads and verifies it. It returns what failed.
func try(t testing.TB, path string, want shadow) (opened bool, failed int, r *VerifyReport) {
	t.Helper()
	p, err := Open(t.Context(), path, Options{})
	if err != nil {
		named(t, err)
		return false, 0, nil
	}
	defer p.Close()
	failed = readAll(t, p.Disks()[0].View, want)
	if n := readOnce(t, path, want); n != failed {
		t.Fatalf("%d reads failed, %d past the cache", failed, n)
	}
	if r, err = Verify(t.Context(), p, VerifyOptions{Level: Full, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	if failed > 0 && r.OK() {
		t.Fatalf("reads failed, but verify found nothing")
	}
	return true, failed, r
}

// readOnce is readAll past the cache, and with one read over many blocks.
func readOnce(t testing.TB, path string, want shadow) (failed int) {
	t.Helper()
	p := open(t, path, Options{Once: true})
	defer p.Close()
	v := p.Disks()[0].View
	b := make([]byte, 6*bs+100)
	if k, err := v.ReadAt(b, 50); !bytes.Equal(b[:k], want.at(1, 50, int64(len(b)))[:k]) {
		t.Fatal("wrong bytes were returned")
	} else if err != nil {
		named(t, err)
	}
	return readAll(t, v, want)
}

func flipEvery(t *testing.T, step int) {
	full, inc, want := smallImage(t)
	from, to := superseded(t, full)
	for _, path := range []string{full, inc} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := 0; i < len(b); i += step {
			f.WriteAt([]byte{b[i] ^ 1<<(i%8)}, int64(i))
			opened, _, r := try(t, inc, want)
			if opened && r.OK() && r.OtherCount == 0 && len(r.Notes)+len(r.Repaired) == 0 && (path != full || i < from || i >= to) {
				t.Fatalf("%s: byte %d of %d was flipped and verify did not notice", filepath.Base(path), i, len(b))
			}
			f.WriteAt(b[i:i+1], int64(i))
		}
		if opened, failed, r := try(t, inc, want); !opened || failed > 0 || !r.OK() || r.OtherCount > 0 {
			t.Fatalf("the restored file is not sound: %+v", r)
		}
	}
}

// superseded gives the range of a full's index pages that only its own point
// needs: behind its last record, in front of its tail.
func superseded(t *testing.T, path string) (from, to int) {
	b, err := os.ReadFile(path)
	must(t, err)
	r, n := bytes.NewReader(b), int64(len(b))
	h, err := index.ReadHeader(r)
	must(t, err)
	start, _, err := index.CheckTail(r, n)
	must(t, err)
	must(t, index.Scan(r, n, n, h, index.ScanVisitor{Damaged: func(addr, n int64) error { from = int(addr); return nil }}))
	return from, int(start)
}

func TestFlippedBytes(t *testing.T) { flipEvery(t, stride(61)) }

// stride is how far apart damage is tried: with -short, eight times as far. The
// bytes are the same on every system, and under Wine each opening takes long.
func stride(n int) int {
	if testing.Short() {
		return 8 * n
	}
	return n
}

func TestCutFiles(t *testing.T) {
	full, inc, want := smallImage(t)
	for _, path := range []string{full, inc} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(0); n < int64(len(b)); n += int64(stride(1024)) {
			if err := os.Truncate(path, n); err != nil {
				t.Fatal(err)
			}
			opened, _, r := try(t, inc, want)
			if opened && r.OK() {
				t.Fatalf("%s: cut at %d of %d and verify did not notice", filepath.Base(path), n, len(b))
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOneDamagedChunk(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	r := rand.New(rand.NewPCG(1, 8))
	size := int64(64 << 20)
	want := shadow{1: {}}
	for n := range uint64(200) {
		want[1][n] = readertest.Block{Kind: index.Data, Data: bytes.Clone(text(r, bs))}
	}
	ref := index.Ref{Kind: index.Data, Member: 0, Chunk: 77}
	again := want[1][77]
	again.Ref = &ref
	want[1][300] = again // the same chunk at another place
	path, _ := set.Write(0, index.Full, nil, readertest.BareMeta(size), map[uint16]readertest.Stream{1: {Size: size, Blocks: want[1]}})
	p := open(t, path, Options{})
	off := chunkOffset(t, p, ref)
	flip(t, path, off+100)
	v := p.Disks()[0].View
	for _, block := range []int64{77, 300} {
		b := make([]byte, 3*bs)
		n, err := v.ReadAt(b, (block-1)*bs)
		d, ok := errors.AsType[*DamageError](err)
		if !ok || d.Path != path || d.Off != off || n != bs || !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("block %d: %d %v", block, n, err)
		}
		if n, err := v.ReadAt(b[:bs], (block+1)*bs); n != bs || err != nil {
			t.Fatalf("behind it: %v", err)
		}
	}
	rep, err := Verify(t.Context(), p, VerifyOptions{Level: Full})
	if err != nil || rep.DamageCount != 2 || rep.Damage[0].Block != 77 || rep.Damage[1].Block != 300 || rep.Damage[0].Off != off || rep.Chunks != 199 {
		t.Fatalf("%+v %v", rep, err)
	}
}

// chunkOffset is where a chunk's stored bytes begin in member 0's only file.
func chunkOffset(t *testing.T, p *Point, ref index.Ref) int64 {
	t.Helper()
	s, err := p.segment(&p.members[0], ref.Chunk/index.SegmentChunks)
	if err != nil {
		t.Fatal(err)
	}
	addr, _, err := s.Chunk(int(ref.Chunk % index.SegmentChunks))
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func flip(t *testing.T, path string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	f.ReadAt(b, off)
	b[0] ^= 4
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyLevels(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	set.Split = index.MinSplit
	paths, _ := writeChain(t, set, 4, func(i int) int { return i - 1 })
	p := open(t, paths[3], Options{})
	for _, o := range []VerifyOptions{{Level: Quick}, {Level: Structure}, {Level: Sample, Percent: 20}, {Level: Full}} {
		var last VerifyProgress
		phases := []string{}
		o.Progress = func(now VerifyProgress) {
			if now.Phase != last.Phase {
				phases = append(phases, now.Phase)
			} else if now.Done < last.Done || now.Total != last.Total {
				t.Fatalf("progress went from %+v to %+v", last, now)
			}
			last = now
		}
		r, err := Verify(t.Context(), p, o)
		if err != nil || !r.OK() || r.OtherCount > 0 || len(r.Notes) > 0 || len(r.Missing()) > 0 {
			t.Fatalf("%v: %+v %v", o.Level, r, err)
		}
		if last.Done != last.Total {
			t.Errorf("%v: progress ends at %+v", o.Level, last)
		}
		want := []string{"files", "index", "contents"}[:min(int(o.Level)+1, 3)]
		if !slices.Equal(phases, want) {
			t.Errorf("%v: phases %q", o.Level, phases)
		}
		switch {
		case o.Level == Full && (r.Chunks != r.ChunksNeeded || r.Plain != r.Chunks*bs || r.Captured == 0),
			o.Level == Sample && (r.Chunks == 0 || r.Chunks > r.ChunksNeeded/2),
			o.Level < Sample && r.Chunks != 0, len(r.NotProved) == 0:
			t.Errorf("%v: %+v", o.Level, r)
		}
	}
}

func TestVerifyNamesWhatIsMissing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove open files")
	}
	set := readertest.NewSet(t, t.TempDir())
	set.Split = index.MinSplit
	paths, _ := writeChain(t, set, 4, func(i int) int { return i - 1 })
	p := open(t, paths[3], Options{})
	must(t, os.Remove(set.Name(1, 2)))
	must(t, os.Rename(set.Name(2, 0), filepath.Join(t.TempDir(), "away")))
	for _, l := range []Level{Quick, Structure, Full} {
		r, err := Verify(t.Context(), p, VerifyOptions{Level: l})
		if err != nil || r.OK() {
			t.Fatal(r, err)
		}
		miss := r.Missing()
		if len(miss) != 2 || miss[0].Number != 1 || miss[0].Part != 2 || miss[1].Number != 2 {
			t.Fatalf("%v: %v", l, miss)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzImage(f *testing.F) {
	full, inc, _ := smallImage(f)
	for _, path := range []string{full, inc} {
		b, err := os.ReadFile(path)
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.vtr")
		must(t, os.WriteFile(path, b, 0o644))
		p, err := Open(t.Context(), path, Options{CacheBytes: 1, PageCacheBytes: 1 << 20})
		if err != nil {
			return
		}
		defer p.Close()
		readSome(t, p)
		if r, err := Verify(t.Context(), p, VerifyOptions{Level: Full, Workers: 1}); err != nil {
			t.Fatal(fmt.Sprint(r), err)
		}
	})
}

// FuzzRefs writes an index that is sound but lies: its hashes are right, its
// references, sizes and the description of the disk are the fuzzer's.
func FuzzRefs(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 9, 0, 0, 3, 1, 0, 40, 7}, int64(10*bs), int64(0), int64(bs))
	f.Add([]byte{1, 0, 255, 255, 0, 1, 255, 255, 7, 0}, int64(1)<<55, int64(-1), int64(1)<<62)
	f.Fuzz(func(t *testing.T, b []byte, size, off, n int64) {
		if size < 0 || size > 1<<55 {
			return
		}
		set := readertest.NewSet(t, t.TempDir())
		w, out := set.Writer(0, index.Full, nil)
		meta := disk(size, 1, index.Partition{Offset: off, Size: n, Stream: 2}, index.Partition{Offset: n, Size: off, Stream: 1})
		must(t, w.Plan(meta, []index.StreamRoot{{ID: 1, Size: size}, {ID: 2, Size: size / 2}}))
		set.Store(w, 1, 0, readertest.Block{Kind: index.Data, Data: corpus()[:bs]})
		lie(t, w, b)
		_, err := w.Finish(meta)
		must(t, err)
		must(t, out.Close())
		p, err := Open(t.Context(), set.Name(0, 0), Options{CacheBytes: 1, PageCacheBytes: 1 << 20})
		if err != nil {
			return
		}
		defer p.Close()
		readSome(t, p)
		if r, err := Verify(t.Context(), p, VerifyOptions{Level: Full, Workers: 1}); err != nil {
			t.Fatal(fmt.Sprint(r), err)
		}
	})
}

// lie writes the first leaf of both streams with references made of b, five
// bytes each.
func lie(t *testing.T, w *index.Writer, b []byte) {
	var refs [index.LeafBlocks]index.Ref
	for i := 0; i+5 <= len(b) && i/5 < len(refs); i += 5 {
		refs[i/5] = index.Ref{Kind: index.Kind(b[i] % 5)}
		if b[i]%5 == 1 {
			refs[i/5].Member = uint32(b[i+1]) >> 6
			refs[i/5].Chunk = uint64(b[i+2])<<30 | uint64(b[i+3])<<8 | uint64(b[i+4])
		}
	}
	w.Leaf(1, 0, &refs)
	w.Leaf(2, 0, &refs)
}

// readSome reads here and there of every view.
func readSome(t *testing.T, p *Point) {
	buf := make([]byte, 3*bs)
	for _, d := range p.Disks() {
		for _, v := range append([]*View{d.View}, views(d)...) {
			for off := int64(0); off < min(v.Size(), 20*bs); off += 2*bs - 5 {
				v.ReadAt(buf, off)
			}
			n := 0
			v.Extents(t.Context(), 0, v.Size(), func(Extent) bool { n++; return n < 1000 })
		}
	}
}

func views(d *Disk) (list []*View) {
	for _, p := range d.Partitions {
		list = append(list, p.View)
	}
	return list
}
