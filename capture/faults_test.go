package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"vitrine/volume"

	"vitrine/index"
	"vitrine/reader"
)

// badSource fails in places.
type badSource struct {
	memSource
	bad     []extent // EIO
	short   bool     // now and then gives less than asked, without an error
	flaky   bool     // each place fails once
	partial bool     // gives the bytes in front of a bad place
	end     int64    // where it ends, if not 0
	gone    int64    // from here on ENXIO, if not 0
	mu      sync.Mutex
	seen    map[int64]bool
}

func (s *badSource) ReadAt(p []byte, off int64) (int, error) {
	if s.gone > 0 && off+int64(len(p)) > s.gone {
		return 0, syscall.ENXIO
	}
	for _, e := range s.bad {
		c := clip(e, off, off+int64(len(p)))
		if c.Len == 0 || s.flaky && s.once(off) {
			continue
		}
		if s.partial {
			copy(p, s.memSource[off:c.Off])
			return int(c.Off - off), syscall.EIO
		}
		return 0, syscall.EIO
	}
	m := s.memSource
	if s.end > 0 {
		m = m[:s.end]
	}
	if s.short && len(p) > 1000 {
		p = p[:len(p)/2]
		n, err := m.ReadAt(p, off)
		if n > 0 {
			err = nil
		}
		return n, err
	}
	return m.ReadAt(p, off)
}

// once tells whether a place was asked for before.
func (s *badSource) once(off int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.seen[off]
	s.seen[off] = true
	return was
}

func TestSourceFaults(t *testing.T) {
	src := make(memSource, 4<<20+1000)
	mix(src, 11)
	for i := 0; i < len(src); i += 512 {
		src[i] = 1 // no zero blocks
	}
	bad := []extent{{Off: 512 * 9, Len: 512}, {Off: 100 << 10, Len: 200 << 10}, {Off: 1<<20 - 512, Len: 1024}, {Off: 4 << 20, Len: 1000}}
	kinds := map[string]func(*badSource) []extent{
		"errors":       func(s *badSource) []extent { s.bad = bad; return bad },
		"partial":      func(s *badSource) []extent { s.bad, s.partial = bad, true; return bad },
		"short reads":  func(s *badSource) []extent { s.short = true; return nil },
		"flaky":        func(s *badSource) []extent { s.bad, s.flaky = bad, true; return nil },
		"short errors": func(s *badSource) []extent { s.bad, s.short = bad, true; return bad },
		"shrinks":      func(s *badSource) []extent { s.end = 3 << 20; return []extent{{Off: 3 << 20, Len: 1<<20 + 1000}} },
	}
	for name, set := range kinds {
		t.Run(name, func(t *testing.T) {
			s := &badSource{memSource: src, seen: map[int64]bool{}}
			lost, want := set(s), bytes.Clone(src)
			for _, e := range lost {
				clear(want[e.Off:end(e)])
			}
			res, p := take(t, s, Options{Dir: t.TempDir()}, nil)
			if !bytes.Equal(p.readDisk(t), want) {
				t.Fatal("another content")
			}
			var got []extent
			sum := int64(0)
			for _, r := range res.Meta.Disks[0].Partitions[0].Unreadable {
				got, sum = append(got, extent{Off: r.Off, Len: r.Len}), sum+r.Len
			}
			if len(got) != len(lost) || sum != res.Meta.Stats.Unreadable {
				t.Fatalf("unreadable %v, want %v", got, lost)
			}
			for i := range got {
				if got[i] != lost[i] {
					t.Fatalf("unreadable %v, want %v", got, lost)
				}
			}
			if res.Incomplete != (len(lost) > 0) || len(res.Reasons) != len(res.Meta.Warnings) {
				t.Fatalf("%v %v", res.Incomplete, res.Reasons)
			}
			if n := p.kinds(t, 0)[index.Unreadable]; (n > 0) != (len(lost) > 0) {
				t.Fatalf("%d blocks unreadable", n)
			}
		})
	}
}

