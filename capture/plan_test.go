package capture

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"vitrine/index"
)

// TestCountTaken compares what is counted with a model, and at the end of the
// largest streams.
func TestCountTaken(t *testing.T) {
	const huge = 1<<63 - 512
	for _, c := range []struct {
		size       int64
		used, skip []extent
		want       int64
	}{
		{huge, []extent{{Off: huge - 512, Len: 512}}, []extent{{Off: 4096, Len: 4096}}, 512},
		{huge, []extent{{Off: 0, Len: huge}}, []extent{{Off: 4096, Len: 4096}, {Off: huge - 512, Len: 512}}, huge - 4096 - 512},
		{maxSource, []extent{{Off: 0, Len: maxSource}}, []extent{{Off: 4096, Len: 4096}}, maxSource - 4096},
		{8192, []extent{{Off: 0, Len: 4096}, {Off: 2048, Len: 4096}, {Off: 7168, Len: 4096}}, []extent{{Off: 1024, Len: 1024}, {Off: 5120, Len: 2560}}, 1024 + 3072 + 512},
		{8192, nil, []extent{{Off: 0, Len: 512}}, 0},
	} {
		s := &stream{size: c.size, skip: c.skip, used: func() iter.Seq2[extent, error] { return list(c.used) }}
		if n, err := countTaken(t.Context(), s, -1); n != c.want || err != nil {
			t.Errorf("%v without %v: %d, %v, want %d", c.used, c.skip, n, err, c.want)
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	random := func() (all []extent, bytes [512]bool) {
		for at := r.IntN(9); at < len(bytes); at += r.IntN(40) {
			e := clip(extent{Off: int64(at), Len: r.Int64N(30)}, 0, 512)
			for i := range e.Len {
				bytes[e.Off+i] = true
			}
			all = append(all, e)
			at += int(e.Len) + 1
		}
		return all, bytes
	}
	for range 500 {
		used, in := random()
		skip, out := random()
		want := int64(0)
		for i := range in {
			if in[i] && !out[i] {
				want++
			}
		}
		s := &stream{size: 512, skip: merge(skip), used: func() iter.Seq2[extent, error] { return list(used) }}
		if n, err := countTaken(t.Context(), s, want); n != want || err != nil {
			t.Fatalf("%v without %v: %d, %v, want %d", used, skip, n, err, want)
		}
	}
}

// TestCountTakenEnds with the context, and with an error of the listing.
func TestCountTakenEnds(t *testing.T) {
	bad := errors.New("a bad listing")
	s := &stream{size: 1 << 40, skip: []extent{{Off: 0, Len: 1}}, used: func() iter.Seq2[extent, error] {
		return func(yield func(extent, error) bool) {
			for yield(extent{Off: 0, Len: 1}, nil) { // without end
			}
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := countTaken(ctx, s, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.used = func() iter.Seq2[extent, error] { return func(yield func(extent, error) bool) { yield(extent{}, bad) } }
	if _, err := countTaken(t.Context(), s, 1); !errors.Is(err, bad) {
		t.Error(err)
	}
}

// TestEmptyLeavesEnd: recording what lies between, or behind, what is in use ends
// with the context; that is no error of writing.
func TestEmptyLeavesEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &pipeline{plan: &plan{streams: []*stream{{size: maxSource}}}}
	var oe *outputError
	if err := l.goTo(ctx, 1, 0); !errors.Is(err, context.Canceled) || errors.As(err, &oe) {
		t.Error(err)
	}
}

// emptySource is a source of so many zeros.
type emptySource int64

func (s emptySource) Size() int64 { return int64(s) }
func (s emptySource) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), max(int64(s)-off, 0))
	if clear(p[:n]); n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// TestLargestSource: what an image cannot hold is refused before all else.
func TestLargestSource(t *testing.T) {
	for _, n := range []int64{maxSource + 1, 1<<63 - 512, 1<<63 - 1} {
		var oe *OptionError
		_, err := Run(t.Context(), emptySource(n), Options{Dir: t.TempDir(), SourceName: "disk"})
		if !errors.As(err, &oe) || oe.Option != "source" || !strings.Contains(err.Error(), "64 PiB") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	f := &fakeFS{used: []extent{{Off: 0, Len: 4096}, {Off: 1<<50 - 4096, Len: 4096}}, files: map[string][]extent{"pagefile.sys": {{Off: 1<<50 - 2048, Len: 2048}}}}
	res, p := take(t, emptySource(1<<50), Options{Dir: t.TempDir()}, f)
	if q := res.Meta.Disks[0].Partitions[0]; q.Mode != modeUsed || q.Used != 8192 {
		t.Errorf("%+v", q)
	}
	if k := p.kinds(t, res.Meta.Disks[0].Partitions[0].Stream); k[index.Zero] != 2 || k[index.Hole] != 1<<34-2 {
		t.Errorf("kinds %v", k)
	}
}
