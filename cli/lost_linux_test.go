package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/volume"
)

// lossy has files of which one stream can be read and others cannot.
type lossy struct{ *fakeFS }

func (l lossy) Streams(_ context.Context, id volume.ID) ([]volume.Stream, error) {
	return []volume.Stream{{Name: "known", ID: id}}, volume.ErrCorrupt
}

// TestLostStreams: that streams are missing is told, and what there is is copied.
func TestLostStreams(t *testing.T) {
	f := lossy{newFakeFS()}
	f.file(f.root(), "one", "1")
	dir := filepath.Join(t.TempDir(), "out")
	errs, err := copyFake(t, f, "/", dir, cpOptions{streams: "file"})
	if code(err) != exitIncomplete {
		t.Errorf("%v\n%s", err, errs)
	}
	wantFile(t, filepath.Join(dir, "one"), "1")
	wantFile(t, filepath.Join(dir, "one:known"), "1")

	e, out, _ := testEnv()
	l := lister{e: e, o: &lsOptions{long: true}, f: fakePlace(f, "/").finder, hurt: &tally{}}
	if err := l.folder(t.Context(), found{"/", "/", f.root().attr}); err != nil || code(l.hurt.err("")) != exitIncomplete || !strings.Contains(out.String(), ":known") {
		t.Errorf("ls: %v, %v\n%s", err, l.hurt.err(""), out)
	}
}