func TestSourceGone(t *testing.T) {
	src := thin(40<<20, 12)
	dir := t.TempDir()
	_, err := Run(t.Context(), &badSource{memSource: src, gone: 30 << 20}, Options{Dir: dir})
	var se *StoppedError
	if !errors.As(err, &se) || !errors.Is(err, ErrSourceGone) || se.Output || se.Path == "" {
		t.Fatal(err)
	}
	res, err := Rescue(t.Context(), se.Path, RescueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := openPoint(t, res.Path).readDisk(t); !bytes.Equal(got[:20<<20], src[:20<<20]) {
		t.Fatal("another content")
	}
}

// TestSourceChanges: a raw file that is written to is noticed.
func TestSourceChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raw")
	os.WriteFile(path, make([]byte, 1<<20), 0o600)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &touchedSource{fileSource: fileSource{f, 1 << 20}}
	res, err := Run(t.Context(), s, Options{Dir: t.TempDir()})
	if err != nil || !res.Incomplete || len(res.Reasons) != 1 {
		t.Fatal(res, err)
	}
}

type touchedSource struct {
	fileSource
	once sync.Once
}

func (s *touchedSource) ReadAt(p []byte, off int64) (int, error) {
	s.once.Do(func() { os.Chtimes(s.Name(), time.Now(), time.Now().Add(time.Hour)) })
	return s.fileSource.ReadAt(p, off)
}

func TestBadListBounded(t *testing.T) {
	var ranges []index.Range
	l := &badList{ranges: &ranges}
	size := int64(1) << 40
	for i := range int64(300000) {
		l.add(extent{Off: i * 200 << 10, Len: 512}, size)
	}
	if len(ranges) > maxUnreadable || l.grain < index.BlockSize {
		t.Fatalf("%d ranges, grain %d", len(ranges), l.grain)
	}
	for i := range int64(300000) {
		at, ok := i*200<<10, false
		for lo, hi := 0, len(ranges); lo < hi; {
			m := (lo + hi) / 2
			if r := ranges[m]; at >= r.Off && at+512 <= r.Off+r.Len {
				ok = true
				break
			} else if at < r.Off {
				hi = m
			} else {
				lo = m + 1
			}
		}
		if !ok {
			t.Fatalf("range %d is lost", i)
		}
	}
}

// faultyStorage fails the n-th operation and counts them.
type faultyStorage struct {
	osStorage
	mu     sync.Mutex
	n, ops int
	failed string
}

var errFault = errors.New("no space left, say")

func (s *faultyStorage) step(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops++
	if s.ops == s.n {
		s.failed = what
		return errFault
	}
	return nil
}

func (s *faultyStorage) create(path string) (outFile, error) {
	if err := s.step("create"); err != nil {
		return nil, err
	}
	f, err := s.osStorage.create(path)
	return &faultyFile{f, s}, err
}

func (s *faultyStorage) rename(a, b string) error {
	if err := s.step("rename"); err != nil {
		return err
	}
	return s.osStorage.rename(a, b)
}

func (s *faultyStorage) syncDir(dir string) error {
	if err := s.step("sync folder"); err != nil {
		return err
	}
	return s.osStorage.syncDir(dir)
}

type faultyFile struct {
	outFile
	s *faultyStorage
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.s.step("write"); err != nil {
		n, _ := f.outFile.Write(p[:len(p)/2])
		return n, err
	}
	return f.outFile.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.s.step("sync"); err != nil {
		return err
	}
	return f.outFile.Sync()
}

func (f *faultyFile) Close() error {
	return errors.Join(f.outFile.Close(), f.s.step("close"))
}

