package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"vitrine/index"
)

// testPoint is a tiny reader of members, enough to check what was captured and
// to be a parent. It proves every chunk it reads.
type testPoint struct {
	tail    *index.Tail
	members map[uint32]*testMember
	mu      sync.Mutex
	pages   map[index.PagePtr]*index.Page
	segs    map[[2]uint32]*index.Segment
	z       *zstd.Decoder
}

// testMember is a member's address space over its parts.
type testMember struct {
	parts []*index.Header
	files []*os.File
}

func (m *testMember) ReadAt(p []byte, off int64) (int, error) {
	for i := len(m.parts) - 1; i >= 0; i-- {
		if off >= m.parts[i].PartStart {
			return m.files[i].ReadAt(p, m.parts[i].FileOffset(off))
		}
	}
	return 0, io.EOF
}

// openPoint opens a finished member by its first part, and its ancestors in
// the same folder.
func openPoint(t testing.TB, path string) *testPoint {
	t.Helper()
	p, err := openPointErr(t, path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openPointErr(t testing.TB, path string) (*testPoint, error) {
	p := &testPoint{members: map[uint32]*testMember{}, pages: map[index.PagePtr]*index.Page{}, segs: map[[2]uint32]*index.Segment{}}
	p.z, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	self, err := findParts(t, filepath.Dir(path), func(h *index.Header, name string) bool { return name == path })
	if err != nil {
		return nil, err
	}
	last := self.files[len(self.files)-1]
	st, _ := last.Stat()
	if p.tail, err = index.ReadTail(last, st.Size()); err != nil {
		return nil, err
	}
	for _, m := range p.tail.Members {
		mm, err := findParts(t, filepath.Dir(path), func(h *index.Header, _ string) bool { return h.UID == m.UID })
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", m.Number, err)
		}
		p.members[m.Number] = mm
	}
	return p, nil
}

// findParts opens all parts of the member that want names.
func findParts(t testing.TB, dir string, want func(h *index.Header, name string) bool) (*testMember, error) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.vtr*"))
	var uid *index.UID
	for _, n := range names {
		if h := headerOf(n); h != nil && want(h, n) {
			uid = &h.UID
		}
	}
	if uid == nil {
		return nil, errors.New("no such member")
	}
	byPart := map[int]string{}
	for _, n := range names {
		if h := headerOf(n); h != nil && h.UID == *uid {
			byPart[int(h.Part)] = n
		}
	}
	m := &testMember{}
	for i := range len(byPart) {
		f, err := os.Open(byPart[i])
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { f.Close() })
		m.files, m.parts = append(m.files, f), append(m.parts, headerOf(byPart[i]))
	}
	return m, nil
}

func (p *testPoint) Page(ptr index.PagePtr) (*index.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pg := p.pages[ptr]; pg != nil {
		return pg, nil
	}
	b := make([]byte, ptr.Len)
	if _, err := p.members[ptr.Member].ReadAt(b, ptr.Off); err != nil {
		return nil, err
	}
	pg, err := index.DecodePage(b, ptr)
	if err == nil {
		if len(p.pages) > 2000 {
			clear(p.pages)
		}
		p.pages[ptr] = pg
	}
	return pg, err
}

func (p *testPoint) IndexParent() *index.Parent {
	return &index.Parent{UID: p.tail.Self.UID, Root: p.tail.Root, Members: p.tail.Members, Streams: p.tail.Streams, Pages: p}
}

func (p *testPoint) Meta() *index.Meta  { return p.tail.Meta }
func (p *testPoint) Set() index.ImageID { return p.tail.Header.Set }

