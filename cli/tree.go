package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"vitrine/volume"
)

type treeOptions struct {
	source  sourceFlags
	depth   int
	folders bool
	args    []string
}

func newTree(e *env) *cobra.Command {
	o := treeOptions{}
	c := &cobra.Command{
		Use: "tree IMAGE[:N][:PATH]...", Short: "Draw what lies below a folder", GroupID: groupRead,
		Example: `  vitrine tree backups@3:/Users/ann --depth 2
  vitrine tree --device disk.img:2 / -d`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.args = args; o.depth < 0 {
				return usage("choose 0 for all levels, or 1 and more", "--depth %d: there are no levels above the folder itself", o.depth)
			}
			return runTree(c.Context(), e, &o)
		},
	}
	o.source.add(c)
	c.Flags().IntVar(&o.depth, "depth", 0, "go at most `N` levels down (0: all)")
	c.Flags().BoolVarP(&o.folders, "folders", "d", false, "folders only")
	return c
}

func checkDepth(n int) error {
	if n < 0 {
		return usage("1 shows a folder's own entries, 0 all levels", "--depth %d: it cannot be negative", n)
	}
	return nil
}

func runTree(ctx context.Context, e *env, o *treeOptions) error {
	if err := checkDepth(o.depth); err != nil {
		return err
	}
	places, err := e.open(ctx, &o.source, o.args)
	if err != nil {
		return err
	}
	defer places.close()
	d := drawer{e: e, o: o, hurt: &tally{}}
	for _, p := range places.list {
		all, err := p.matches(ctx, true)
		if err != nil {
			return err
		}
		for _, f := range all {
			d.f, d.path, d.seen = p.finder, append(d.path[:0], f.path...), map[volume.ID]bool{}
			d.name("", f.path, &f.attr)
			if err := d.below(ctx, f.attr.Kind, f.attr.ID, 1); err != nil {
				return err
			}
		}
	}
	d.sum()
	return d.hurt.err("could not be read")
}

// drawer draws one tree after the other and counts over all.
type drawer struct {
	e              *env
	o              *treeOptions
	f              finder
	hurt           *tally
	folders, files int64

	path   trail
	indent []byte // the lines before what is in the folder at hand
	lists  heldLists
	seen   map[volume.ID]bool // folders drawn: on a damaged volume two names may lead to one
}

// below draws what is in a folder.
func (d *drawer) below(ctx context.Context, k volume.Kind, id volume.ID, level int) error {
	if k != volume.Dir || d.o.depth > 0 && level > d.o.depth || d.seen[id] {
		return nil
	}
	if level > maxLevels {
		d.hurt.add(d.e, string(d.path), tooDeep(maxLevels))
		return nil
	}
	d.seen[id] = true
	dir := d.f.inOrder(ctx, &d.lists, id, func(err error) { d.hurt.add(d.e, string(d.path), err) }, d.wanted)
	defer d.lists.leave()
	for en := dir.next(); en != nil; en = dir.next() {
		branch, next := "├── ", "│   "
		if dir.peek() == nil {
			branch, next = "└── ", "    "
		}
		up, margin := d.path.down(en.Name), len(d.indent)
		if en.Err != nil {
			d.hurt.add(d.e, string(d.path), en.Err)
			d.path.up(up)
			continue
		}
		if bad := en.Attr.Damage; bad != nil {
			d.hurt.add(d.e, string(d.path), bad)
		}
		d.count(en.Attr.Kind)
		d.name(branch, en.Name, en.Attr)
		d.indent = append(d.indent, next...)
		err := d.below(ctx, en.Attr.Kind, en.Attr.ID, level+1)
		d.indent = d.indent[:margin]
		if d.path.up(up); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (d *drawer) wanted(all []volume.Entry) []volume.Entry {
	return slices.DeleteFunc(all, func(en volume.Entry) bool {
		return d.o.folders && en.Err == nil && en.Attr.Kind != volume.Dir
	})
}

func (d *drawer) count(k volume.Kind) {
	if k == volume.Dir {
		d.folders++
	} else {
		d.files++
	}
}

// name draws what the walk has come to.
func (d *drawer) name(branch, name string, a *volume.Attr) {
	if d.e.json {
		d.e.emit("entry", newEntryObject(name, string(d.path), *a))
		return
	}
	colour, tail := "", ""
	switch a.Kind {
	case volume.Dir:
		colour = colourFolder
	case volume.Symlink:
		target, _ := d.f.fs.ReadLink(context.Background(), a.ID)
		colour, tail = colourLink, " -> "+printable(target)
	}
	fmt.Fprintf(d.e.Out, "%s%s%s%s\n", d.indent, branch, d.e.paintOut(colour, printable(name)), tail)
}

func (d *drawer) sum() {
	if !d.e.json {
		fmt.Fprintf(d.e.Out, "\n%s, %s\n", plural(d.folders, "folder"), plural(d.files, "file"))
	}
}
