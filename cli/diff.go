package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"vitrine/volume"
)

func newDiff(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "diff IMAGE@A[:PATH] IMAGE@B[:PATH]", Short: "Show which files differ between two points", GroupID: groupRead, Args: takes(2, 2),
		Long: `Compare two points, or two folders, by names, sizes, times and file numbers; contents
are not read. '+' is new in the second, '-' is gone, '*' has changed. A folder that is a
file in the other is gone, with all below it, or new.`,
		Example: `  vitrine diff backups@3 backups@4
  vitrine diff backups@3:/Users/ann backups@4:/Users/ann`,
		RunE: func(c *cobra.Command, args []string) error { return runDiff(c.Context(), e, args) },
	}
}

func runDiff(ctx context.Context, e *env, args []string) error {
	places, err := e.open(ctx, &sourceFlags{}, args)
	if err != nil {
		return err
	}
	defer places.close()
	a, b := places.list[0], places.list[1]
	from, err := a.find(ctx, a.path, true)
	if err != nil {
		return err
	}
	to, err := b.find(ctx, b.path, true)
	if err != nil {
		return err
	}
	d := differ{e: e, a: newSide(a.finder, from), b: newSide(b.finder, to), hurt: &tally{}}
	if err := d.top(ctx, &from, &to); err != nil {
		return err
	}
	if !e.json {
		e.say("%s new, %s gone, %s changed", grouped(d.added), grouped(d.gone), grouped(d.changed))
	}
	return d.hurt.err("could not be read")
}

// differ compares two trees folder by folder.
type differ struct {
	e                    *env
	a, b                 side
	hurt                 *tally
	path                 trail // from the tops on, the same in both
	lists                heldLists
	added, gone, changed int64
}

// side is one of the trees.
type side struct {
	finder
	top  string             // path of the folder that is compared
	seen map[volume.ID]bool // folders: on a damaged volume two names may lead to one
}

func newSide(f finder, top found) side { return side{f, top.path, map[volume.ID]bool{}} }

// difference is one object that differs, in --json.
type difference struct {
	Change  string       `json:"change"` // new, gone, changed
	Path    string       `json:"path"`
	RawPath []byte       `json:"path_bytes,omitempty"`
	Before  *entryObject `json:"before,omitempty"`
	After   *entryObject `json:"after,omitempty"`
}

func (d *differ) top(ctx context.Context, from, to *found) error {
	for _, f := range []*found{from, to} {
		if f.attr.Kind != volume.Dir {
			return at_(f.path, volume.ErrNotDir)
		}
	}
	return d.folders(ctx, from.attr.ID, to.attr.ID, 1)
}

// full is the path in one of the trees of what the walk has come to.
func (d *differ) full(s *side) string {
	if len(d.path) == 0 {
		return s.top
	}
	return strings.TrimSuffix(s.top, "/") + string(d.path)
}

// folders compares two folders.
func (d *differ) folders(ctx context.Context, from, to volume.ID, level int) error {
	if d.a.seen[from] {
		return nil
	}
	if level > maxLevels {
		d.hurt.add(d.e, d.full(&d.a), tooDeep(maxLevels))
		return nil
	}
	old := d.enter(ctx, &d.a, from)
	defer d.lists.leave()
	now := d.enter(ctx, &d.b, to)
	defer d.lists.leave()
	for {
		o, n := old.peek(), now.peek()
		err := ctx.Err()
		switch {
		case err != nil || o == nil && n == nil:
			return err
		case n == nil || o != nil && before(o, n):
			err = d.one(ctx, &d.a, '-', old.next(), level)
		case o == nil || before(n, o):
			err = d.one(ctx, &d.b, '+', now.next(), level)
		default:
			o, n = old.next(), now.next()
			now.last = old.last // one of the two equal strings is enough
			err = d.both(ctx, o, n, level)
		}
		if err != nil {
			return err
		}
	}
}

