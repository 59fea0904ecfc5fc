package cli

import (
	"cmp"
	"context"
	"path"
	"strings"

	"vitrine/volume"
)

// lost copies, into the copy of a volume's root, what no folder led to.
func (c *copier) lost(ctx context.Context, p place, root found, f *folder, depth int) error {
	able, ok := p.fs.(volume.Lost)
	if !ok {
		return nil
	}
	if strings.Count(root.path, "/") == 1 { // perhaps the root of a volume
		c.meter.name("looking for what no folder leads to")
	}
	var stop error
	err := able.WalkLost(ctx, root.attr.ID, func(dir volume.ID, en *volume.Entry) error {
		if en.Err == nil && (en.Kind != volume.Dir || !c.had(en.ID)) {
			stop = c.lostOne(ctx, p, root, f, dir, en, depth)
		}
		return stop
	})
	if err != nil && stop == nil && ctx.Err() == nil {
		c.hurt.add(c.e, root.path, err)
	}
	return cmp.Or(stop, ctx.Err())
}

func (c *copier) had(dir volume.ID) bool {
	_, had := c.seen[dir]
	return had
}

// lostOne copies what says to be in folder dir of the volume whose root is copied
// into f.
func (c *copier) lostOne(ctx context.Context, p place, root found, f *folder, dir volume.ID, en *volume.Entry, depth int) error {
	from := found{join(root.path, en.Name), en.Name, *en.Attr}
	in := f
	if dir != root.attr.ID {
		var err error
		if in, err = c.back(ctx, p, root, f, dir); err != nil {
			return c.listed(from, err)
		}
		defer c.leave(in)
		from.path = join(in.path, en.Name)
	}
	if a, err := p.fs.Lookup(ctx, dir, en.Name); err != nil || a.ID != en.ID { // not "$Orphan-N", which tells itself
		c.e.note(note{Path: printable(from.path), Text: "its folder does not lead to it; it is copied by its own record"})
	}
	return c.entry(ctx, p, from, in, depth)
}

// back opens a folder once more that was copied below f, the copy of root. It must
// be left.
func (c *copier) back(ctx context.Context, p place, root found, f *folder, dir volume.ID) (*folder, error) {
	able, ok := p.fs.(volume.Paths)
	if !ok {
		return nil, volume.ErrUnsupported
	}
	full, err := able.Path(ctx, dir)
	if err != nil {
		return nil, err
	}
	f.pending.Add(1) // as if it were left below
	at := root
	for _, name := range splitPath(strings.TrimPrefix(full, root.path)) {
		if at, err = p.child(ctx, at, name); err != nil {
			break
		}
		target, _ := targetName(at.name, onWindows)
		next := &folder{up: f, rel: path.Join(f.rel, target), name: target, attr: at.attr, path: at.path, sddl: c.sddl(ctx, p, at)}
		if err = c.makeFolder(next); err != nil {
			break
		}
		next.made = next.made || c.seen[at.attr.ID]
		next.pending.Add(1)
		f = next
	}
	if err != nil {
		c.leave(f)
		return nil, err
	}
	return f, nil
}
