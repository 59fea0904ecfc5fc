package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/index"
	"vitrine/volume"
)

// memSource is a source in memory.
type memSource []byte

func (m memSource) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}
func (m memSource) Size() int64 { return int64(len(m)) }

// mix fills b with text, noise and zeros.
func mix(b []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	noise := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	for len(b) > 0 {
		n := min(1+r.IntN(200<<10), len(b))
		switch r.IntN(3) {
		case 0:
			noise.Read(b[:n])
		case 1: // the same noise again and again
			noise.Read(b[:min(n, 1+r.IntN(20<<10))])
			for at := 20 << 10; at < n; at += 20 << 10 {
				copy(b[at:n], b[:20<<10])
			}
		}
		b = b[n:]
	}
}

// thin is mostly zeros, with something in every MiB or so.
func thin(n int, seed uint64) memSource {
	src := make(memSource, n)
	for at := 0; at+300<<10 < n; at += 1 << 20 {
		mix(src[at:at+300<<10], seed+uint64(at))
	}
	return src
}

// fakeFS is a file system for tests: it says what is used.
type fakeFS struct {
	used  []extent
	files map[string][]extent
	notes []string
	err   error
	bad   map[string]error // of FileExtents
}

func (f *fakeFS) open(r io.ReaderAt, size int64) (volume.UsedSpace, error) {
	if f == nil {
		return nil, volume.ErrUnsupported
	}
	return f, f.err
}
func (f *fakeFS) ClusterSize() int64 { return 4096 }
func (f *fakeFS) Used(ctx context.Context, yield func(extent) bool) error {
	for _, e := range f.used {
		if !yield(e) {
			return nil
		}
	}
	return nil
}
func (f *fakeFS) FileExtents(ctx context.Context, path string) ([]volume.Contents, error) {
	x, ok := f.files[path]
	if err := f.bad[path]; err != nil {
		return nil, err
	}
	if !ok {
		return nil, fs.ErrNotExist
	}
	n := int64(0)
	for _, e := range x {
		n += e.Len
	}
	return []volume.Contents{{Size: n, Extents: x}}, nil
}
func (f *fakeFS) Notes() []string { return f.notes }

// shadowFS is a file system with shadow copies: so many files of their data, each in
// so many runs of a sector every second one, within a room of its own that they fill
// over and over.
type shadowFS struct {
	fakeFS
	volume.FileSystem
	stores, runs int
	room         int64
}

const shadowID = 9 // of the folder

func (f *shadowFS) open(r io.ReaderAt, size int64) (volume.UsedSpace, error) { return f, nil }
func (f *shadowFS) Root() volume.ID                                          { return 5 }
func (f *shadowFS) Lookup(ctx context.Context, dir volume.ID, name string) (volume.Attr, error) {
	if dir != f.Root() || name != shadowDir {
		return volume.Attr{}, fs.ErrNotExist
	}
	return volume.Attr{ID: shadowID, Kind: volume.Dir}, nil
}

func (f *shadowFS) ReadDir(ctx context.Context, dir volume.ID, after uint64, wantAttr bool, yield func(*volume.Entry) bool) error {
	for i := range f.stores {
		if !yield(&volume.Entry{Name: fmt.Sprintf("{%08x-9d2b-11ee-8c1d-806e6f6e6963}%s", i, shadowStore), Kind: volume.File}) {
			break
		}
	}
	return nil
}

func (f *shadowFS) FileExtents(ctx context.Context, path string) ([]volume.Contents, error) {
	name, ok := strings.CutPrefix(path, shadowDir+"/")
	if !ok {
		return f.fakeFS.FileExtents(ctx, path)
	}
	var n int64
	if _, err := fmt.Sscanf(name, "{%x-", &n); err != nil {
		return nil, err
	}
	c := volume.Contents{Size: int64(f.runs) * 512}
	for i := range int64(f.runs) {
		c.Extents = append(c.Extents, extent{Off: n*f.room + i*1024%f.room, Len: 512})
	}
	return []volume.Contents{c}, nil
}

// take captures src and opens the point.
func take(t testing.TB, src Source, o Options, f *fakeFS) (*Result, *testPoint) {
	t.Helper()
	c := newCapturer(src, o)
	c.open = f.open
	res, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res, openPoint(t, res.Path)
}

