package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"vitrine/volume"
)

type findOptions struct {
	source       sourceFlags
	names, paths []string
	kind         string
	sizes        []string
	newer, older string
	depth        int
	long         bool
	args         []string
}

func newFind(e *env) *cobra.Command {
	o := findOptions{}
	c := &cobra.Command{
		Use: "find IMAGE[:N][:PATH]...", Short: "Search files by name, size and time", GroupID: groupRead,
		Long: `Print the path of everything below a folder that passes all tests.
Names are compared without regard to case; [[] in a pattern means a [ in a
name. The tests may be written with one dash.

On a damaged NTFS volume, a search of all of it also tells files that their folder
does not list, and those that no folder leads to, below '/$Orphan-N'. cat, cp,
stat and ls take these paths, too.`,
		Example: `  vitrine find backups:/Users --name '*.docx' --newer 2026-10-01
  vitrine find backups@latest -size +1G -type f -l
  vitrine find --device disk.img:2 / --name '*.pst'`,
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			return runFind(c.Context(), e, &o)
		},
	}
	o.source.add(c)
	f := c.Flags()
	f.StringArrayVar(&o.names, "name", nil, "name matches `GLOB` (repeatable: any of them)")
	f.StringArrayVar(&o.names, "iname", nil, "`GLOB`, the same as --name")
	f.StringArrayVar(&o.paths, "path", nil, "whole path matches `GLOB`, in which * also matches / (repeatable)")
	f.StringVar(&o.kind, "type", "", "`KIND` of object: f file, d folder, l link")
	f.StringArrayVar(&o.sizes, "size", nil, "`SIZE`: +10M larger, -64k smaller, 0 exactly (repeatable: all of them)")
	f.StringVar(&o.newer, "newer", "", "modified at or after `DATE`: 2026-11-02, 2026-11-02T14:00, 3d, 12h")
	f.StringVar(&o.older, "older", "", "modified before `DATE`")
	f.IntVar(&o.depth, "depth", 0, "go at most `N` levels down (0: all)")
	f.BoolVarP(&o.long, "long", "l", false, "attributes, size and time as in ls -l")
	return c
}

func runFind(ctx context.Context, e *env, o *findOptions) error {
	if err := checkDepth(o.depth); err != nil {
		return err
	}
	tests, err := o.tests(time.Now())
	if err != nil {
		return err
	}
	places, err := e.open(ctx, &o.source, o.args)
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
		s := searcher{e: e, o: o, f: p.finder, tests: tests, hurt: hurt}
		for _, f := range all {
			if err := s.run(ctx, f); err != nil {
				return err
			}
		}
	}
	return hurt.err("could not be read")
}

// test passes or fails one object.
type test func(full []byte, a *volume.Attr) bool

func (o *findOptions) tests(now time.Time) (all []test, err error) {
	add := func(t test, e error) {
		if err == nil {
			err = e
		}
		if t != nil {
			all = append(all, t)
		}
	}
	add(nameTest(o.names))
	add(pathTest(o.paths))
	add(kindTest(o.kind))
	for _, s := range o.sizes {
		add(sizeTest(s))
	}
	add(timeTest("--newer", o.newer, now, func(mod, t time.Time) bool { return !mod.Before(t) }))
	add(timeTest("--older", o.older, now, time.Time.Before))
	return all, err
}

func nameTest(globs []string) (test, error) {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			return nil, usage("patterns are like '*.docx', 'IMG_????.jpg', '[a-c]*'", "%q is not a pattern", g)
		}
	}
	if len(globs) == 0 {
		return nil, nil
	}
	return func(full []byte, _ *volume.Attr) bool { return anyMatch(globs, lastName(full)) }, nil
}

// lastName is [path.Base].
func lastName(full []byte) string {
	name := bytes.TrimRight(full, "/")
	return cmp.Or(string(name[bytes.LastIndexByte(name, '/')+1:]), "/")
}

func anyMatch(globs []string, name string) bool {
	for _, g := range globs {
		if match(g, name) {
			return true
		}
	}
	return false
}

// pathTest lets * match slashes, by taking them out of the pattern's sight.
func pathTest(globs []string) (test, error) {
	hide := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	hidden := make([]string, len(globs))
	for i, g := range globs {
		hidden[i] = hide(g)
	}
	inner, err := nameTest(hidden)
	if inner == nil {
		return nil, err
	}
	return func(full []byte, _ *volume.Attr) bool { return anyMatch(hidden, hide(string(full))) }, nil
}

func kindTest(kind string) (test, error) {
	kinds := map[string]volume.Kind{"f": volume.File, "file": volume.File, "d": volume.Dir, "folder": volume.Dir, "l": volume.Symlink, "link": volume.Symlink}
	k, ok := kinds[kind]
	switch {
	case kind == "":
		return nil, nil
	case !ok:
		return nil, usage("kinds are f (file), d (folder) and l (link)", "there is no kind %q", kind)
	}
	return func(_ []byte, a *volume.Attr) bool { return a.Kind == k }, nil
}

