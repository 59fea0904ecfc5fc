package cli

import (
	"testing"

	"vitrine/volume"
)

// TestDamageIsTold: tree and diff tell damaged files, and what a folder had that is none
// any more.
func TestDamageIsTold(t *testing.T) {
	was, is := newFakeFS(), newFakeFS()
	was.file(was.dir(was.root(), "d"), "in d", "1")
	was.file(was.root(), "f", "1")
	is.file(is.root(), "d", "").attr.Damage = volume.ErrCorrupt
	is.file(is.root(), "f", "1")

	e, out, errs := testEnv()
	hurt := &tally{}
	d := drawer{e: e, o: &treeOptions{}, f: finder{fs: is}, hurt: hurt, path: trail("/"), seen: map[volume.ID]bool{}}
	if err := d.below(t.Context(), volume.Dir, is.Root(), 1); err != nil || hurt.count() != 1 {
		t.Errorf("tree: %v, %d problems\n%s%s", err, hurt.count(), out, errs)
	}

	e, out, errs = testEnv()
	hurt = &tally{}
	from, to := found{"/", "/", was.root().attr}, found{"/", "/", is.root().attr}
	c := differ{e: e, a: newSide(finder{fs: was}, from), b: newSide(finder{fs: is}, to), hurt: hurt}
	if err := c.top(t.Context(), &from, &to); err != nil || hurt.count() != 1 || c.gone != 2 || c.added != 1 {
		t.Errorf("diff: %v, %d problems\n%s%s", err, hurt.count(), out, errs)
	}
	if want := "- /d\n- /d/in d\n+ /d\n* /f\n"; out.String() != want { // f has another number
		t.Errorf("diff says\n%s", out)
	}
}