func (p *testPoint) segment(ref index.Ref) (*index.Segment, error) {
	key := [2]uint32{ref.Member, uint32(ref.Chunk / index.SegmentChunks)}
	p.mu.Lock()
	s := p.segs[key]
	p.mu.Unlock()
	if s != nil {
		return s, nil
	}
	var dir index.PagePtr
	for _, m := range p.tail.Members {
		if m.Number == ref.Member {
			dir = m.Dir
		}
	}
	sp, err := index.FindSegment(dir, key[1], p)
	if err != nil {
		return nil, err
	}
	b := make([]byte, sp.HeadLen)
	if _, err := p.members[ref.Member].ReadAt(b, sp.Off); err != nil {
		return nil, err
	}
	if s, err = index.DecodeSegment(b, sp); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if len(p.segs) > 1000 {
		clear(p.segs)
	}
	p.segs[key] = s
	p.mu.Unlock()
	return s, nil
}

func (p *testPoint) ChunkHash(ref index.Ref) (index.Hash, error) {
	s, err := p.segment(ref)
	if err != nil {
		return index.Hash{}, err
	}
	_, sl, err := s.Chunk(int(ref.Chunk % index.SegmentChunks))
	return sl.Hash, err
}

// block reads and proves one block.
func (p *testPoint) block(ref index.Ref) ([]byte, error) {
	if ref.Kind != index.Data {
		return make([]byte, index.BlockSize), nil
	}
	s, err := p.segment(ref)
	if err != nil {
		return nil, err
	}
	at, sl, err := s.Chunk(int(ref.Chunk % index.SegmentChunks))
	if err != nil {
		return nil, err
	}
	b := make([]byte, sl.Len)
	if _, err := p.members[ref.Member].ReadAt(b, at); err != nil {
		return nil, err
	}
	if index.CRC(b) != sl.CRC {
		return nil, errors.New("checksum of a chunk")
	}
	if sl.Codec == index.Zstd {
		if b, err = p.z.DecodeAll(b, nil); err != nil {
			return nil, err
		}
	}
	if index.BlockHash(b) != sl.Hash {
		return nil, errors.New("hash of a chunk")
	}
	return b, nil
}

func (p *testPoint) stream(t testing.TB, id uint16) *index.Map {
	for _, s := range p.tail.Streams {
		if s.ID == id {
			return index.NewMap(s, p)
		}
	}
	t.Fatalf("no stream %d", id)
	return nil
}

// kinds counts a stream's blocks by kind.
func (p *testPoint) kinds(t testing.TB, id uint16) map[index.Kind]int {
	t.Helper()
	out := map[index.Kind]int{}
	for _, s := range p.tail.Streams {
		if s.ID != id {
			continue
		}
		m := index.NewMap(s, p)
		for b := uint64(0); b < s.Blocks(); {
			r, run, err := m.Lookup(b)
			if err != nil {
				t.Fatal(err)
			}
			out[r.Kind] += int(run)
			b += run
		}
	}
	return out
}

// readStream gives a stream's bytes, size of them.
func (p *testPoint) readStream(t testing.TB, id uint16) []byte {
	t.Helper()
	var out bytes.Buffer
	var refs [index.LeafBlocks]index.Ref
	for _, s := range p.tail.Streams {
		if s.ID != id {
			continue
		}
		m := index.NewMap(s, p)
		for leaf := range s.Leaves() {
			if err := m.Leaf(leaf, &refs); err != nil {
				t.Fatal(err)
			}
			for i := uint64(0); i < index.LeafBlocks && leaf*index.LeafBlocks+i < s.Blocks(); i++ {
				b, err := p.block(refs[i])
				if err != nil {
					t.Fatalf("block %d: %v", leaf*index.LeafBlocks+i, err)
				}
				out.Write(b)
			}
		}
		out.Truncate(int(s.Size))
	}
	return out.Bytes()
}

// readDisk puts disk 0 together from its streams.
func (p *testPoint) readDisk(t testing.TB) []byte {
	t.Helper()
	d := p.tail.Meta.Disks[0]
	out := make([]byte, d.Size)
	if d.GapStream != nil {
		copy(out, p.readStream(t, *d.GapStream))
	}
	for _, q := range d.Partitions {
		copy(out[q.Offset:], p.readStream(t, q.Stream))
	}
	return out
}
