package cli

import (
	"testing"

	"vitrine/ntfsparse"
	"vitrine/volume"
)

// TestReparseWords: what is no link but has a reparse point is shown as what it is.
func TestReparseWords(t *testing.T) {
	f := newFakeFS()
	e, _, _ := testEnv()
	l := lister{e: e, o: &lsOptions{long: true}, f: fakePlace(f, "/").finder, hurt: &tally{}}
	for _, c := range []struct {
		tag         uint32
		kind        volume.Kind
		extra, json string
	}{
		{0, volume.File, "", ""},
		{ntfsparse.TagAppExec, volume.File, "  [app execution alias]", "app execution alias"},
		{0x9000601A, volume.Dir, "  [cloud files]", "cloud files"},
		{0x80007777, volume.File, "  [reparse tag 0x80007777]", ""},
		{ntfsparse.TagLXFifo, volume.Fifo, "", "WSL pipe"},
	} {
		a := volume.Attr{ID: f.Root(), Kind: c.kind, Reparse: c.tag, NoStreams: true}
		if got, o := l.extra(t.Context(), "/f", &a), newEntryObject("f", "/f", a); got != c.extra || o.Point != c.json {
			t.Errorf("%#x: %q, %q", c.tag, got, o.Point)
		}
	}
}
