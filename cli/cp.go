package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"vitrine/volume"
)

type cpOptions struct {
	source       sourceFlags
	overwrite    bool
	skipExisting bool
	streams      string // "", "auto", "xattr", "file"
	attributes   bool
	security     bool
	salvage      bool
	noSync       bool
	deleted      bool
	workers      int
	sources      []string
	dir          string
}

func newCp(e *env) *cobra.Command {
	o := cpOptions{}
	c := &cobra.Command{
		Use: "cp IMAGE[:N]:PATH... DIR", Short: "Copy files and folders out of an image", GroupID: groupRead,
		Long: `Copy files, folders or what a pattern matches into the folder DIR, which is made
if it is not there. A folder comes with its name; of the root (IMAGE:/) what is in
it. Times, sparse files, links and hard links among the files copied are kept. Empty
system files, and those of one zero byte, which Interix takes for pipes and sockets,
are copied as files.

Nothing is ever written outside DIR. Names that this system cannot hold are
written with %(HEX) in place of the character. What could not be copied, or only
under another name, is listed, and the exit code is 3.

A file of which a part cannot be read, because the image is damaged there or the
disk was, is left out. With --salvage it is copied with zeros in place of that
part, and the bytes that are missing are listed.

On a damaged NTFS volume, files that no folder leads to are copied with the root:
into their folder, as 'NAME (record N)' where another file has the name, or, if
the folder is gone, into one named $Orphan-N, which is listed.

Links lead where they lead in a mount: from the volume's root, or from a drive letter
if the volume has such a path, becomes relative, and ".." ends at the root. A link to
something that is not copied with it stays, leading nowhere or to something else; those
out of DIR are counted, those to a server too.`,
		Example: `  vitrine cp backups@3:/Users/ann/Documents out/        makes out/Documents
  vitrine cp backups:2:/ everything/                    all of partition 2
  vitrine cp 'backups:/Users/ann/*.docx' . --skip-existing
  vitrine cp --device /dev/sdb1 /Users/ann out/
  vitrine cp --device /dev/sdb1 --deleted /Users/ann out/`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("like this: vitrine cp backups:/Users/ann out/", "what to copy and where to are needed")
			}
			o.sources, o.dir = args[:len(args)-1], args[len(args)-1]
			if o.deleted {
				return runRecover(c.Context(), e, &o)
			}
			return runCp(c.Context(), e, &o)
		},
	}
	o.source.add(c)
	f := c.Flags()
	f.BoolVar(&o.overwrite, "overwrite", false, "replace files that exist in DIR")
	f.BoolVar(&o.skipExisting, "skip-existing", false, "leave files that exist in DIR as they are")
	f.StringVar(&o.streams, "streams", "", "copy named streams too, as `FORM`: xattr (user xattrs), file (files beside it, name:stream) or auto")
	f.Lookup("streams").NoOptDefVal = "auto"
	f.BoolVar(&o.attributes, "attributes", false, "keep Windows attributes (elsewhere in the xattr user.DOSATTRIB), and owners where the image has them")
	f.BoolVar(&o.security, "security", false, "give copies the owners and permissions of the image's Windows (on Windows; owners need an administrator)")
	f.BoolVar(&o.salvage, "salvage", false, "copy what is readable of damaged files; zeros stand for the rest, which is listed")
	f.BoolVar(&o.noSync, "no-sync", false, "do not wait until everything is on the disk")
	f.BoolVar(&o.deleted, "deleted", false, "recover deleted files of NTFS at and below the paths, as far as nothing has taken their place")
	f.IntVar(&o.workers, "workers", min(max(runtime.NumCPU(), 2), 8), "copy `N` files at the same time")
	return c
}

func (o *cpOptions) check() error {
	if o.overwrite && o.skipExisting {
		return usage("choose one of them", "--overwrite and --skip-existing contradict each other")
	}
	if o.security && !onWindows {
		return usage("copy without it; 'vitrine stat' shows them", "--security is for copies on Windows: this system has no such permissions")
	}
	switch o.streams {
	case "", "auto", "xattr", "file":
	default:
		return usage("leave the value away for both", "--streams=%s: it is xattr or file", o.streams)
	}
	if o.workers < 1 || o.workers > 64 {
		return usage("2 to 8 is useful", "--workers %d: from 1 to 64", o.workers)
	}
	return nil
}

func runCp(ctx context.Context, e *env, o *cpOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	places, err := e.open(ctx, &o.source, o.sources)
	if err != nil {
		return err
	}
	defer places.close()
	items, err := cpItems(ctx, places)
	if err != nil {
		return err
	}
	if err := o.refuse(ctx, items); err != nil {
		return err
	}
	dest, err := openDest(o.dir)
	if err != nil {
		return err
	}
	defer dest.Close()
	c := newCopier(e, o, dest)
	defer c.meter.abandon()
	err = c.run(ctx, items)
	if err == nil || errors.Is(err, context.Canceled) {
		c.summary(err == nil)
	}
	if err != nil {
		return c.stopped(err)
	}
	if c.hurt.count() > 0 && c.files.Load()+c.folders.Load()+c.symlinks.Load() == 0 {
		return c.hurt.nothing("not copied")
	}
	return c.hurt.err("not copied, or not whole, or not under the same name")
}

// item is one thing to copy into the destination itself.
type item struct {
	place place
	found found
}

