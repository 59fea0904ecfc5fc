package cli

import (
	"strings"
	"testing"

	"vitrine/volume"
)

// TestListGoesOn: of several folders, a damaged one does not hide the others.
func TestListGoesOn(t *testing.T) {
	f := newFakeFS()
	var all []found
	for _, name := range []string{"a", "b", "c"} {
		d := f.dir(f.root(), name)
		f.file(d, "in "+name, "")
		d.hides = 1
		all = append(all, found{"/" + name, name, d.attr})
	}
	e, out, errs := testEnv()
	l := lister{e: e, o: &lsOptions{}, f: fakePlace(f, "/").finder, hurt: &tally{}, head: true}
	if err := l.run(t.Context(), all); err != nil || l.hurt.count() != 3 || strings.Count(errs.String(), "problem: /") != 3 {
		t.Errorf("%v, %d\n%s", err, l.hurt.count(), errs)
	}
	if s := out.String(); !strings.Contains(s, "/a:\n\n/b:\n\n/c:\n") {
		t.Errorf("%q", s)
	}
	l = lister{e: e, o: &lsOptions{}, f: l.f, hurt: &tally{}}
	all[0].attr.ID = volume.ID(99)
	if err := l.run(t.Context(), all[:1]); err == nil {
		t.Error("a folder that is not there can be listed")
	}
}