// TestOutputFaults fails every operation of the output in turn: members before
// stay as they are, and what is left is unfinished and can be rescued.
func TestOutputFaults(t *testing.T) {
	src := thin(12<<20, 13)
	now := bytes.Clone(src)
	for i := 0; i < len(now); i += 150 << 10 {
		now[i] ^= 1
	}
	seen := map[string]bool{}
	for n, again := 1, true; again; n++ {
		dir := t.TempDir()
		first, p := take(t, src, Options{Dir: dir, Level: Fastest}, nil)
		before, _ := os.ReadFile(first.Path)
		c := newCapturer(memSource(now), Options{Dir: dir, Level: Fastest, Parent: p, Split: 1 << 20})
		st := &faultyStorage{n: n}
		c.st = st
		res, err := c.run(t.Context())
		again = st.failed != ""
		seen[st.failed] = true
		if after, _ := os.ReadFile(first.Path); !bytes.Equal(before, after) {
			t.Fatalf("%s: the member before was changed", st.failed)
		}
		if !again {
			if err != nil || !bytes.Equal(openPoint(t, res.Path).readDisk(t), now) {
				t.Fatal(err)
			}
			break
		}
		checkStopped(t, st.failed, err, dir, p, src, now)
	}
	for _, what := range []string{"create", "write", "sync", "sync folder", "rename", "close"} {
		if !seen[what] {
			t.Errorf("%s never failed", what)
		}
	}
}