// cpItems resolves the arguments. Of a root its entries are meant.
func cpItems(ctx context.Context, p *places) (items []item, err error) {
	for _, pl := range p.list {
		all, err := pl.matches(ctx, false)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			items = append(items, item{pl, f})
		}
	}
	return items, nil
}

func (it item) isRoot() bool { return it.found.path == "/" }

// refuse looks for everything that would be overwritten before anything is
// written.
func (o *cpOptions) refuse(ctx context.Context, items []item) error {
	info, err := os.Stat(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return failed(exitFailed, "nothing was copied; name a folder, or write one file with 'vitrine cat IMAGE:PATH > FILE'", "%s is a file, not a folder", o.dir)
	}
	if o.overwrite || o.skipExisting {
		return nil
	}
	for _, it := range items {
		if err := it.refuse(ctx, o.dir); err != nil {
			return err
		}
	}
	return nil
}

func (it item) refuse(ctx context.Context, dir string) error {
	c := clasher{f: it.place.finder, target: []byte(strings.TrimSuffix(filepath.Join(dir, "x"), "x"))}
	if !it.isRoot() {
		return c.one(ctx, it.found.name, it.found.attr.Kind, it.found.attr.ID, 0)
	}
	return c.below(ctx, it.found.attr.ID, 0)
}

// clasher looks for what a copy would overwrite.
type clasher struct {
	f      finder
	target []byte // where copies go that are in the folder at hand, with a separator at the end
	lists  heldLists
}

// one refuses when in place of a copy something other than a folder for a folder
// exists, and looks into folders that do.
func (c *clasher) one(ctx context.Context, name string, k volume.Kind, id volume.ID, depth int) error {
	up := len(c.target)
	defer func() { c.target = c.target[:up] }()
	c.target = append(c.target, targetOf(name)...)
	info, err := os.Lstat(string(c.target))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir() || k != volume.Dir:
		return failed(exitFailed, "nothing was copied; use --overwrite or --skip-existing, or copy into another folder", "%s exists already", printable(string(c.target)))
	case depth >= maxDepth:
		return nil // not copied
	}
	c.target = append(c.target, filepath.Separator)
	return c.below(ctx, id, depth+1)
}

// below looks at what would be copied from a folder.
func (c *clasher) below(ctx context.Context, id volume.ID, depth int) error {
	dir := c.f.inBatches(&c.lists, id, nil)
	defer c.lists.leave()
	for en := dir.next(ctx); en != nil; en = dir.next(ctx) {
		if en.Err != nil {
			continue
		}
		if err := c.one(ctx, en.Name, en.Attr.Kind, en.Attr.ID, depth); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func targetOf(name string) string {
	t, _ := targetName(name, onWindows)
	return t
}

func openDest(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// stopped words what the person has when copying ended early.
func (c *copier) stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return &problem{exitInterrupted, "interrupted", "files copied so far are complete; go on with --skip-existing", err}
	}
	p := explain(err)
	return &problem{p.code, p.msg, "files copied so far are complete, go on with --skip-existing; " + p.hint, err}
}

// copied is the summary of a copy. Sizes are bytes.
type copied struct {
	To       string  `json:"to"`
	Files    int64   `json:"files"`
	Folders  int64   `json:"folders"`
	Links    int64   `json:"links"`
	Outward  int64   `json:"links_outward"` // of them lead out of the destination
	Undated  int64   `json:"undated"`       // files and folders whose date the destination cannot express
	Bytes    int64   `json:"bytes"`
	Skipped  int64   `json:"skipped"`
	Problems int     `json:"problems"`
	Seconds  float64 `json:"seconds"`
	Complete bool    `json:"complete"` // nothing was left and there was no problem
}

// summary tells what was copied; ended is whether all of it was tried.
func (c *copier) summary(ended bool) {
	s := copied{To: c.o.dir, Files: c.files.Load(), Folders: c.folders.Load(), Links: c.symlinks.Load(), Outward: c.outward.Load(), Undated: c.undated.Load(), Bytes: c.bytes.Load(),
		Skipped: c.skipped.Load(), Problems: c.hurt.count(), Seconds: time.Since(c.start).Seconds()}
	s.Complete = ended && s.Problems == 0
	if c.e.json {
		c.e.emit("copied", s)
		return
	}
	text := fmt.Sprintf("copied %s, %s", plural(s.Files, "file"), plural(s.Folders, "folder"))
	if s.Links > 0 {
		text += ", " + plural(s.Links, "link")
	}
	text += fmt.Sprintf(" (%s) to %s in %s", size(s.Bytes), s.To, span(time.Since(c.start)))
	if s.Skipped > 0 {
		text += fmt.Sprintf("; left %s as they were", plural(s.Skipped, "existing file"))
	}
	if s.Outward > 0 {
		text += fmt.Sprintf("; %s out of there, to what was not copied", leadWord(s.Outward))
	}
	if s.Undated > 0 {
		text += fmt.Sprintf("; %s before or after what the file system there can express", dateWord(s.Undated))
	}
	c.e.say("%s", text)
}

func dateWord(n int64) string {
	if n == 1 {
		return "1 date is"
	}
	return grouped(n) + " dates are"
}

func leadWord(n int64) string {
	if n == 1 {
		return "1 link leads"
	}
	return grouped(n) + " links lead"
}