func TestWholeDisk(t *testing.T) {
	for _, size := range []int{1, 511, 65536, 65537, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 12345, 70 << 20} {
		for _, workers := range []int{1, 3, 8} {
			src := make(memSource, size)
			mix(src, uint64(size))
			src[0] = 7
			res, p := take(t, src, Options{Dir: t.TempDir(), Level: Fastest, Workers: workers}, nil)
			if got := p.readDisk(t); !bytes.Equal(got, src) {
				t.Fatalf("%d bytes, %d workers: another content", size, workers)
			}
			if res.Meta.Disks[0].Partitions[0].Mode != modeAll || len(res.Meta.Disks[0].Partitions[0].Notes) != 1 || res.Incomplete {
				t.Fatalf("%+v", res.Meta.Disks[0])
			}
			if n := res.Meta.Stats.Read; n != int64(size) {
				t.Fatalf("read %d of %d bytes", n, size)
			}
		}
	}
}

func TestLevels(t *testing.T) {
	src := make(memSource, 5<<20)
	mix(src, 3)
	last := int64(1 << 40)
	for _, l := range []Level{None, Fastest, Default, Better, Best} {
		res, p := take(t, src, Options{Dir: t.TempDir(), Level: l, Split: 1 << 20}, nil)
		if !bytes.Equal(p.readDisk(t), src) {
			t.Fatalf("level %v: another content", l)
		}
		if res.Meta.Stats.Stored > last+last/50 || len(res.Parts) < 2 {
			t.Fatalf("level %v stores %d bytes in %d parts", l, res.Meta.Stats.Stored, len(res.Parts))
		}
		last = res.Meta.Stats.Stored
	}
}

// TestUsed checks every kind of block of a partition of which only a part is
// in use.
func TestUsed(t *testing.T) {
	const k = 1 << 10
	src := make(memSource, 3<<20+5000)
	for i := range src {
		src[i] = byte(i>>8) | 1
	}
	clear(src[640*k : 704*k]) // block 10
	f := &fakeFS{
		used: []extent{{Off: 0, Len: 4 * k}, {Off: 60 * k, Len: 72 * k}, {Off: 640 * k, Len: 64 * k}, {Off: 1024 * k, Len: 512 * k}, {Off: int64(len(src)) - 512, Len: 512}},
		files: map[string][]extent{
			"pagefile.sys": {{Off: 1024 * k, Len: 100 * k}, {Off: 1200 * k, Len: 200 * k}},
			"hiberfil.sys": nil, // resident, say
		},
		notes: []string{"a note"},
	}
	res, p := take(t, src, Options{Dir: t.TempDir()}, f)
	want := make([]byte, len(src))
	for _, e := range f.used {
		copy(want[e.Off:end(e)], src[e.Off:])
	}
	for _, e := range f.files["pagefile.sys"] {
		clear(want[e.Off:end(e)])
	}
	if !bytes.Equal(p.readDisk(t), want) {
		t.Fatal("another content")
	}
	got := p.kinds(t, res.Meta.Disks[0].Partitions[0].Stream)
	if got[index.Zero] != 1 || got[index.NotCaptured] != 1+2 || got[index.Data] != 3+8-3+1 || got[index.Hole] != 49-4-8-1 {
		t.Fatalf("kinds %v", got)
	}
	q := res.Meta.Disks[0].Partitions[0]
	if q.Mode != modeUsed || q.Used != (4+72+64+512)*k+512 || len(q.LeftOut) != 1 || q.LeftOut[0].Size != 300*k || !slices.Equal(q.Notes, f.notes) {
		t.Fatalf("%+v", q)
	}
	_, p = take(t, src, Options{Dir: t.TempDir(), AllSectors: true}, f)
	if !bytes.Equal(p.readDisk(t), src) {
		t.Fatal("all sectors: another content")
	}
}

// TestRandomUsed compares random layouts with a byte-wise model.
func TestRandomUsed(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 30 {
		src := make(memSource, 1+r.IntN(6<<20))
		for i := range src {
			src[i] = byte(i>>7) | 1
		}
		f, want := &fakeFS{files: map[string][]extent{}}, make([]byte, len(src))
		for at := int64(0); at < int64(len(src)); {
			e := clip(extent{Off: at + r.Int64N(200<<10), Len: 512 * (1 + r.Int64N(300))}, 0, int64(len(src)))
			if at = end(e) + 1; e.Len > 0 {
				f.used = append(f.used, e)
				copy(want[e.Off:end(e)], src[e.Off:])
			}
			if e.Len > 1000 && r.IntN(3) == 0 {
				x := extent{Off: e.Off + r.Int64N(e.Len/2), Len: e.Len / 3}
				f.files["pagefile.sys"] = append(f.files["pagefile.sys"], x)
				clear(want[x.Off:end(x)])
			}
		}
		_, p := take(t, src, Options{Dir: t.TempDir(), Workers: 1 + r.IntN(8)}, f)
		if !bytes.Equal(p.readDisk(t), want) {
			t.Fatal("another content")
		}
	}
}

