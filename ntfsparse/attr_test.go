package ntfsparse

import (
	"bytes"
	"testing"
)

// TestHiddenAttribute: an attribute whose length takes in the next one is damaged, whether
// its contents are in the record or not; what is left behind a run list that was longer is
// no attribute.
func TestHiddenAttribute(t *testing.T) {
	b := newRB(200, 4096, 1024, 64)
	list := runs(1, 100)
	long := bytes.Join([][]byte{list, runs(7, 70, 8, 90, 9, 150)}, nil)
	for what, k := range map[string]struct {
		first []byte
		takes int // more bytes
		sound bool
	}{
		"in the record":                   {b.res(TypeData, "", 0, []byte("contents")), 0, true},
		"in the record, with the next":    {b.res(TypeData, "", 0, []byte("contents")), 40, false},
		"in clusters":                     {b.nonres(TypeData, "", 0, 0, 0, 0, list, 4096, 5, 5), 0, true},
		"in clusters, with the next":      {b.nonres(TypeData, "", 0, 0, 0, 0, list, 4096, 5, 5), 40, false},
		"named, with the next":            {b.nonres(TypeData, "name", 0, 0, 0, 0, list, 4096, 5, 5), 40, false},
		"a run list that was longer":      {b.nonres(TypeData, "", 0, 0, 0, 0, long, 4096, 5, 5), 0, true},
		"a run list without an end":       {b.nonres(TypeData, "", 0, 0, 0, 0, bytes.Repeat([]byte{0x11, 1, 1}, 8), 4096, 5, 5), 0, true},
		"a run list that goes on forever": {b.nonres(TypeData, "", 0, 0, 0, 0, bytes.Repeat([]byte{0xFF}, 8), 4096, 5, 5), 0, true},
	} {
		all := append(bytes.Clone(k.first), b.res(TypeData, "s", 0, []byte("stream"))...)
		a := Attr{b: all[:len(k.first)+k.takes]}
		if why := a.check(); (why == "") != k.sound {
			t.Errorf("%s: %q", what, why)
		}
	}
}
