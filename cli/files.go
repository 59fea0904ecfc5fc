package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"vitrine/ntfsparse"
	"vitrine/volume"
)

// copyBuffer is what cat and cp read at once, in bytes.
const copyBuffer = 1 << 20

func newCat(e *env) *cobra.Command {
	o := catOptions{}
	c := &cobra.Command{
		Use: "cat IMAGE[:N]:PATH...", Short: "Write a file's contents to standard output", GroupID: groupRead,
		Example: `  vitrine cat backups@3:/Users/ann/notes.txt
  vitrine cat backups:/Users/ann/notes.txt:Zone.Identifier     a named stream
  vitrine cat --device disk.img:2 /Windows/win.ini > win.ini`,
		RunE: func(c *cobra.Command, args []string) error { return runCat(c.Context(), e, &o, args) },
	}
	o.source.add(c)
	c.Flags().BoolVar(&o.raw, "raw", false, "as it is stored: encrypted (EFS) or compressed, up to its last cluster")
	return c
}

type catOptions struct {
	source sourceFlags
	raw    bool
}

func runCat(ctx context.Context, e *env, o *catOptions, args []string) error {
	if len(args) == 0 {
		return usage("like this: vitrine cat backups:/Users/ann/notes.txt", "no file is named")
	}
	places, err := e.open(ctx, &o.source, args)
	if err != nil {
		return err
	}
	defer places.close()
	hurt := &tally{}
	for _, p := range places.list {
		all, err := p.matches(ctx, true)
		if err != nil {
			return err
		}
		for _, f := range all {
			if err := p.cat(ctx, e.Out, f, o.raw); err != nil {
				return err
			}
			if f.attr.Damage != nil {
				hurt.add(e, f.path, f.attr.Damage)
			}
		}
	}
	return hurt.err("may not be whole")
}

func (p place) cat(ctx context.Context, w io.Writer, f found, raw bool) error {
	if f.attr.Kind == volume.Dir {
		return at_(f.path, volume.ErrIsDir)
	}
	open := p.fs.Open
	if raw {
		r, ok := p.fs.(volume.RawOpener)
		if !ok {
			return at_(f.path, fmt.Errorf("this file system stores contents as they are: %w", volume.ErrUnsupported))
		}
		open = r.OpenRaw
	}
	file, err := open(ctx, f.attr.ID)
	if err != nil {
		return at_(f.path, err)
	}
	defer file.Close()
	_, err = io.CopyBuffer(onlyWriter{w}, &fileReader{ctx: ctx, f: file}, make([]byte, min(copyBuffer, max(file.Size(), 1))))
	return at_(f.path, err)
}

// onlyWriter hides ReadFrom, so that our buffer is used.
type onlyWriter struct{ io.Writer }

// fileReader reads an open file from front to back.
type fileReader struct {
	ctx context.Context
	f   volume.OpenFile
	off int64
}

