package cli

import (
	"context"
	"fmt"

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
			d.f = p.finder
			d.name("", f.path, f.path, f.attr)
			if err := d.below(ctx, f, "", 1, map[volume.ID]bool{}); err != nil {
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
}

// below draws the contents of dir behind the lines in indent. seen holds the
// folders drawn: on a damaged volume two names may lead to one.
func (d *drawer) below(ctx context.Context, dir found, indent string, level int, seen map[volume.ID]bool) error {
	if dir.attr.Kind != volume.Dir || d.o.depth > 0 && level > d.o.depth || seen[dir.attr.ID] {
		return nil
	}
	seen[dir.attr.ID] = true
	entries, err := d.f.list(ctx, dir)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		d.hurt.add(d.e, dir.path, err)
	}
	entries = d.wanted(entries)
	for i, en := range entries {
		branch, next := "├── ", "│   "
		if i == len(entries)-1 {
			branch, next = "└── ", "    "
		}
		full := join(dir.path, en.Name)
		if en.Err != nil {
			d.hurt.add(d.e, full, en.Err)
			continue
		}
		d.count(en.Attr.Kind)
		d.name(indent+branch, en.Name, full, *en.Attr)
		if err := d.below(ctx, found{full, en.Name, *en.Attr}, indent+next, level+1, seen); err != nil {
			return err
		}
	}
	return nil
}

func (d *drawer) wanted(all []volume.Entry) []volume.Entry {
	if !d.o.folders {
		return all
	}
	kept := all[:0]
	for _, en := range all {
		if en.Err != nil || en.Attr.Kind == volume.Dir {
			kept = append(kept, en)
		}
	}
	return kept
}

func (d *drawer) count(k volume.Kind) {
	if k == volume.Dir {
		d.folders++
	} else {
		d.files++
	}
}

func (d *drawer) name(lines, name, full string, a volume.Attr) {
	if d.e.json {
		d.e.emit("entry", newEntryObject(name, full, a))
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
	fmt.Fprintf(d.e.Out, "%s%s%s\n", lines, d.e.paintOut(colour, printable(name)), tail)
}

func (d *drawer) sum() {
	if !d.e.json {
		fmt.Fprintf(d.e.Out, "\n%s, %s\n", plural(d.folders, "folder"), plural(d.files, "file"))
	}
}
