package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/spf13/cobra"
	"vitrine/reader"
	"vitrine/volume"
)

func newVersions(e *env) *cobra.Command {
	all := false
	c := &cobra.Command{
		Use: "versions IMAGE[:N]:PATH", Short: "Show all versions of a file in a set", GroupID: groupRead, Args: takes(1, 1),
		Long: `Look a file or folder up in every point of the set and list the points at which it was
different: new, changed or gone.`,
		Example: `  vitrine versions backups:/Users/ann/report.txt
  vitrine cp backups@3:/Users/ann/report.txt .`,
		RunE: func(c *cobra.Command, args []string) error { return runVersions(c.Context(), e, args[0], all) },
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "list the points at which it was the same too")
	return c
}

// fileVersion is what one point knows of a path.
type fileVersion struct {
	Point  uint32       `json:"point"`
	When   string       `json:"captured"`
	Change string       `json:"change"` // new, changed, same, gone, absent, unknown
	Entry  *entryObject `json:"entry,omitempty"`
	Error  string       `json:"error,omitempty"`
	member *reader.Member
	attr   volume.Attr
	err    error // why it is unknown
}

func runVersions(ctx context.Context, e *env, arg string, all bool) error {
	ref := parseImage(arg, onWindows)
	if ref.Path == "" {
		return usage("like this: vitrine versions backups:/Users/ann/report.txt", "no path is named")
	}
	member, err := e.anyPoint(ctx, ref)
	if err != nil {
		return err
	}
	set, err := setOfFile(ctx, member)
	if err != nil {
		return err
	}
	boundMemory(wideHeapLimit)
	pool := reader.NewPool(0, 0)
	defer pool.Close()
	t := newTable(">POINT", "CAPTURED", "CHANGE", ">SIZE", "MODIFIED")
	found, before := false, fileVersion{Change: "absent"}
	var unknown error
	for i := range set.Members {
		v := e.versionAt(ctx, &set.Members[i], ref, pool)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.compare(before)
		if v.Change != "unknown" {
			before = v
		}
		found = found || v.Entry != nil
		if unknown == nil {
			unknown = v.err
		}
		if all || v.Change != "same" && v.Change != "absent" {
			e.version(t, v)
		}
	}
	if !found && unknown != nil {
		return at("looking for "+printable(ref.Path), unknown)
	}
	if !found {
		return &problem{exitFailed, fmt.Sprintf("%s is in no point of the set", printable(ref.Path)), "'vitrine find' searches a point by name", fs.ErrNotExist}
	}
	if e.json {
		return nil
	}
	return t.print(e.Out)
}

func (e *env) version(t *table, v fileVersion) {
	if e.json {
		e.emit("version_of_file", v)
		return
	}
	bytes, modified := "-", "-"
	if v.Entry != nil {
		bytes, modified = grouped(v.attr.Size), stampOf(v.attr.ModTime)
	}
	if v.Error != "" {
		modified = v.Error
	}
	t.row(fmt.Sprint(v.Point), stampMember(v.member), v.Change, bytes, modified)
}

// versionAt looks ref's path up in one point.
func (e *env) versionAt(ctx context.Context, m *reader.Member, ref imageRef, pool *reader.Pool) fileVersion {
	v := fileVersion{Point: m.Number, When: iso(m.Time()), member: m}
	if !m.Usable() {
		v.Error, v.err = memberState(m), m.Err
		return v
	}
	at, err := e.lookAt(ctx, m.Path, ref, pool)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		v.Error, v.err = oneLine(plain(err)), err
	default:
		o := newEntryObject(path.Base(at.path), at.path, at.attr)
		v.Entry, v.attr = &o, at.attr
	}
	return v
}

func (e *env) lookAt(ctx context.Context, file string, ref imageRef, pool *reader.Pool) (found, error) {
	p, err := reader.Open(ctx, file, reader.Options{Search: e.search, Pool: pool})
	if err != nil {
		return found{}, err
	}
	s := pointShelf(p, file)
	defer s.close()
	files, _, err := s.files(ctx, ref.Part)
	if err != nil {
		return found{}, err
	}
	return finder{fs: files}.find(ctx, ref.Path, false)
}

// compare says how v differs from the version before.
func (v *fileVersion) compare(before fileVersion) {
	switch {
	case v.Error != "":
		v.Change = "unknown"
	case v.Entry == nil && before.Entry == nil:
		v.Change = "absent"
	case v.Entry == nil:
		v.Change = "gone"
	case before.Entry == nil:
		v.Change = "new"
	case sameVersion(&v.attr, &before.attr):
		v.Change = "same"
	default:
		v.Change = "changed"
	}
}

// sameVersion compares what changes when somebody writes to a file. The
// contents are not read.
func sameVersion(a, b *volume.Attr) bool {
	return a.ID == b.ID && a.Gen == b.Gen && a.Kind == b.Kind && a.Size == b.Size && a.ModTime.Equal(b.ModTime) && a.ChangeTime.Equal(b.ChangeTime) && a.Win == b.Win
}
