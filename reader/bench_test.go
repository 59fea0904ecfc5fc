package reader

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"vitrine/index"
	"vitrine/reader/readertest"
)

// realData gives n blocks made of the files of the Go tree.
func realData(b *testing.B, n int) []byte {
	data := make([]byte, 0, n*bs)
	//lint:ignore SA1019 any tree of real files will do
	filepath.WalkDir(runtime.GOROOT(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			f, _ := os.ReadFile(path)
			data = append(data, f[:min(len(f), cap(data)-len(data))]...)
		}
		if len(data) == cap(data) {
			return fs.SkipAll
		}
		return nil
	})
	if len(data) < cap(data) {
		b.Skip("the Go tree is too small")
	}
	return data
}

// benchImage writes n blocks of real data spread over a chain of members.
func benchImage(b *testing.B, n, members int) string {
	data := realData(b, n)
	set := readertest.NewSet(b, b.TempDir())
	size := int64(n) * bs
	per := make([]map[uint64]readertest.Block, members)
	for i := range per {
		per[i] = map[uint64]readertest.Block{}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range uint64(n) {
		m := 0
		if members > 1 {
			m = r.IntN(members)
		}
		per[m][i] = readertest.Block{Kind: index.Data, Data: data[i*bs:][:bs]}
	}
	var parent readertest.Parent
	path := ""
	for i, blocks := range per {
		kind := index.Incremental
		if i == 0 {
			kind = index.Full
		}
		path, _ = set.Write(uint32(i), kind, parent, readertest.BareMeta(size), map[uint16]readertest.Stream{1: {Size: size, Blocks: blocks}})
		p := open(b, path, Options{})
		defer p.Close()
		parent = p
	}
	return path
}

const benchBlocks = 2048 // 128 MiB

func benchRandom(b *testing.B, path string, n int64, o Options) {
	p := open(b, path, o)
	v := p.Disks()[0].View
	r := rand.New(rand.NewPCG(2, 2))
	buf := make([]byte, n)
	cpu := cpuTime()
	for b.Loop() {
		if _, err := v.ReadAt(buf, r.Int64N(v.Size()/n)*n); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-cpu)/1e3/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(p.Pool().Stats().Loads)/float64(b.N), "chunks/op")
}

func BenchmarkRandom(b *testing.B) {
	for _, members := range []int{1, 100, 1000} {
		path := benchImage(b, benchBlocks, members)
		for _, n := range []int64{4 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("chain=%d/%dK", members, n>>10), func(b *testing.B) { benchRandom(b, path, n, Options{CacheBytes: 4 << 20}) })
		}
	}
}

func BenchmarkWarm(b *testing.B) {
	path := benchImage(b, 512, 1)
	benchRandom(b, path, 4<<10, Options{})
}

func BenchmarkWarmParallel(b *testing.B) {
	path := benchImage(b, 512, 1)
	v := open(b, path, Options{}).Disks()[0].View
	var seed atomic.Uint64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r := rand.New(rand.NewPCG(2, seed.Add(1)))
		buf := make([]byte, 4096)
		for pb.Next() {
			v.ReadAt(buf, r.Int64N(512*16)*4096)
		}
	})
}

func BenchmarkSequential(b *testing.B) {
	path := benchImage(b, benchBlocks, 1)
	for _, n := range []int64{4 << 10, 128 << 10, 1 << 20, 8 << 20} {
		for _, ahead := range []bool{true, false} {
			b.Run(fmt.Sprintf("%dK/ahead=%v", n>>10, ahead), func(b *testing.B) { benchSequential(b, path, n, ahead) })
		}
	}
}

func benchSequential(b *testing.B, path string, n int64, ahead bool) {
	buf := make([]byte, n)
	b.SetBytes(benchBlocks * bs)
	cpu := cpuTime()
	for b.Loop() {
		p := open(b, path, Options{NoReadAhead: !ahead})
		v := p.Disks()[0].View
		for off := int64(0); off < v.Size(); off += n {
			if _, err := v.ReadAt(buf, off); err != nil {
				b.Fatal(err)
			}
		}
		p.Close()
	}
	b.ReportMetric(benchBlocks*bs*float64(b.N)/(float64(cpuTime()-cpu)/1e9)/1e6, "MB/cpu-s")
}

// BenchmarkLimit is what nothing can be faster than: expanding and hashing.
func BenchmarkLimit(b *testing.B) {
	path := benchImage(b, benchBlocks, 1)
	p := open(b, path, Options{})
	var slots []index.Slot
	var stored [][]byte
	for n := range uint64(benchBlocks) {
		seg, err := p.segment(&p.members[0], n/index.SegmentChunks)
		if err != nil {
			b.Fatal(err)
		}
		addr, sl, _ := seg.Chunk(int(n % index.SegmentChunks))
		s := make([]byte, sl.Len)
		p.read(&p.members[0], s, addr)
		slots, stored = append(slots, sl), append(stored, s)
	}
	dst := make([]byte, bufferSize)
	cpu, i := cpuTime(), 0
	b.SetBytes(bs)
	for b.Loop() {
		if err := p.pool.decode(dst, &slots[i%len(slots)], stored[i%len(slots)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(cpuTime()-cpu)/1e3/float64(b.N), "cpu-µs/op")
}

func BenchmarkVerify(b *testing.B) {
	path := benchImage(b, benchBlocks, 1)
	p := open(b, path, Options{})
	b.SetBytes(benchBlocks * bs)
	cpu := cpuTime()
	for b.Loop() {
		if r, err := Verify(b.Context(), p, VerifyOptions{Level: Full}); err != nil || !r.OK() {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(benchBlocks*bs*float64(b.N)/(float64(cpuTime()-cpu)/1e9)/1e6, "MB/cpu-s")
}
