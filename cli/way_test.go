package cli

import (
	"fmt"
	"strings"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/volume"
)

// TestWayThroughLinks: a way through links with long targets holds no path for each name
// in them.
func TestWayThroughLinks(t *testing.T) {
	f := newFakeFS()
	d := f.dir(f.root(), "d")
	f.put(d, "d", d) // a ring
	for i := range maxHops {
		f.link(d, fmt.Sprint(i), fmt.Sprintf("/%s%d", strings.Repeat("d/", 2000), i+1))
	}
	f.file(d, fmt.Sprint(maxHops), "")
	var at found
	var err error
	peak := bounds.Peak(heapLimit, func() { at, err = finder{fs: f}.find(t.Context(), "/d/0", true) })
	if err != nil || at.attr.Kind != volume.File || len(at.path) != 4000+3 {
		t.Errorf("%v, %v, a path of %d bytes", err, at.attr.Kind, len(at.path))
	}
	if peak > walkMemory {
		t.Errorf("%d MiB", peak>>20)
	}
	for p, want := range map[string]string{
		"/d/../d/d/../0/..": "/d", "/d/d/../..": "/", "/d/1/../d": "/d/d", "/../d": "/d", "/d/39/../../d": "/d",
	} {
		if at, err := (finder{fs: f}).find(t.Context(), p, true); err != nil || at.path != want {
			t.Errorf("%s: %s, %v, want %s", p, at.path, err, want)
		}
	}
}