// before is the order of sortByName.
func before(a, b *volume.Entry) bool { return nameKeyOf(a.Name).compare(nameKeyOf(b.Name)) < 0 }

// enter begins the folder that s has come to; what cannot be read in it is listed and
// left out.
func (d *differ) enter(ctx context.Context, s *side, dir volume.ID) *inOrder {
	s.seen[dir] = true
	bad := func(err error) { d.hurt.add(d.e, d.full(s), err) }
	told := 0
	return s.inOrder(ctx, &d.lists, dir, bad, func(all []volume.Entry) []volume.Entry {
		if n := countBad(all); n > told { // it may be listed again
			told = n
			d.tell(s, all)
		}
		return slices.DeleteFunc(all, func(e volume.Entry) bool { return e.Err != nil })
	})
}

func countBad(all []volume.Entry) (n int) {
	for i := range all {
		if all[i].Err != nil {
			n++
		}
	}
	return n
}

func (d *differ) tell(s *side, all []volume.Entry) {
	for i := range all {
		if e := &all[i]; e.Err != nil {
			d.hurt.add(d.e, join(d.full(s), e.Name), e.Err)
		}
	}
}

// both compares an object that both trees have. A folder that is none in the other is
// gone with all below it, or new.
func (d *differ) both(ctx context.Context, o, n *volume.Entry, level int) error {
	if (o.Attr.Kind == volume.Dir) != (n.Attr.Kind == volume.Dir) {
		return cmp.Or(d.one(ctx, &d.a, '-', o, level), d.one(ctx, &d.b, '+', n, level))
	}
	defer d.path.up(d.path.down(o.Name))
	d.damage(&d.a, o.Attr)
	d.damage(&d.b, n.Attr)
	if o.Attr.Kind == volume.Dir && n.Attr.Kind == volume.Dir {
		return d.folders(ctx, o.Attr.ID, n.Attr.ID, level+1)
	}
	if !sameVersion(o.Attr, n.Attr) {
		d.changed++
		d.show('*', d.full(&d.a), o.Name, o.Attr, n.Attr)
	}
	return nil
}

// damage tells that the object that s has come to is damaged.
func (d *differ) damage(s *side, a *volume.Attr) {
	if a.Damage != nil {
		d.hurt.add(d.e, d.full(s), a.Damage)
	}
}

// one shows an object that only one tree has, with all below it.
func (d *differ) one(ctx context.Context, s *side, mark byte, en *volume.Entry, level int) error {
	defer d.path.up(d.path.down(en.Name))
	d.damage(s, en.Attr)
	if mark == '+' {
		d.added++
		d.show(mark, d.full(s), en.Name, nil, en.Attr)
	} else {
		d.gone++
		d.show(mark, d.full(s), en.Name, en.Attr, nil)
	}
	return d.below(ctx, s, mark, en.Attr.Kind, en.Attr.ID, level+1)
}

// below shows what is in a folder that only one tree has.
func (d *differ) below(ctx context.Context, s *side, mark byte, k volume.Kind, id volume.ID, level int) error {
	if k != volume.Dir || s.seen[id] {
		return nil
	}
	if level > maxLevels {
		d.hurt.add(d.e, d.full(s), tooDeep(maxLevels))
		return nil
	}
	dir := d.enter(ctx, s, id)
	defer d.lists.leave()
	for en := dir.next(); en != nil; en = dir.next() {
		if err := d.one(ctx, s, mark, en, level); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (d *differ) show(mark byte, full, name string, before, after *volume.Attr) {
	if !d.e.json {
		fmt.Fprintf(d.e.Out, "%c %s\n", mark, printable(full))
		return
	}
	o := difference{Change: map[byte]string{'+': "new", '-': "gone", '*': "changed"}[mark], Path: full, RawPath: notUnicode(full)}
	if before != nil {
		b := newEntryObject(name, o.Path, *before)
		o.Before = &b
	}
	if after != nil {
		a := newEntryObject(name, o.Path, *after)
		o.After = &a
	}
	d.e.emit("difference", o)
}
