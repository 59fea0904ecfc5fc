package ntfsparse

import (
	"context"
	"io"
	"os"
	"runtime"
	"testing"
)

// benchVolume is an image named by the environment, for measuring by hand.
func benchVolume(b *testing.B, env string) *Volume {
	b.Helper()
	name := os.Getenv(env)
	if name == "" {
		b.Skip("set " + env + " to an NTFS image")
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	st, _ := f.Stat()
	v, err := Open(f, st.Size())
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func BenchmarkScan(b *testing.B) {
	v := benchVolume(b, "VITRINE_BENCH_NTFS")
	for b.Loop() {
		v.Scan(context.Background(), 0, func(uint64, *Record, error) error { return nil })
	}
}

func BenchmarkWalk(b *testing.B) {
	v := benchVolume(b, "VITRINE_BENCH_NTFS")
	n := 0
	for b.Loop() {
		n = 0
		v.Walk(context.Background(), func(e *WalkEntry) error { n++; return e.Err })
	}
	b.ReportMetric(float64(n), "names")
}

// BenchmarkWalkLost looks every name up in its folder; on a sound volume it finds none.
func BenchmarkWalkLost(b *testing.B) {
	v := benchVolume(b, "VITRINE_BENCH_NTFS")
	n := 0
	for b.Loop() {
		n = 0
		if err := v.WalkLost(context.Background(), func(Ref, *DirEntry) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n), "names")
}

func BenchmarkContents(b *testing.B) {
	v := benchVolume(b, "VITRINE_BENCH_NTFS")
	buf := make([]byte, 1<<20)
	for b.Loop() {
		total := int64(0)
		v.Walk(context.Background(), func(e *WalkEntry) error {
			if e.Info.IsDir {
				return nil
			}
			f, err := v.FileRef(e.Info.Ref)
			if err != nil {
				return err
			}
			s, err := f.Open()
			if err != nil {
				return err
			}
			for off := int64(0); off < s.Size(); {
				n, err := s.ReadAt(buf, off)
				if err != nil && err != io.EOF {
					return err
				}
				off += int64(n)
			}
			total += s.Size()
			return nil
		})
		b.SetBytes(total)
	}
}

// BenchmarkFolder lists the folder "flat" with attributes.
func BenchmarkFolder(b *testing.B) {
	v := benchVolume(b, "VITRINE_BENCH_FLAT")
	for b.Loop() {
		f, err := v.Lookup("flat")
		if err != nil {
			b.Fatal(err)
		}
		d, err := f.Dir()
		if err != nil {
			b.Fatal(err)
		}
		var refs []Ref
		n := 0
		flush := func() {
			v.Infos(refs, func(_ int, in *Info, err error) {
				if err == nil {
					n++
				}
			})
			refs = refs[:0]
		}
		d.Read(0, func(e DirEntry, err error) bool {
			if refs = append(refs, e.Ref); len(refs) == 16384 {
				flush()
			}
			_ = e.Name()
			return true
		})
		flush()
		b.ReportMetric(float64(n), "names")
	}
}

// TestWalkMemory walks a volume named by the environment and tells how much
// memory the process took from the system.
func TestWalkMemory(t *testing.T) {
	name := os.Getenv("VITRINE_BENCH_NTFS")
	if name == "" {
		t.Skip("set VITRINE_BENCH_NTFS to an NTFS image")
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, _ := f.Stat()
	v, err := Open(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Walk(context.Background(), func(e *WalkEntry) error { return e.Err }); err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d KiB from the system, %d KiB live", m.Sys>>10, m.HeapAlloc>>10)
	if m.Sys > 64<<20 {
		t.Errorf("%d MiB, want at most 64", m.Sys>>20)
	}
}
