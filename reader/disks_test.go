package reader

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// withMeta writes a full of two streams of ten blocks, 1 (A) and 2 (B) and the
// gap stream 0 (G), under a description of the test's own.
func withMeta(t *testing.T, meta *index.Meta) string {
	t.Helper()
	set := readertest.NewSet(t, t.TempDir())
	streams := map[uint16]readertest.Stream{}
	for id, c := range map[uint16]byte{0: 'G', 1: 'A', 2: 'B'} {
		blocks := map[uint64]readertest.Block{}
		for n := range uint64(10) {
			blocks[n] = readertest.Block{Kind: index.Data, Data: bytes.Repeat([]byte{c}, bs)}
		}
		streams[id] = readertest.Stream{Size: 10 * bs, Blocks: blocks}
	}
	path, _ := set.Write(0, index.Full, nil, meta, streams)
	return path
}

func disk(size int64, gap int, parts ...index.Partition) *index.Meta {
	d := index.Disk{Size: size, SectorSize: 512, Partitions: parts}
	if gap >= 0 {
		g := uint16(gap)
		d.GapStream = &g
	}
	return &index.Meta{Schema: 1, Disks: []index.Disk{d}}
}

func TestDescriptionsThatMakeNoSense(t *testing.T) {
	type part = index.Partition
	for name, meta := range map[string]*index.Meta{
		"negative disk":            disk(-1, 0),
		"no such gap stream":       disk(bs, 9),
		"no such stream":           disk(bs, 0, part{Size: bs, Stream: 9}),
		"negative partition":       disk(bs, 0, part{Size: -1, Stream: 1}),
		"negative offset":          disk(bs, 0, part{Offset: -bs, Size: bs, Stream: 1}),
		"past all numbers":         disk(bs, 0, part{Offset: math.MaxInt64 - 10, Size: bs, Stream: 1}),
		"larger than its stream":   disk(bs, 0, part{Size: 10*bs + 1, Stream: 1}),
		"not selected and endless": disk(bs, 0, part{Offset: 1, Size: math.MaxInt64, Mode: "none"}),
	} {
		_, err := Open(t.Context(), withMeta(t, meta), Options{})
		if !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestComposedDisks(t *testing.T) {
	type part = index.Partition
	for _, c := range []struct {
		name string
		meta *index.Meta
		want string // one letter per block; - is zeros
	}{
		{"gap only", disk(4*bs, 0), "GGGG"},
		{"one", disk(6*bs, 0, part{Offset: bs, Size: 2 * bs, Stream: 1}), "GAAGGG"},
		{"two, in any order", disk(6*bs, 0, part{Offset: 3 * bs, Size: 2 * bs, Stream: 2}, part{Offset: bs, Size: 2 * bs, Stream: 1}), "GAABBG"},
		{"overlapping", disk(6*bs, 0, part{Offset: 2 * bs, Size: 3 * bs, Stream: 2}, part{Offset: bs, Size: 2 * bs, Stream: 1}), "GAABBG"},
		{"one inside another", disk(6*bs, 0, part{Offset: 0, Size: 5 * bs, Stream: 1}, part{Offset: bs, Size: bs, Stream: 2}), "AAAAAG"},
		{"past the end", disk(3*bs, 0, part{Offset: 2 * bs, Size: 5 * bs, Stream: 1}, part{Offset: 9 * bs, Size: bs, Stream: 2}), "GGA"},
		{"without gap stream", disk(4*bs, -1, part{Offset: bs, Size: bs, Stream: 1}), "-A--"},
		{"disk larger than the gap stream", disk(12*bs, 0), "GGGGGGGGGG--"},
		{"not selected", disk(3*bs, 0, part{Offset: bs, Size: bs, Stream: 77, Mode: "none"}), "G-G"},
		{"empty", disk(0, 0), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t, withMeta(t, c.meta), Options{})
			v := p.Disks()[0].View
			got, err := io.ReadAll(io.NewSectionReader(v, 0, v.Size()))
			if err != nil {
				t.Fatal(err)
			}
			letters := ""
			for i := 0; i < len(got); i += bs {
				letters += string(bytes.ReplaceAll(got[i:i+1], []byte{0}, []byte{'-'}))
				if bytes.Count(got[i:i+bs], got[i:i+1]) != bs {
					t.Errorf("block %d is mixed", i/bs)
				}
			}
			if letters != c.want {
				t.Errorf("got %s, want %s", letters, c.want)
			}
		})
	}
}

func TestUnreadableBytes(t *testing.T) {
	meta := disk(8*bs, 0, index.Partition{Offset: bs, Size: 5 * bs, Stream: 1,
		Unreadable: []index.Range{{Off: bs + 512, Len: 512}, {Off: bs + 1024, Len: 100}, {Off: -5, Len: 3}, {Off: 3 * bs, Len: math.MaxInt64}, {Off: math.MaxInt64, Len: 9}}})
	path := withMeta(t, meta)
	p := open(t, path, Options{})
	d, part := p.Disks()[0].View, p.Disks()[0].Partitions[0].View
	var got []Extent
	collect := func(e Extent) bool { got = append(got, e); return true }
	must(t, d.Extents(t.Context(), 0, d.Size(), collect))
	want := []Extent{{0, 2*bs + 512, index.Data}, {2*bs + 512, 612, index.Unreadable}, {2*bs + 1124, 2*bs - 1124, index.Data}, {4 * bs, 2 * bs, index.Unreadable}, {6 * bs, 2 * bs, index.Data}}
	if !slices.Equal(got, want) {
		t.Errorf("extents %v\nwant    %v", got, want)
	}
	got = nil
	must(t, part.Extents(t.Context(), bs+600, 100, collect))
	if !slices.Equal(got, []Extent{{bs + 600, 100, index.Unreadable}}) {
		t.Errorf("extents %v", got)
	}
	for _, c := range []struct {
		v          *View
		off, n     int64
		good       int
		from, left int64
	}{
		{part, bs, 4096, 512, bs + 512, 612},
		{part, bs + 700, 1, 0, bs + 700, 424},
		{d, 2 * bs, 4096, 512, 2*bs + 512, 612},
		{d, 4 * bs, 1, 0, 4 * bs, 2 * bs}, // the partition ends in the middle of the range
	} {
		b := make([]byte, c.n)
		n, err := c.v.ReadAt(b, c.off)
		u, ok := errors.AsType[*UnreadableError](err)
		if !ok || n != c.good || *u != (UnreadableError{c.from, c.left}) || !errors.Is(err, ErrUnreadable) {
			t.Errorf("%d: %d %v", c.off, n, err)
		}
	}
	filled := open(t, path, Options{FillUnreadable: true}).Disks()[0].View
	b := make([]byte, 4096)
	if _, err := filled.ReadAt(b, 2*bs); err != nil || b[511] != 'A' || b[512] != 0 || b[1123] != 0 || b[1124] != 'A' {
		t.Error(err)
	}
}
