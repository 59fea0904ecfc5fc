package reader

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// twoParts describes a disk of two partitions and a gap stream, whose streams
// are 0, 1 and gapStream.
func twoParts() (*index.Meta, map[uint16]int64) {
	gap := uint16(gapStream)
	sizes := map[uint16]int64{gap: 130 << 20, 0: 50<<20 + 512, 1: 70<<20 + 5*512}
	return &index.Meta{Schema: 1, Disks: []index.Disk{{Size: sizes[gap], SectorSize: 512, Table: "gpt", GapStream: &gap,
		Partitions: []index.Partition{
			{Number: 1, Offset: 1 << 20, Size: sizes[0], Stream: 0, Mode: "used"},
			{Number: 2, Offset: 55<<20 + 512, Size: sizes[1], Stream: 1, Mode: "used"}}}}}, sizes
}

const gapStream = 5

// writeChain writes members 0 to n-1 with random changes; parent gives the parent's
// number. It returns the paths and what each point must read as.
func writeChain(t *testing.T, set *readertest.Set, n int, parent func(int) int) (paths []string, want []shadow) {
	r := rand.New(rand.NewPCG(uint64(n), uint64(set.Split)))
	meta, sizes := twoParts()
	for i := range n {
		now, kind := shadow{}, index.Full
		var par readertest.Parent
		if i > 0 {
			now, kind = want[parent(i)].clone(), index.Incremental
			p := open(t, paths[parent(i)], Options{})
			defer p.Close()
			par = p
		}
		streams := map[uint16]readertest.Stream{}
		for _, id := range []uint16{0, 1, gapStream} {
			streams[id] = readertest.Stream{Size: sizes[id], Blocks: now.change(r, id, sizes[id], 20)}
		}
		path, _ := set.Write(uint32(i), kind, par, meta, streams)
		paths, want = append(paths, path), append(want, now)
	}
	return paths, want
}

func TestEveryPointOfEveryChain(t *testing.T) {
	shapes := map[string]func(int) int{
		"incrementals":  func(i int) int { return i - 1 },
		"differentials": func(int) int { return 0 },
		"tree":          func(i int) int { return (i - 1) / 2 },
	}
	for name, parent := range shapes {
		for _, split := range []int64{0, index.MinSplit} {
			t.Run(fmt.Sprint(name, " split ", split), func(t *testing.T) {
				set := readertest.NewSet(t, t.TempDir())
				set.Split, set.Prefix = split, "C-drive_"
				paths, want := writeChain(t, set, 7, parent)
				for i, path := range paths {
					comparePoint(t, open(t, path, Options{CacheBytes: 4 << 20}), want[i])
					comparePoint(t, open(t, path, Options{CacheBytes: 4 << 20, Once: true}), want[i])
				}
			})
		}
	}
}

func comparePoint(t *testing.T, p *Point, want shadow) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	for _, part := range p.Disks()[0].Partitions {
		want.same(t, part.View, part.Meta.Stream, r, 60)
		want.sameExtents(t, part.View, part.Meta.Stream)
	}
	compareDisk(t, p, want)
	for _, m := range p.Chain() {
		if m.Err != nil || !m.Finished {
			t.Fatalf("%v: %v", m, m.Err)
		}
	}
}

// compareDisk reads across the borders of the disk's pieces.
func compareDisk(t *testing.T, p *Point, want shadow) {
	t.Helper()
	d := p.Disks()[0]
	v := open(t, p.Path(), Options{FillUnreadable: true}).Disks()[0]
	for _, part := range d.Partitions {
		for _, at := range []int64{part.Meta.Offset, part.Meta.Offset + part.Meta.Size} {
			got := make([]byte, 2000)
			if n, err := v.ReadAt(got, at-1000); n != len(got) || err != nil {
				t.Fatal(n, err)
			}
			in, out := got[1000:], got[:1000]
			inOff, outOff := int64(0), at-1000
			if at != part.Meta.Offset {
				in, out, inOff, outOff = out, in, part.Meta.Size-1000, at
			}
			if w := want.at(part.Meta.Stream, inOff, 1000); string(in[:len(w)]) != string(w) {
				t.Fatalf("partition %d at its border", part.Meta.Number)
			}
			if w := want.at(gapStream, outOff, 1000); string(out[:len(w)]) != string(w) {
				t.Fatalf("outside partition %d", part.Meta.Number)
			}
		}
	}
}

func TestParallelReaders(t *testing.T) {
	set := readertest.NewSet(t, t.TempDir())
	paths, want := writeChain(t, set, 4, func(i int) int { return i - 1 })
	pool := NewPool(4<<20, 1<<20)
	defer pool.Close()
	var points []*Point
	for _, path := range paths {
		points = append(points, open(t, path, Options{Pool: pool}))
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			part := points[i%4].Disks()[0].Partitions[i%2]
			want[i%4].same(t, part.View, part.Meta.Stream, r, 40)
			for off := int64(0); off < part.Size(); off += 128 << 10 {
				want[i%4].sameAt(t, part.View, part.Meta.Stream, off, min(128<<10, part.Size()-off))
			}
		})
	}
	wg.Wait()
	if s := pool.Stats(); s.Buffers > minChunks {
		t.Errorf("%d buffers were made, at most %d are allowed", s.Buffers, minChunks)
	}
	for _, p := range points {
		p.Close()
	}
}
