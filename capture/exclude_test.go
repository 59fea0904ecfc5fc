package capture

import (
	"bytes"
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

// TestExcludeExtents: what is left out has a bound in extents, too; the rest is
// captured, and told.
func TestExcludeExtents(t *testing.T) {
	const stores, runs, room = 5, maxLeftOutExtents / 4, 256 << 10
	src := make(memSource, stores*room)
	for at := 0; at < len(src); at += 512 {
		src[at] = 1
	}
	f := &shadowFS{stores: stores, runs: runs, room: room}
	f.used = []extent{{Off: 0, Len: int64(len(src))}}
	c := newCapturer(src, Options{Dir: t.TempDir(), Level: Fastest})
	c.open = f.open
	res, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := res.Meta.Disks[0].Partitions[0]
	if w := fmt.Sprint(res.Meta.Warnings); len(q.LeftOut) != 4 || len(res.Meta.Warnings) != 1 || !strings.Contains(w, "1 file, "+shadowDir+"/{00000004-") {
		t.Fatalf("%d left out, %q", len(q.LeftOut), res.Meta.Warnings)
	}
	want := bytes.Clone(src)
	for at := 0; at < 4*room; at += 1024 {
		want[at] = 0
	}
	if !bytes.Equal(openPoint(t, res.Path).readDisk(t), want) {
		t.Error("another content")
	}
}

// TestShadowStore knows the data of shadow copies by name, and nothing else.
func TestShadowStore(t *testing.T) {
	const id = "{7c3f6a1e-9d2b-11ee-8c1d-806e6f6e6963}"
	for name, want := range map[string]bool{
		id + shadowStore:                  true,
		strings.ToUpper(id + shadowStore): true,
		shadowStore:                       false, // the list of the copies
		id:                                false,
		id + id:                           false,
		"x" + id + shadowStore:            false,
		id[1:] + shadowStore:              false,
		strings.Replace(id, "7c", "7g", 1) + shadowStore: false,
		strings.Replace(id, "-", "0", 1) + shadowStore:   false,
		id + shadowStore + ".bak":                        false,
		"tracking.log":                                   false,
	} {
		if isShadowStore(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