func sizeTest(s string) (test, error) {
	sign, digits := byte(0), s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, digits = s[0], s[1:]
	}
	n, err := parseSize(digits)
	if err != nil {
		return nil, usage("like this: --size +10M, --size -64k, --size 0", "%v", err)
	}
	return func(_ []byte, a *volume.Attr) bool {
		switch {
		case a.Kind == volume.Dir || a.NoSize:
			return false
		case sign == '+':
			return a.Size > n
		case sign == '-':
			return a.Size < n
		}
		return a.Size == n
	}, nil
}

func timeTest(flag, when string, now time.Time, pass func(mod, t time.Time) bool) (test, error) {
	if when == "" {
		return nil, nil
	}
	t, err := parseWhen(when, now)
	if err != nil {
		return nil, usage("dates are like 2026-11-02 or 2026-11-02T14:00, ages like 12h or 3d", "%s: %v", flag, err)
	}
	return func(_ []byte, a *volume.Attr) bool { return !a.ModTime.IsZero() && pass(a.ModTime, t) }, nil
}

// parseWhen reads a date in local time, or an age before now.
func parseWhen(s string, now time.Time) (time.Time, error) {
	if n := len(s) - 1; n > 0 {
		unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[s[n]]
		var count int
		if _, err := fmt.Sscanf(s[:n], "%d", &count); unit > 0 && err == nil && fmt.Sprint(count) == s[:n] && count >= 0 && count < 1e9 {
			return time.Unix(now.Unix()-int64(count)*int64(unit/time.Second), int64(now.Nanosecond())), nil
		}
	}
	if year, rest, ok := strings.Cut(strings.TrimPrefix(s, "+"), "-"); ok && len(year) > 4 { // as listings have them
		n, err := strconv.ParseUint(year, 10, 17)
		const cycle = 400 // years after which the calendar begins anew
		t, bad := parseWhen(fmt.Sprintf("%d-%s", 2000+n%cycle, rest), now)
		if cmp.Or(err, bad) != nil {
			return t, fmt.Errorf("%q is not a date", s)
		}
		return t.AddDate(int(n/cycle*cycle)-2000, 0, 0), nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date", s)
}

// searcher applies the tests below one folder.
type searcher struct {
	e     *env
	o     *findOptions
	f     finder
	tests []test
	hurt  *tally
	path  trail
	lists heldLists
	seen  map[volume.ID]bool // folders
	line  []byte             // the one that is being made
}

func (s *searcher) run(ctx context.Context, top found) error {
	s.path, s.seen = append(s.path[:0], top.path...), map[volume.ID]bool{}
	s.try(&top.attr)
	if w, ok := s.f.fs.(volume.Walker); ok && top.path == "/" && s.o.depth == 0 {
		return w.Walk(ctx, func(full string, en *volume.Entry) error {
			if s.path = s.path[:0]; !strings.HasPrefix(full, "/") {
				s.path = append(s.path, '/')
			}
			s.path = append(s.path, full...)
			return s.visit(ctx, en)
		})
	}
	return s.below(ctx, top.attr.Kind, top.attr.ID, 1)
}

// visit tries what the walk has come to.
func (s *searcher) visit(ctx context.Context, en *volume.Entry) error {
	if len(s.path) == 1 {
		if en.Err != nil {
			s.hurt.add(s.e, "/", en.Err)
		}
		return ctx.Err() // tried already
	}
	s.f.fillAttr(ctx, en)
	if en.Err != nil {
		s.hurt.add(s.e, string(s.path), en.Err)
		if en.Attr == nil {
			return ctx.Err()
		}
	} else if en.Attr.Damage != nil {
		s.hurt.add(s.e, string(s.path), en.Attr.Damage)
	}
	s.try(en.Attr)
	return ctx.Err()
}

// below goes on to what is in a folder.
func (s *searcher) below(ctx context.Context, k volume.Kind, id volume.ID, level int) error {
	if k != volume.Dir || s.o.depth > 0 && level > s.o.depth || s.seen[id] {
		return nil
	}
	if level > maxLevels {
		s.hurt.add(s.e, string(s.path), tooDeep(maxLevels))
		return nil
	}
	s.seen[id] = true
	dir := s.f.inOrder(ctx, &s.lists, id, func(err error) { s.hurt.add(s.e, string(s.path), err) }, keepAll)
	defer s.lists.leave()
	for en := dir.next(); en != nil; en = dir.next() {
		up := s.path.down(en.Name)
		err := s.visit(ctx, en)
		if err == nil && en.Err == nil {
			err = s.below(ctx, en.Attr.Kind, en.Attr.ID, level+1)
		}
		if s.path.up(up); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// try prints what the walk has come to, if it passes.
func (s *searcher) try(a *volume.Attr) {
	for _, t := range s.tests {
		if !t(s.path, a) {
			return
		}
	}
	if s.e.json {
		full := string(s.path)
		s.e.emit("entry", newEntryObject(path.Base(full), full, *a))
		return
	}
	line := s.line[:0]
	if s.o.long {
		line = append(appendMode(line, a), ' ')
		at := len(line)
		line = append(alignRight(appendBytes(line, a), at, 16), "  "...)
		line = append(appendModified(line, a), "  "...)
	}
	if s.e.OutTerm {
		line = append(line, printable(string(s.path))...)
	} else {
		line = append(line, s.path...)
	}
	s.line = append(line, '\n')
	s.e.Out.Write(s.line)
}
