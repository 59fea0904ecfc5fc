package capture

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"vitrine/index"
)

// sample is real data, text and programs: the Go tree, or the file that
// VITRINE_BENCH_SOURCE names.
func sample(b *testing.B, limit int) memSource {
	b.Helper()
	if name := os.Getenv("VITRINE_BENCH_SOURCE"); name != "" {
		return sampleFile(b, name, limit)
	}
	var src memSource
	//lint:ignore SA1019 any tree of real files will do
	filepath.WalkDir(runtime.GOROOT(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		data, _ := os.ReadFile(path)
		if src = append(src, data...); len(src) > limit {
			return fs.SkipAll
		}
		src = append(src, make([]byte, -len(src)&4095)...)
		return nil
	})
	return src[:min(len(src), limit)]
}

func sampleFile(b *testing.B, name string, limit int) memSource {
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	st, _ := f.Stat()
	src := make(memSource, 0, limit)
	for i := int64(0); len(src) < limit; i++ { // slices from everywhere
		at := st.Size() / 64 * i
		n, _ := f.ReadAt(src[len(src):len(src)+limit/64], at)
		if src = src[:len(src)+n]; i == 63 {
			break
		}
	}
	return src
}

func BenchmarkEncode(b *testing.B) {
	src := sample(b, 64<<20)
	for _, l := range []Level{Fastest, Default, Better, Best} {
		b.Run(l.String(), func(b *testing.B) {
			enc, err := newEncoder(l)
			if err != nil {
				b.Fatal(err)
			}
			out := make([]byte, 0, 2*index.BlockSize)
			stored, plain := 0, 0
			b.SetBytes(index.BlockSize)
			for i := 0; b.Loop(); i++ {
				at := i * index.BlockSize % (len(src) - index.BlockSize)
				s, _, _ := enc.encode(out, src[at:][:index.BlockSize])
				stored, plain = stored+len(s), plain+index.BlockSize
			}
			b.ReportMetric(float64(plain)/float64(stored), "ratio")
		})
	}
}

func BenchmarkHash(b *testing.B) {
	src := sample(b, 16<<20)
	b.SetBytes(index.BlockSize)
	for i := 0; b.Loop(); i++ {
		index.BlockHash(src[i*index.BlockSize%(len(src)-index.BlockSize):][:index.BlockSize])
	}
}

func BenchmarkRun(b *testing.B) {
	src := sample(b, 256<<20)
	for _, l := range []Level{None, Fastest, Default} {
		b.Run(l.String(), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if _, err := Run(b.Context(), src, Options{Dir: b.TempDir(), Level: l}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
