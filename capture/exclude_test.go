package capture

import (
	"fmt"
	"strings"
	"testing"
)

func TestSome(t *testing.T) {
	s := some{}
	s.add("/a")
	if got := s.String(); got != "1 file, /a" {
		t.Error(got)
	}
	for i := range 6 {
		s.add(fmt.Sprint("/", i))
	}
	if got := s.String(); got != "7 files, /a, /0, /1, /2, /3, …" {
		t.Error(got)
	}
}

// TestExcludeKept tells of contents that could not be left out.
func TestExcludeKept(t *testing.T) {
	const k = 1 << 10
	f := &fakeFS{
		used:  []extent{{Off: 0, Len: 64 * k}},
		files: map[string][]extent{"swapfile.sys": {{Off: 4 * k, Len: 4 * k}}},
		bad:   map[string]error{"pagefile.sys": fmt.Errorf("a broken record")},
	}
	src := make(memSource, 64*k)
	mix(src, 1)
	res, _ := take(t, src, Options{Dir: t.TempDir()}, f)
	q := res.Meta.Disks[0].Partitions[0]
	if q.Mode != modeUsed || len(q.LeftOut) != 1 || !strings.Contains(fmt.Sprint(res.Meta.Warnings), "1 file, pagefile.sys: a broken record") {
		t.Fatalf("%+v, %q", q, res.Meta.Warnings)
	}
}
