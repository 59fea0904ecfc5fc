package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"vitrine/ntfsparse"
	"vitrine/volume"
)

type lsOptions struct {
	source  sourceFlags
	long    bool
	deleted bool
	args    []string
}

func newLs(e *env) *cobra.Command {
	o := lsOptions{}
	c := &cobra.Command{
		Use: "ls IMAGE[:N][:PATH]...", Short: "List a folder of an image", GroupID: groupRead,
		Long: `List folders and files of an image, without mounting it.

With -l, --deleted tells what is left of each deleted file's contents: whole, partly
overwritten, overwritten or unknown; doubtful where another deleted file had the same
clusters, so that nobody knows whose contents are there.`,
		Example: `  vitrine ls backups/                        the newest point of the set in backups
  vitrine ls backups@3:/Users/ann -l         as of point 3, with sizes and times
  vitrine ls backups:2:'/Windows/*.exe'      partition 2, by pattern
  vitrine ls --device /dev/sdb1 /Users       a disk, without an image`,
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			return runLs(c.Context(), e, &o)
		},
	}
	o.source.add(c)
	c.Flags().BoolVar(&o.deleted, "deleted", false, "list deleted files below the path instead, as far as the file table remembers them")
	c.Flags().BoolVarP(&o.long, "long", "l", false, "attributes, size, time, links' targets and streams")
	return c
}

func runLs(ctx context.Context, e *env, o *lsOptions) error {
	places, err := e.open(ctx, &o.source, o.args)
	if err != nil {
		return err
	}
	defer places.close()
	hurt := &tally{}
	for i, p := range places.list {
		l := lister{e: e, o: o, f: p.finder, hurt: hurt, next: i > 0}
		if o.deleted {
			if err := l.deleted(ctx, p); err != nil {
				return err
			}
			continue
		}
		all, err := p.matches(ctx, true)
		if err != nil {
			return err
		}
		l.head = len(all) > 1 || len(places.list) > 1
		if err := l.run(ctx, all); err != nil {
			return err
		}
	}
	return hurt.err("could not be read")
}

// lister prints what one argument matched.
type lister struct {
	e    *env
	o    *lsOptions
	f    finder
	hurt *tally
	head bool // print the folder's name above its contents
	next bool // something was printed before
}

