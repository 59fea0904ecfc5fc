package mount

import (
	"context"
	"fmt"
	"io/fs"

	"vitrine/volume"
)

// branch is a file system within the tree: a volume, or a point's tree.
type branch struct {
	tree  *Tree
	part  int // of a volume, from 1
	fs    volume.FileSystem
	root  volume.ID
	top   bool   // its root is the tree's root
	point *point // of a point
}

// outer turns the branch's number of an object into the tree's.
func (b *branch) outer(id volume.ID) (volume.ID, error) {
	if b.point != nil {
		return volume.ID(b.point.number)<<pointShift | id, nil
	}
	if b.top && id == b.root {
		return rootID, nil
	}
	if packed, ok := packID(b.part, id); ok {
		return packed, nil
	}
	return b.tree.odd.number(b.part, id)
}

// inside is a branch in use, and an object of it.
type inside struct {
	*branch
	fs volume.FileSystem
	id volume.ID
}

// enter finds the branch that holds the object, opening its point when needed.
// The caller must call leave.
func (t *Tree) enter(ctx context.Context, id volume.ID) (inside, error) {
	if n := pointOf(id); n != 0 {
		return t.enterPoint(ctx, n, id)
	}
	part, own := partOf(id), unpackID(id)
	switch {
	case id == rootID && t.top != nil:
		return inside{t.top, t.top.fs, t.top.root}, nil
	case part == oddPart:
		row, ok := t.odd.row(id)
		if !ok {
			return inside{}, errNoObject(id)
		}
		part, own = row.part, row.id
	}
	if part < 1 || part > len(t.branch) {
		return inside{}, errNoObject(id)
	}
	b := t.branch[part-1]
	return inside{b, b.fs, own}, nil
}

func (t *Tree) enterPoint(ctx context.Context, n int, id volume.ID) (inside, error) {
	p := t.points.get(n)
	if p == nil {
		return inside{}, errNoObject(id)
	}
	tree, err := t.points.acquire(ctx, p)
	if err != nil {
		return inside{}, err
	}
	return inside{p.branch, tree, id & innerMask}, nil
}

func (in inside) leave() {
	if in.point != nil {
		in.tree.points.release(in.point)
	}
}

func errNoObject(id volume.ID) error {
	return fmt.Errorf("object %#x: %w", uint64(id), fs.ErrNotExist)
}
