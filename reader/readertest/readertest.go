// Package readertest writes image sets for tests: with real codecs, chains,
// parts, and a shadow of what every point must read as.
package readertest

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"vitrine/index"
)

// Block is what a test wants a block to be.
type Block struct {
	Kind index.Kind
	Data []byte       // for Data: BlockSize bytes
	Enc  *index.Codec // nil: Zstd
	Ref  *index.Ref   // a chunk that exists already, instead of Data
}

// Stream is one stream of a point: the blocks that are not holes.
type Stream struct {
	Size   int64
	Blocks map[uint64]Block
}

// Set writes the members of one image set into a folder.
type Set struct {
	T      testing.TB
	Dir    string
	Prefix string
	ID     index.ImageID
	Split  int64
	Meta   *index.Meta // of the next member
	Start  time.Time   // members are an hour apart
	enc    *zstd.Encoder
}

// NewSet begins a set in dir.
func NewSet(t testing.TB, dir string) *Set {
	s := &Set{T: t, Dir: dir, Start: time.Date(2026, 11, 2, 9, 0, 0, 0, time.Local)}
	rand.Read(s.ID[:])
	var err error
	if s.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false)); err != nil {
		t.Fatal(err)
	}
	return s
}

// BareMeta describes one partition without a table, in stream 1.
func BareMeta(size int64) *index.Meta {
	return &index.Meta{Schema: 1, Tool: "test", Disks: []index.Disk{{Size: size, SectorSize: 512, Table: "none",
		Partitions: []index.Partition{{Number: 1, Size: size, Stream: 1, Mode: "used"}}}}}
}

// Parent is what a member is captured onto. *reader.Point satisfies it.
type Parent interface {
	IndexParent() *index.Parent
}

// Name is the path of a member's part.
func (s *Set) Name(number uint32, part int) string {
	name := fmt.Sprintf("%s%s-%04d", s.Prefix, s.ID, number)
	if part > 0 {
		name += fmt.Sprintf("-%02d", part)
	}
	return filepath.Join(s.Dir, name+index.Suffix)
}

// Writer begins a member and leaves it to the test.
func (s *Set) Writer(number uint32, kind index.MemberKind, parent Parent) (*index.Writer, *Output) {
	s.T.Helper()
	out := &Output{T: s.T, Name: func(part int) string { return s.Name(number, part) }}
	out.open(0)
	o := index.WriterOptions{Set: s.ID, Number: number, Kind: kind, Split: s.Split, Tool: "test",
		Created: s.Start.Add(time.Duration(number) * time.Hour).UnixNano()}
	rand.Read(o.UID[:])
	if parent != nil {
		o.Parent = parent.IndexParent()
	}
	w, err := index.NewWriter(out, o)
	if err != nil {
		s.T.Fatal(err)
	}
	return w, out
}

// Write writes a member whose streams differ from the parent's by the given
// blocks (of a full: from holes) and returns its path and the refs of the
// blocks that were stored. Streams of the parent that are not given must not
// exist.
func (s *Set) Write(number uint32, kind index.MemberKind, parent Parent, meta *index.Meta, streams map[uint16]Stream) (string, map[uint16]map[uint64]index.Ref) {
	s.T.Helper()
	w, out := s.Writer(number, kind, parent)
	var roots []index.StreamRoot
	for id := range uint16(256) {
		if st, ok := streams[id]; ok {
			roots = append(roots, index.StreamRoot{ID: id, Size: st.Size})
		}
	}
	check(s.T, w.Plan(meta, roots))
	refs := map[uint16]map[uint64]index.Ref{}
	for _, r := range roots {
		refs[r.ID] = s.stream(w, r, streams[r.ID].Blocks, parent)
	}
	_, err := w.Finish(meta)
	check(s.T, err)
	check(s.T, out.Close())
	return s.Name(number, 0), refs
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stream writes the changed leaves of one stream.
func (s *Set) stream(w *index.Writer, root index.StreamRoot, blocks map[uint64]Block, parent Parent) map[uint64]index.Ref {
	s.T.Helper()
	var old *index.Map
	if parent != nil {
		ip := parent.IndexParent()
		for _, r := range ip.Streams {
			if r.ID == root.ID && r.Size == root.Size {
				old = index.NewMap(r, ip.Pages)
			}
		}
	}
	touched := map[uint64]bool{}
	for b := range blocks {
		touched[b/index.LeafBlocks] = true
	}
	stored := map[uint64]index.Ref{}
	for leaf := range root.Leaves() {
		if !touched[leaf] {
			continue
		}
		var refs [index.LeafBlocks]index.Ref
		if old != nil {
			check(s.T, old.Leaf(leaf, &refs))
		}
		for i := range refs {
			n := leaf*index.LeafBlocks + uint64(i)
			if b, ok := blocks[n]; ok {
				refs[i] = s.Store(w, root.ID, n, b)
				if b.Kind == index.Data {
					stored[n] = refs[i]
				}
			}
		}
		check(s.T, w.Leaf(root.ID, leaf, &refs))
	}
	return stored
}

// Store writes one block.
func (s *Set) Store(w *index.Writer, stream uint16, block uint64, b Block) index.Ref {
	s.T.Helper()
	if b.Ref != nil {
		return *b.Ref
	}
	if b.Kind != index.Data {
		return index.Ref{Kind: b.Kind}
	}
	codec := index.Zstd
	if b.Enc != nil {
		codec = *b.Enc
	}
	c := index.Chunk{Stream: stream, Block: block, Codec: codec, Hash: index.BlockHash(b.Data)}
	switch codec {
	case index.Raw:
		c.Stored = b.Data
	case index.S2:
		c.Stored = s2.Encode(nil, b.Data)
	case index.Zstd:
		c.Stored = s.enc.EncodeAll(b.Data, nil)
	}
	if len(c.Stored) > index.MaxStored {
		c.Codec, c.Stored = index.Raw, b.Data
	}
	ref, err := w.Chunk(c)
	check(s.T, err)
	return ref
}

// Output writes a member's parts to files.
type Output struct {
	T    testing.TB
	Name func(part int) string
	f    *os.File
}

func (o *Output) open(part int) {
	f, err := os.Create(o.Name(part))
	check(o.T, err)
	o.f = f
}

func (o *Output) Write(b []byte) (int, error) { return o.f.Write(b) }

// Sync does nothing: tests do not lose power.
func (o *Output) Sync() error { return nil }

// NextPart begins the next file.
func (o *Output) NextPart(n int) error {
	err := o.f.Close()
	o.open(n)
	return err
}

// Close closes the last file.
func (o *Output) Close() error { return o.f.Close() }
