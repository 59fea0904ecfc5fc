package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"vitrine/volume"
)

func newDiff(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "diff IMAGE@A[:PATH] IMAGE@B[:PATH]", Short: "Show which files differ between two points", GroupID: groupRead, Args: takes(2, 2),
		Long: `Compare two points, or two folders, by names, sizes, times and file numbers; contents
are not read. '+' is new in the second, '-' is gone, '*' has changed.`,
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
	d := differ{e: e, a: a.finder, b: b.finder, hurt: &tally{}, seen: map[volume.ID]bool{}}
	if err := d.folders(ctx, from, to); err != nil {
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
	a, b                 finder
	hurt                 *tally
	seen                 map[volume.ID]bool // folders of a
	added, gone, changed int64
}

// difference is one object that differs, in --json.
type difference struct {
	Change string       `json:"change"` // new, gone, changed
	Path   string       `json:"path"`
	Before *entryObject `json:"before,omitempty"`
	After  *entryObject `json:"after,omitempty"`
}

func (d *differ) folders(ctx context.Context, from, to found) error {
	if d.seen[from.attr.ID] {
		return nil
	}
	d.seen[from.attr.ID] = true
	old, err := d.list(ctx, d.a, from)
	if err != nil {
		return err
	}
	now, err := d.list(ctx, d.b, to)
	if err != nil {
		return err
	}
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && before(&old[0], &now[0]):
			err = d.one(ctx, d.a, '-', child(from, &old[0]))
			old = old[1:]
		case len(old) == 0 || before(&now[0], &old[0]):
			err = d.one(ctx, d.b, '+', child(to, &now[0]))
			now = now[1:]
		default:
			err = d.both(ctx, child(from, &old[0]), child(to, &now[0]))
			old, now = old[1:], now[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func child(dir found, e *volume.Entry) found { return found{join(dir.path, e.Name), e.Name, *e.Attr} }

// before is the order of sortByName.
func before(a, b *volume.Entry) bool { return nameKeyOf(a.Name).compare(nameKeyOf(b.Name)) < 0 }

// list reads a folder; what cannot be read is listed and left out.
func (d *differ) list(ctx context.Context, f finder, dir found) (good []volume.Entry, err error) {
	if dir.attr.Kind != volume.Dir {
		return nil, at_(dir.path, volume.ErrNotDir)
	}
	all, err := f.list(ctx, dir)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		d.hurt.add(d.e, dir.path, err)
	}
	for _, e := range all {
		if e.Err != nil {
			d.hurt.add(d.e, join(dir.path, e.Name), e.Err)
			continue
		}
		good = append(good, e)
	}
	return good, nil
}

// both compares an object that both trees have.
func (d *differ) both(ctx context.Context, from, to found) error {
	folders := from.attr.Kind == volume.Dir && to.attr.Kind == volume.Dir
	if !folders && !sameVersion(from.attr, to.attr) {
		d.changed++
		d.show('*', from, &from.attr, &to.attr)
	}
	if folders {
		return d.folders(ctx, from, to)
	}
	return nil
}

// one shows an object that only one tree has, with all below it.
func (d *differ) one(ctx context.Context, f finder, mark byte, at found) error {
	if mark == '+' {
		d.added++
		d.show(mark, at, nil, &at.attr)
	} else {
		d.gone++
		d.show(mark, at, &at.attr, nil)
	}
	if at.attr.Kind != volume.Dir || mark == '-' && d.seen[at.attr.ID] {
		return nil
	}
	if mark == '-' {
		d.seen[at.attr.ID] = true
	}
	entries, err := d.list(ctx, f, at)
	for i := 0; i < len(entries) && err == nil; i++ {
		err = d.one(ctx, f, mark, child(at, &entries[i]))
	}
	return err
}

func (d *differ) show(mark byte, at found, before, after *volume.Attr) {
	if !d.e.json {
		fmt.Fprintf(d.e.Out, "%c %s\n", mark, printable(at.path))
		return
	}
	o := difference{Change: map[byte]string{'+': "new", '-': "gone", '*': "changed"}[mark], Path: at.path}
	if before != nil {
		b := newEntryObject(at.name, at.path, *before)
		o.Before = &b
	}
	if after != nil {
		a := newEntryObject(at.name, at.path, *after)
		o.After = &a
	}
	d.e.emit("difference", o)
}