// TestIncremental captures a changing source and looks at every point again.
func TestIncremental(t *testing.T) {
	dir, r := t.TempDir(), rand.New(rand.NewPCG(4, 4))
	src := thin(90<<20+4096, 5)
	var states [][]byte
	var paths []string
	o := Options{Dir: dir, Level: Fastest}
	for n := range 6 {
		res, p := take(t, src, o, nil)
		if n > 0 && res.Size > 30*(64<<10)+64<<10 {
			t.Fatalf("member %d has %d bytes", n, res.Size)
		}
		if res.Number != uint32(n) || filepath.Base(res.Path) != baseName("", res.Set, uint32(n))+index.Suffix {
			t.Fatalf("number %d, %s", res.Number, res.Path)
		}
		states, paths = append(states, bytes.Clone(src)), append(paths, res.Path)
		o.Parent = p
		for range 20 {
			at := r.IntN(len(src) - 5000)
			mix(src[at:at+5000], r.Uint64())
		}
		clear(src[r.IntN(80<<20):][:70<<10])
	}
	for n := range states {
		if got := openPoint(t, paths[n]).readDisk(t); !bytes.Equal(got, states[n]) {
			t.Fatalf("point %d: another content", n)
		}
	}
}

// TestUnchanged: a second capture stores metadata alone.
func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	src := thin(200<<20, 6)
	_, p := take(t, src, Options{Dir: dir, Level: Fastest}, nil)
	res, p2 := take(t, src, Options{Dir: dir, Parent: p}, nil)
	if res.Size > 16<<10 || res.Meta.Stats.Chunks != 0 || res.Meta.Stats.Same == 0 {
		t.Fatalf("%d bytes, %+v", res.Size, res.Meta.Stats)
	}
	if !bytes.Equal(p2.readDisk(t), src) {
		t.Fatal("another content")
	}
}

// TestResized: the source grows and shrinks; what is equal is still found.
func TestResized(t *testing.T) {
	dir := t.TempDir()
	src := thin(100<<20, 7)
	_, p := take(t, src, Options{Dir: dir, Level: Fastest}, nil)
	for _, size := range []int{80<<20 + 512, 70 << 20, 1 << 20, 60 << 20} {
		now := make(memSource, size)
		copy(now, src)
		res, p2 := take(t, now, Options{Dir: dir, Parent: p, Force: true}, nil)
		if !bytes.Equal(p2.readDisk(t), now) || size != 60<<20 && res.Meta.Stats.Chunks > 1 {
			t.Fatalf("size %d: another content, or %d chunks", size, res.Meta.Stats.Chunks)
		}
		p = p2
	}
}

func TestParentRefused(t *testing.T) {
	dir := t.TempDir()
	src := make(memSource, 1<<20)
	mix(src, 8)
	_, p := take(t, src, Options{Dir: dir}, nil)
	_, err := Run(t.Context(), src[:1<<19], Options{Dir: dir, Parent: p})
	var pe *ParentError
	if !errors.As(err, &pe) || !errors.Is(err, ErrWrongParent) || pe.Number != 0 {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), src, Options{Dir: dir, Kind: index.Incremental})
	var oe *OptionError
	if !errors.As(err, &oe) {
		t.Fatal(err)
	}
	_, p2 := take(t, src, Options{Dir: dir, Parent: p}, nil)
	if _, err = Run(t.Context(), src, Options{Dir: dir, Parent: p2, Kind: index.Differential}); !errors.As(err, &oe) {
		t.Fatal(err)
	}
	res, _ := take(t, src, Options{Dir: dir, Parent: p, Kind: index.Differential}, nil)
	if res.Number != 2 {
		t.Fatalf("number %d", res.Number)
	}
}