func (r *fileReader) Read(p []byte) (int, error) {
	left := r.f.Size() - r.off
	if left <= 0 {
		return 0, io.EOF
	}
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.f.ReadAt(r.ctx, p[:min(int64(len(p)), left)], r.off)
	r.off += int64(n)
	if errors.Is(err, io.EOF) && n > 0 {
		err = nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func newStat(e *env) *cobra.Command {
	o := sourceFlags{}
	c := &cobra.Command{
		Use: "stat IMAGE[:N]:PATH...", Short: "Show all that is known of a file or folder", GroupID: groupRead,
		Example: `  vitrine stat backups:/Users/ann/notes.txt
  vitrine stat --device /dev/sdb1 /pagefile.sys --json`,
		RunE: func(c *cobra.Command, args []string) error { return runStat(c.Context(), e, &o, args) },
	}
	o.add(c)
	return c
}

func runStat(ctx context.Context, e *env, o *sourceFlags, args []string) error {
	places, err := e.open(ctx, o, args)
	if err != nil {
		return err
	}
	defer places.close()
	hurt := &tally{}
	for _, p := range places.list {
		all, err := p.matches(ctx, false)
		if err != nil {
			return err
		}
		for _, f := range all {
			if p.stat(ctx, e, f, hurt); f.attr.Damage != nil {
				hurt.add(e, f.path, f.attr.Damage)
			}
		}
	}
	return hurt.err("could not be read whole")
}

// statObject is an entry with what only stat tells.
type statObject struct {
	entryObject
	Mode       string   `json:"mode,omitempty"`
	Device     string   `json:"device,omitempty"` // major:minor
	Generation uint32   `json:"generation,omitempty"`
	Reparse    uint32   `json:"reparse_tag,omitempty"`
	LeftOut    string   `json:"left_out,omitempty"`
	Xattrs     []string `json:"xattrs,omitempty"`
	Security   string   `json:"security,omitempty"`  // SDDL
	ObjectID   string   `json:"object_id,omitempty"` // GUID
}

func (p place) stat(ctx context.Context, e *env, f found, hurt *tally) {
	l := lister{e: e, f: p.finder, o: &lsOptions{}, hurt: hurt}
	o := statObject{entryObject: l.object(ctx, path.Base(f.path), f.path, f.attr), Generation: f.attr.Gen, Reparse: f.attr.Reparse}
	if f.attr.HasPOSIX {
		o.Mode = fmt.Sprintf("%04o %d:%d", f.attr.Perm, f.attr.UID, f.attr.GID)
	}
	if k := f.attr.Kind; k == volume.CharDev || k == volume.BlockDev {
		major, minor := f.attr.Device()
		if o.Device = fmt.Sprintf("%d:%d", major, minor); f.attr.Rdev == 0 && f.attr.Damage != nil {
			o.Device = "?"
		}
	}
	if able, ok := p.fs.(volume.Omitter); ok {
		o.LeftOut, _ = able.LeftOut(ctx, f.attr.ID)
	}
	if able, ok := p.fs.(volume.Xattrs); ok {
		o.Xattrs, _ = able.ListXattr(ctx, f.attr.ID)
		var err error
		if o.Security, err = securityText(ctx, able, f.attr.ID); err != nil {
			hurt.add(e, f.path, at("owner and permissions", err))
		}
		if b, err := able.Xattr(ctx, f.attr.ID, "system.ntfs_object_id"); err == nil {
			o.ObjectID = ntfsparse.GUIDText(b)
		}
	}
	if e.json {
		e.emit("stat", o)
		return
	}
	printStat(e, f, o)
}

func printStat(e *env, f found, o statObject) {
	row := func(k, v string) {
		if v != "" {
			fmt.Fprintf(e.Out, "%12s: %s\n", k, v)
		}
	}
	row("path", printable(o.Path))
	row("kind", o.Kind)
	switch {
	case f.attr.NoSize:
		row("size", "?")
	case f.attr.Kind != volume.Dir:
		row("size", exactSize(o.Size))
		row("allocated", exactSize(o.Alloc))
	}
	row("target", printable(o.Target))
	row("id", fmt.Sprintf("%d, generation %d, %s", o.ID, o.Generation, plural(int64(o.Links), "name")))
	row("modified", exactTime(f.attr.ModTime))
	row("accessed", exactTime(f.attr.AccessTime))
	row("changed", exactTime(f.attr.ChangeTime))
	row("created", exactTime(f.attr.BirthTime))
	row("attributes", strings.Join(o.Attributes, ", "))
	row("mode", o.Mode)
	row("device", o.Device)
	if o.Reparse != 0 {
		row("reparse tag", strings.TrimSuffix(fmt.Sprintf("0x%08X, %s", o.Reparse, o.Point), ", "))
	}
	for _, s := range o.Streams {
		row("stream", fmt.Sprintf("%s, %s", printable(s.Name), exactSize(s.Size)))
	}
	row("security", o.Security)
	row("object id", o.ObjectID)
	row("xattrs", strings.Join(o.Xattrs, ", "))
	if o.LeftOut != "" {
		row("contents", "left out of the image ("+o.LeftOut+")")
	}
}

func exactTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return exactStamp(t)
}