func (l *lister) run(ctx context.Context, all []found) error {
	var files []volume.Entry
	for _, at := range all {
		if at.attr.Kind != volume.Dir {
			files = append(files, volume.Entry{Name: at.path, Attr: &at.attr})
		}
	}
	l.print(ctx, "", files)
	for _, at := range all {
		if at.attr.Kind != volume.Dir {
			continue
		}
		if err := l.folder(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) folder(ctx context.Context, dir found) error {
	entries, err := l.f.list(ctx, dir.attr.ID)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if l.head && !l.e.json {
		if l.next {
			fmt.Fprintln(l.e.Out)
		}
		fmt.Fprintf(l.e.Out, "%s:\n", printable(dir.path))
		l.next = true
	}
	l.print(ctx, dir.path, entries)
	if err != nil && l.head { // others may be sound
		l.hurt.add(l.e, dir.path, err)
		return nil
	}
	return at_(dir.path, err)
}

// print lists entries of a folder; without a folder their names are paths.
// Lines are made one by one: a folder may have very many.
func (l *lister) print(ctx context.Context, dir string, entries []volume.Entry) {
	if len(entries) > 0 {
		l.next = true
	}
	var wide, links int
	var line []byte
	for i := range entries {
		if a := entries[i].Attr; l.o.long && entries[i].Err == nil {
			line = appendSize(line[:0], a)
			wide = max(wide, len(line))
			line = strconv.AppendUint(line[:0], uint64(a.Links), 10)
			links = max(links, len(line))
		}
	}
	for i := range entries {
		en := &entries[i]
		full := en.Name
		if dir != "" {
			full = join(dir, en.Name)
		}
		if en.Err != nil {
			l.hurt.add(l.e, full, en.Err)
		} else if en.Attr.Damage != nil {
			l.hurt.add(l.e, full, en.Attr.Damage)
		}
		switch {
		case l.e.json && en.Err != nil:
			l.e.emit("entry", entryObject{Name: en.Name, Path: full, RawName: notUnicode(en.Name), RawPath: notUnicode(full), Error: plain(en.Err)})
		case l.e.json:
			l.e.emit("entry", l.object(ctx, en.Name, full, *en.Attr))
		case !l.o.long:
			line = append(append(line[:0], l.paint(en)...), '\n')
			l.e.Out.Write(line)
		case en.Err != nil:
			fmt.Fprintf(l.e.Out, "%-7s %*s %*s  %-16s  %s\n", "?", links, "", wide, "", "", l.paint(en))
		default:
			a := en.Attr
			line = append(appendMode(line[:0], a), ' ')
			at := len(line)
			line = append(alignRight(strconv.AppendUint(line, uint64(a.Links), 10), at, links), ' ')
			at = len(line)
			line = append(alignRight(appendSize(line, a), at, wide), "  "...)
			line = append(appendModified(line, a), "  "...)
			line = append(append(line, l.paint(en)...), l.extra(ctx, full, a)...)
			l.e.Out.Write(append(line, '\n'))
		}
	}
}

// appendSize is the size in ls -l; folders have none.
func appendSize(b []byte, a *volume.Attr) []byte {
	if a.Kind == volume.Dir {
		return append(b, '-')
	}
	return appendBytes(b, a)
}

// appendBytes is the size of the contents, '?' where it is not known.
func appendBytes(b []byte, a *volume.Attr) []byte {
	if a.NoSize {
		return append(b, '?')
	}
	return appendGrouped(b, a.Size)
}

// appendModified is the time in ls -l, '?' where the file has lost it.
func appendModified(b []byte, a *volume.Attr) []byte {
	if at := len(b); a.ModTime.IsZero() && a.Damage != nil {
		return alignLeft(append(b, '?'), at, len(minutes))
	}
	return appendStamp(b, a.ModTime)
}

func (l *lister) paint(en *volume.Entry) string {
	name := en.Name
	if l.e.OutTerm {
		name = printable(name)
	}
	switch {
	case en.Err != nil:
	case en.Attr.Kind == volume.Dir:
		return l.e.paintOut(colourFolder, name)
	case en.Attr.Kind == volume.Symlink:
		return l.e.paintOut(colourLink, name)
	}
	return name
}

func (l *lister) object(ctx context.Context, name, full string, a volume.Attr) entryObject {
	o := newEntryObject(name, full, a)
	o.Target, o.Streams = l.beside(ctx, full, &a)
	return o
}

// beside is where a link leads, and the named streams.
func (l *lister) beside(ctx context.Context, full string, a *volume.Attr) (target string, streams []streamObject) {
	if a.Kind == volume.Symlink {
		target, _ = l.f.fs.ReadLink(ctx, a.ID)
	}
	if able, ok := l.f.fs.(volume.Streams); ok && !a.NoStreams && a.ID>>volume.IDRecordBits == 0 {
		list, err := able.Streams(ctx, a.ID)
		if err != nil && ctx.Err() == nil && a.Damage == nil { // that is told elsewhere
			l.hurt.add(l.e, full, at("not all of its named streams can be read", err))
		}
		for _, s := range list {
			streams = append(streams, streamObject{s.Name, notUnicode(s.Name), s.Size})
		}
	}
	return target, streams
}

// extra is beside in words, and what a reparse point is that makes no link.
func (l *lister) extra(ctx context.Context, full string, a *volume.Attr) string {
	target, streams := l.beside(ctx, full, a)
	var b strings.Builder
	if target != "" {
		b.WriteString(" -> " + printable(target))
	}
	if a.Reparse != 0 && (a.Kind == volume.File || a.Kind == volume.Dir) {
		fmt.Fprintf(&b, "  [%s]", cmp.Or(ntfsparse.TagWord(a.Reparse), ntfsparse.TagName(a.Reparse)))
	}
	for _, s := range streams {
		fmt.Fprintf(&b, "  [:%s %s]", printable(s.Name), size(s.Size))
	}
	return b.String()
}

// entryObject is a file or folder in --json. Times are RFC 3339 with all
// digits; sizes are bytes.
type entryObject struct {
	Name       string         `json:"name"`
	Path       string         `json:"path"`
	RawName    []byte         `json:"name_bytes,omitempty"` // as all …_bytes: where it is not valid Unicode
	RawPath    []byte         `json:"path_bytes,omitempty"`
	Kind       string         `json:"kind,omitempty"`
	ID         uint64         `json:"id,omitempty"`
	Size       int64          `json:"size"`
	NoSize     bool           `json:"size_unknown,omitempty"`
	Alloc      int64          `json:"allocated"`
	Links      uint32         `json:"links,omitempty"`
	Modified   string         `json:"modified,omitempty"`
	Accessed   string         `json:"accessed,omitempty"`
	Changed    string         `json:"changed,omitempty"`
	Created    string         `json:"created,omitempty"`
	Attributes []string       `json:"attributes,omitempty"`
	Target     string         `json:"target,omitempty"`
	Point      string         `json:"reparse,omitempty"` // what the reparse point is, where that is known
	Streams    []streamObject `json:"streams,omitempty"`
	Error      string         `json:"error,omitempty"`
}

type streamObject struct {
	Name    string `json:"name"`
	RawName []byte `json:"name_bytes,omitempty"`
	Size    int64  `json:"size"`
}

func newEntryObject(name, full string, a volume.Attr) entryObject {
	o := entryObject{Name: name, Path: full, RawName: notUnicode(name), RawPath: notUnicode(full), Kind: kindWord(a.Kind), ID: uint64(a.ID), Size: a.Size, Alloc: a.Alloc, Links: a.Links,
		Modified: iso(a.ModTime), Accessed: iso(a.AccessTime), Changed: iso(a.ChangeTime), Created: iso(a.BirthTime),
		Attributes: attributeWords(a.Win), Point: ntfsparse.TagWord(a.Reparse)}
	if o.NoSize = a.NoSize; a.Damage != nil {
		o.Error = plain(a.Damage)
	}
	return o
}

// notUnicode is the bytes of a name or path that JSON cannot hold as it is, otherwise nil.
func notUnicode(s string) []byte {
	if utf8.ValidString(s) {
		return nil
	}
	return []byte(s)
}

func kindWord(k volume.Kind) string {
	words := [...]string{"?", "folder", "file", "link", "fifo", "socket", "chardev", "blockdev", "other"}
	return words[min(int(k), len(words)-1)]
}

// windowsAttributes are the bits of [MS-FSCC] 2.6 that are worth showing.
var windowsAttributes = []struct {
	bit    uint32
	letter byte
	word   string
}{
	{0x1, 'r', "read-only"}, {0x2, 'h', "hidden"}, {0x4, 's', "system"}, {0x20, 'a', "archive"},
	{0x800, 'c', "compressed"}, {0x4000, 'e', "encrypted"}, {0x200, 0, "sparse"}, {0x400, 0, "reparse-point"},
	{0x1000, 0, "offline"}, {0x100, 0, "temporary"}, {0x2000, 0, "not-indexed"}, {0x40000, 0, "recall-on-open"}, {0x400000, 0, "recall-on-access"},
}

func attributeWords(bits uint32) (words []string) {
	for _, w := range windowsAttributes {
		if bits&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	return words
}

// appendMode is the first column of ls -l, of seven letters: the kind and the
// Windows attributes.
func appendMode(b []byte, a *volume.Attr) []byte {
	const kinds = "?d-lpscb?"
	b = append(b, kinds[min(int(a.Kind), len(kinds)-1)])
	for _, w := range windowsAttributes {
		switch {
		case w.letter == 0:
		case a.Win&w.bit != 0:
			b = append(b, w.letter)
		default:
			b = append(b, '-')
		}
	}
	return b
}

// appendStamp is a time in ls -l, of 16 letters.
func appendStamp(b []byte, t time.Time) []byte {
	at := len(b)
	if t.IsZero() {
		b = append(b, '-')
	} else {
		b = t.Local().AppendFormat(b, minutes)
	}
	return alignLeft(b, at, len(minutes))
}

// iso is a time in JSON. A year of more than four digits has a sign before it, as ISO
// 8601 wants it.
func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	s := t.UTC().Format(time.RFC3339Nano)
	if t.UTC().Year() > 9999 {
		s = "+0" + s
	}
	return s
}

func join(dir, name string) string { return strings.TrimSuffix(dir, "/") + "/" + name }

// nameKey is what names are ordered by: without regard to case, then with.
type nameKey struct{ lower, name string }

func nameKeyOf(name string) nameKey { return nameKey{strings.ToLower(name), name} }

func (k nameKey) compare(o nameKey) int {
	if c := strings.Compare(k.lower, o.lower); c != 0 {
		return c
	}
	return strings.Compare(k.name, o.name)
}

func sortByName(all []volume.Entry) {
	type keyed struct {
		lower string
		place int // in all; -1: done
	}
	keys := make([]keyed, len(all))
	for i := range all {
		keys[i] = keyed{strings.ToLower(all[i].Name), i}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		return nameKey{a.lower, all[a.place].Name}.compare(nameKey{b.lower, all[b.place].Name})
	})
	for i := range keys { // a large folder is not copied: each cycle of places is gone round
		if keys[i].place < 0 {
			continue
		}
		first, to := all[i], i
		for from := keys[to].place; from != i; from = keys[to].place {
			all[to], keys[to].place = all[from], -1
			to = from
		}
		all[to], keys[to].place = first, -1
	}
}