func TestNumbersAreNotReused(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	src := make(memSource, 1<<20)
	mix(src, 8)
	_, p := take(t, src, Options{Dir: dir}, nil)
	r1, _ := take(t, src, Options{Dir: dir, Parent: p}, nil)
	os.Rename(r1.Path, filepath.Join(other, "renamed.vtr.unfinished"))
	r2, _ := take(t, src, Options{Dir: dir, Parent: p, Folders: []string{other}}, nil)
	if r2.Number != 2 {
		t.Fatalf("number %d", r2.Number)
	}
	another := r2.Set
	another[0]++
	for _, c := range []struct {
		name string
		next uint32
	}{
		{r2.Set.String() + "-0006.vtr.unfinished", 7},
		{"pc_" + r2.Set.String() + "-0008-02.vtr", 9},
		{r2.Set.String() + "-0010 (copy).vtr", 11}, // with no header
		{another.String() + "-0020.vtr", 11},
		{r2.Set.String() + "-0030.txt", 11},
	} {
		if err := os.WriteFile(filepath.Join(other, c.name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := nextNumber(r2.Set, []string{dir, other}, 0); n != c.next || err != nil {
			t.Errorf("%s: %d, %v", c.name, n, err)
		}
	}
}

// TestProgress: totals are exact and nothing is done before the end.
func TestProgress(t *testing.T) {
	src := thin(40<<20, 2)
	var events []Event
	o := Options{Dir: t.TempDir(), Level: Better, Progress: func(e Event) { events = append(events, e) }}
	res, _ := take(t, src, o, nil)
	order := []Phase{PhasePlan, PhaseRead, PhaseFinish, PhaseDone}
	for i, e := range events {
		for e.Phase != order[0] {
			order = order[1:]
		}
		if i > 0 && e.Done < events[i-1].Done || e.Phase != PhaseDone && e.Total > 0 && e.Done >= e.Total {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	last := events[len(events)-1]
	if last.Phase != PhaseDone || last.Done != last.Total || last.Total != 40<<20 || last.Stored != res.Meta.Stats.Stored {
		t.Fatalf("%+v", last)
	}
}

// TestCancel: a capture stopped before it stored anything leaves nothing; one
// stopped later leaves an unfinished member.
func TestCancel(t *testing.T) {
	src := thin(60<<20, 2)
	for _, at := range []int64{0, 20 << 20} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		s := &hookSource{memSource: src, hook: func(off int64) {
			if off >= at {
				cancel()
			}
		}}
		c := newCapturer(s, Options{Dir: dir, Level: Fastest})
		c.open = func(io.ReaderAt, int64) (volume.UsedSpace, error) {
			s.armed = true
			return nil, volume.ErrUnsupported
		}
		_, err := c.run(ctx)
		var se *StoppedError
		if !errors.As(err, &se) || !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		if at == 0 && (len(names) > 0 || se.Path != "") || at > 0 && (len(names) != 1 || names[0] != se.Path || se.Kept < 3<<20) {
			t.Fatalf("stopped at %d: %v %v", at, names, se)
		}
	}
}

// hookSource calls hook before each read once it is armed.
type hookSource struct {
	memSource
	armed bool
	hook  func(off int64)
}

func (s *hookSource) ReadAt(p []byte, off int64) (int, error) {
	if s.armed {
		s.hook(off)
	}
	return s.memSource.ReadAt(p, off)
}

func TestVerifyHook(t *testing.T) {
	src := make(memSource, 1<<20)
	want := errors.New("rotten")
	res, err := Run(t.Context(), src, Options{Dir: t.TempDir(), Now: time.Now(), Verify: func(_ context.Context, path string) error {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		return want
	}})
	if !errors.Is(err, want) || res == nil {
		t.Fatal(res, err)
	}
}

// TestFreed: a block of which only some became free is not stored again, as long
// as its old bytes stand there; one with contents that are left out now is.
func TestFreed(t *testing.T) {
	const k = 1 << 10
	src := make(memSource, 4<<20)
	for i := range src {
		src[i] = byte(i>>8)*3 | 1
	}
	f := &fakeFS{used: []extent{{Off: 0, Len: 512 * k}}, files: map[string][]extent{}}
	dir := t.TempDir()
	_, p := take(t, src, Options{Dir: dir}, f)
	f.used = []extent{{Off: 4 * k, Len: 20 * k}, {Off: 32 * k, Len: 28 * k}, {Off: 128 * k, Len: 376 * k}}
	res, q := take(t, src, Options{Dir: dir, Parent: p}, f)
	if res.Meta.Stats.Chunks != 0 {
		t.Errorf("%d blocks stored because of what became free", res.Meta.Stats.Chunks)
	}
	checkUsed := func(q *testPoint) {
		t.Helper()
		got := q.readDisk(t)
		for _, e := range f.used {
			if !bytes.Equal(got[e.Off:end(e)], src[e.Off:end(e)]) {
				t.Errorf("another content at %d", e.Off)
			}
		}
	}
	checkUsed(q)
	clear(src[508*k : 512*k]) // free, and given back to the disk
	src[33*k]++
	res, q = take(t, src, Options{Dir: dir, Parent: p}, f)
	if res.Meta.Stats.Chunks != 2 {
		t.Errorf("%d blocks stored, want 2", res.Meta.Stats.Chunks)
	}
	checkUsed(q)
	f.files["pagefile.sys"] = []extent{{Off: 256 * k, Len: 32 * k}}
	res, q = take(t, src, Options{Dir: dir, Parent: p}, f)
	if got := q.readDisk(t)[256*k:][:32*k]; res.Meta.Stats.Chunks != 3 || !bytes.Equal(got, make([]byte, 32*k)) {
		t.Errorf("%d blocks stored, want 3; what is left out is still there", res.Meta.Stats.Chunks)
	}
}