func checkStopped(t *testing.T, what string, err error, dir string, p *testPoint, was, now []byte) {
	t.Helper()
	var se *StoppedError
	if !errors.As(err, &se) || !errors.Is(err, errFault) || !se.Output {
		t.Fatalf("%s: %v", what, err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*-0001*"))
	if se.Path == "" {
		if len(names) > 0 {
			t.Fatalf("%s: left %v", what, names)
		}
		return
	}
	if _, err := os.Stat(se.Path); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if q, err := openPointErr(t, names[0]); err == nil && bytes.Equal(q.readDisk(t), now) {
		return // complete but for its name, or the sync of the footer
	}
	checkRescue(t, se.Path, p, was, now)
}

// checkRescue rescues a member: every block must be the parent's or the new
// one, or be named unreadable.
func checkRescue(t *testing.T, path string, p *testPoint, was, now []byte) *Result {
	t.Helper()
	o := RescueOptions{}
	if p != nil {
		o.Parent = p
	}
	res, err := Rescue(t.Context(), path, o)
	if errors.Is(err, ErrNothing) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	q := openPoint(t, res.Path)
	if q.tail.Self.Kind != index.Salvage || q.Meta().Consistency != "salvaged" {
		t.Fatalf("%+v", q.Meta())
	}
	checkBlocks(t, q, was, now)
	return res
}

func checkBlocks(t *testing.T, q *testPoint, was, now []byte) {
	t.Helper()
	d := q.tail.Meta.Disks[0]
	for _, part := range d.Partitions {
		m := q.stream(t, part.Stream)
		got := q.readStream(t, part.Stream)
		for b := uint64(0); b*index.BlockSize < uint64(len(got)); b++ {
			lo, hi := b*index.BlockSize, min((b+1)*index.BlockSize, uint64(len(got)))
			ref, _, err := m.Lookup(b)
			if err != nil {
				t.Fatal(err)
			}
			old := was != nil && bytes.Equal(got[lo:hi], was[lo:hi])
			if !old && !bytes.Equal(got[lo:hi], now[lo:hi]) && ref.Kind != index.Unreadable {
				t.Fatalf("block %d (%v) is neither old nor new", b, ref.Kind)
			}
		}
	}
}

func copyFile(t *testing.T, path, dir string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRescueCut cuts an unfinished full and an incremental in many places.
func TestRescueCut(t *testing.T) {
	src := thin(80<<20, 14)
	now := bytes.Clone(src)
	for i := 0; i < len(now); i += 100 << 10 {
		now[i] ^= 1
	}
	dir := t.TempDir()
	full, p := take(t, src, Options{Dir: dir, Level: Fastest}, nil)
	inc, _ := take(t, memSource(now), Options{Dir: dir, Level: Fastest, Parent: p}, nil)
	r := rand.New(rand.NewPCG(1, 5))
	for _, c := range []struct {
		path   string
		parent *testPoint
		was    []byte
		now    []byte
	}{{full.Path, nil, nil, src}, {inc.Path, p, src, now}} {
		all, _ := os.ReadFile(c.path)
		for i := range 12 {
			b := bytes.Clone(all[:index.HeaderSize+r.IntN(len(all)-index.HeaderSize)])
			if i%3 == 2 && len(b) > 100<<10 { // and damage in the middle
				clear(b[len(b)/2:][:4096*(1+r.IntN(3))])
			}
			home := t.TempDir()
			if c.parent != nil {
				copyFile(t, full.Path, home)
			}
			cut := filepath.Join(home, strings.TrimSuffix(filepath.Base(c.path), ".vtr")+index.UnfinishedSuffix)
			os.WriteFile(cut, b, 0o600)
			if res := checkRescue(t, cut, c.parent, c.was, c.now); res != nil {
				os.Remove(res.Path)
			} else if len(b) > 6<<20 {
				t.Fatalf("nothing rescued of %d bytes", len(b))
			}
			os.Remove(cut)
		}
	}
	if _, err := Rescue(t.Context(), full.Path, RescueOptions{}); !errors.Is(err, ErrFinished) {
		t.Fatal(err)
	}
}

func TestRescueNeedsParent(t *testing.T) {
	src := make(memSource, 8<<20)
	mix(src, 15)
	dir := t.TempDir()
	_, p := take(t, src, Options{Dir: dir}, nil)
	src[0] ^= 1
	res, p2 := take(t, src, Options{Dir: dir, Parent: p}, nil)
	os.Truncate(res.Path, res.Size-4096-1)
	var pm *ParentMissingError
	if _, err := Rescue(t.Context(), res.Path, RescueOptions{}); !errors.As(err, &pm) || pm.Number != 0 {
		t.Fatal(err)
	}
	if _, err := Rescue(t.Context(), res.Path, RescueOptions{Parent: p2}); !errors.As(err, &pm) {
		t.Fatal(err)
	}
	if _, err := Rescue(t.Context(), filepath.Join(dir, "none"), RescueOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "x"), []byte("text"), 0o600)
	if _, err := Rescue(t.Context(), filepath.Join(dir, "x"), RescueOptions{}); !errors.Is(err, index.ErrNotMember) {
		t.Fatal(err)
	}
}

var _ io.ReaderAt = (*badSource)(nil)

// TestRescueEveryCut: wherever a small full is cut, exactly the blocks whose
// bytes lie before the cut are rescued.
func TestRescueEveryCut(t *testing.T) {
	src := make(memSource, 5*index.BlockSize)
	rand.NewChaCha8([32]byte{3}).Read(src)
	dir := t.TempDir()
	full, p := take(t, src, Options{Dir: dir, Level: None}, nil)
	all, _ := os.ReadFile(full.Path)
	ends := []int64{}
	for b := range uint64(5) {
		ref, _, _ := p.stream(t, 0).Lookup(b)
		s, err := p.segment(ref)
		if err != nil {
			t.Fatal(err)
		}
		at, sl, _ := s.Chunk(int(ref.Chunk % index.SegmentChunks))
		ends = append(ends, at+int64(sl.Len))
	}
	for n := int64(index.HeaderSize); n < int64(len(all)); n += 4096 {
		cut := filepath.Join(t.TempDir(), "cut.vtr.unfinished")
		os.WriteFile(cut, all[:n], 0o600)
		res, err := Rescue(t.Context(), cut, RescueOptions{})
		if n < ends[0] {
			if !errors.Is(err, ErrNothing) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		q := openReader(t, res.Path)
		b := make([]byte, index.BlockSize)
		for i, e := range ends {
			_, err := q.Disks()[0].ReadAt(b, int64(i)*index.BlockSize)
			if whole := err == nil && bytes.Equal(b, src[i*index.BlockSize:][:len(b)]); whole != (e <= n) || !whole && !errors.Is(err, reader.ErrUnreadable) {
				t.Fatalf("cut at %d: block %d, which ends at %d: %v", n, i, e, err)
			}
		}
	}
}

// TestBadFirstSector: a disk whose front cannot be read is captured all the
// same, and the image says what is missing.
func TestBadFirstSector(t *testing.T) {
	src := make(memSource, 1<<20)
	mix(src, 41)
	for _, all := range []bool{false, true} {
		res, p := take(t, &badSource{memSource: src, bad: []extent{{Len: 4096}}}, Options{Dir: t.TempDir(), AllSectors: all}, nil)
		if got := p.readDisk(t); !res.Incomplete || !bytes.Equal(got[4096:], src[4096:]) || res.Meta.Stats.Unreadable != 4096 {
			t.Fatalf("%v %+v", res.Reasons, res.Meta.Stats)
		}
	}
}

// TestRescueWithoutHeader loses the headers of an unfinished member's parts, and
// header and end of a finished one.
func TestRescueWithoutHeader(t *testing.T) {
	src := make(memSource, 12<<20)
	mix(src, 33)
	dir := t.TempDir()
	full, p := take(t, src, Options{Dir: dir, Level: None}, nil)
	now := bytes.Clone(src)
	for i := 0; i < len(now); i += 50 << 10 {
		now[i] ^= 1
	}
	inc, _ := take(t, memSource(now), Options{Dir: dir, Level: None, Parent: p, Split: 4 << 20, Prefix: "lost"}, nil)
	if len(inc.Parts) < 2 {
		t.Fatal(inc.Parts)
	}
	lose := func(path string, off, n int64) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteAt(bytes.Repeat([]byte{0x55}, int(n)), off)
	}
	for i, part := range inc.Parts {
		lose(part, 0, index.HeaderSize)
		if i == len(inc.Parts)-1 {
			st, _ := os.Stat(part)
			lose(part, st.Size()-40<<10, 40<<10)
		}
	}
	for _, part := range inc.Parts {
		h, err := Identify(part)
		if err != nil || h.UID != inc.UID || h.Number != 1 || h.ParentUID != full.UID {
			t.Fatalf("%s: %+v, %v", part, h, err)
		}
	}
	res, err := Rescue(t.Context(), inc.Parts[1], RescueOptions{Parent: p})
	if err != nil || res.Meta.Stats.Chunks < 60 {
		t.Fatalf("%+v, %v", res, err)
	}
	got := make([]byte, len(now)-index.BlockSize) // the last block went with the end
	if _, err := openReader(t, res.Path).Disks()[0].ReadAt(got, 0); err != nil || !bytes.Equal(got, now[:len(got)]) {
		t.Fatal(err)
	}
}

// TestRescueWhileWritten: a member that is being captured is left alone, all
// its parts too; one whose capture stopped is rescued.
func TestRescueWhileWritten(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("files cannot be marked on this system")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	s := &hookSource{memSource: thin(60<<20, 2), hook: func(off int64) {
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(names) < 3 {
			return
		}
		once.Do(func() {
			for _, name := range []string{names[0], names[len(names)-1]} { // part 1 and part 0
				if _, err := Rescue(ctx, name, RescueOptions{}); !errors.Is(err, ErrWriting) {
					t.Errorf("%s: %v", name, err)
				}
			}
			_, err := reader.Open(ctx, names[len(names)-1], reader.Options{})
			if u, ok := errors.AsType[*reader.UnfinishedError](err); !ok || !u.Writing {
				t.Errorf("the reader says: %v", err)
			}
			cancel()
		})
	}}
	c := newCapturer(s, Options{Dir: dir, Level: Fastest, Split: 4 << 20})
	c.open = func(io.ReaderAt, int64) (volume.UsedSpace, error) {
		s.armed = true
		return nil, volume.ErrUnsupported
	}
	_, err := c.run(ctx)
	var se *StoppedError
	if !errors.As(err, &se) || se.Path == "" || ctx.Err() == nil {
		t.Fatal(err)
	}
	if _, err := Rescue(t.Context(), se.Path, RescueOptions{}); err != nil {
		t.Fatal(err)
	}
}
