package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"vitrine/index"
	"vitrine/volume"
)

// defaultExcludes are files at the root of a Windows volume whose contents are
// worthless after a restart.
var defaultExcludes = []string{"pagefile.sys", "hiberfil.sys", "swapfile.sys"}

// byDefault is the reason that defaultExcludes and the stores of shadow copies
// are left out.
const byDefault = "default"

// Where Windows keeps what shadow copies hold of earlier states of a volume: in
// files that are named by the copy and by shadowStore. The list of the copies,
// named by shadowStore alone, is small and captured. Source: Microsoft's own
// list in the registry, Control\BackupRestore\FilesNotToBackup, "VSS Default
// Provider".
const (
	shadowDir   = "System Volume Information"
	shadowStore = "{3808876b-c176-4e48-b7ae-04046e6cc752}"
)

// isShadowStore reports whether a file of shadowDir holds a shadow copy's data.
func isShadowStore(name string) bool {
	name = strings.ToLower(name)
	id, ok := strings.CutSuffix(name, shadowStore)
	return ok && isGUID(id)
}

// isGUID knows {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx} in lower case.
func isGUID(s string) bool {
	if len(s) != len(shadowStore) {
		return false
	}
	for i, c := range []byte(s) {
		switch at := shadowStore[i]; {
		case at == '{' || at == '-' || at == '}':
			if c != at {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// Bounds of what is left out.
const (
	maxLeftOut        = 10000   // streams of a partition: the image's description lists them
	maxLeftOutExtents = 1 << 19 // of all partitions: they are held, in 8 MiB
)

// exclude finds the extents of files whose contents are not captured.
func (p *planner) exclude(ctx context.Context, q *index.Partition, s *stream, u volume.UsedSpace) error {
	x := &excluder{ctx: ctx, q: q, u: u, room: maxLeftOutExtents - p.leftOut, matched: p.matched}
	for _, name := range append(x.shadowStores(), defaultExcludes...) {
		err := x.file(name, byDefault)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			x.failed.add(fmt.Sprintf("%s: %v", name, err))
		}
	}
	if len(p.o.Exclude) > 0 {
		if err := x.walk(p.section(q.Offset, q.Size), p.o.Exclude); err != nil {
			return err
		}
	}
	p.plan.meta.Warnings = append(p.plan.meta.Warnings, x.warnings()...)
	s.skip = merge(x.skip)
	p.leftOut += len(s.skip)
	return nil
}

// warnings tell what matches but is in the image.
func (x *excluder) warnings() (all []string) {
	for _, k := range []struct {
		kept *some
		why  string
	}{
		{&x.small, "small ones lie in the file table itself"},
		{&x.more, fmt.Sprintf("no more than %d, in %d extents, are left out", maxLeftOut, maxLeftOutExtents)},
		{&x.failed, "they cannot be told apart from the rest"},
	} {
		if k.kept.n > 0 {
			all = append(all, fmt.Sprintf("partition %d: contents that were to be left out are in the image: %s (%s)", x.q.Number, k.kept, k.why))
		}
	}
	return all
}

// some are files of which the first are named.
type some struct {
	n     int
	first []string
}

func (s *some) add(name string) {
	if s.n++; s.n <= 5 {
		s.first = append(s.first, name)
	}
}

func (s *some) String() string {
	text := fmt.Sprintf("%d files, ", s.n)
	if s.n == 1 {
		text = "1 file, "
	}
	text += strings.Join(s.first, ", ")
	if s.n > len(s.first) {
		text += ", …"
	}
	return text
}

type excluder struct {
	ctx  context.Context
	q    *index.Partition
	u    volume.UsedSpace
	skip []extent
	room int // for extents in skip
	seen map[volume.ID]bool
	// Files that match but are captured: with contents in the file table, beyond
	// the bounds, and for a reason of their own.
	small, more, failed some
	// matched gathers the patterns that matched something.
	matched map[string]bool
}

// shadowStores are the files of a volume that hold shadow copies' data. A folder
// that cannot be listed is captured as it is.
func (x *excluder) shadowStores() (paths []string) {
	v, ok := x.u.(volume.FileSystem)
	if !ok {
		return nil
	}
	dir, err := v.Lookup(x.ctx, v.Root(), shadowDir)
	if err != nil {
		return nil
	}
	err = v.ReadDir(x.ctx, dir.ID, 0, false, func(e *volume.Entry) bool {
		if e.Kind == volume.File && isShadowStore(e.Name) {
			paths = append(paths, shadowDir+"/"+e.Name)
		}
		return true
	})
	if err != nil {
		x.failed.add(fmt.Sprintf("%s: %v", shadowDir, err))
	}
	return paths
}

// file leaves the contents of one file out, those of named streams too, which
// folders may have as well. Contents that cannot be located, and those among the
// file system's own data, are captured.
func (x *excluder) file(path, reason string) error {
	all, err := x.u.FileExtents(x.ctx, path)
	if err != nil {
		return err
	}
	if reason == byDefault && !slices.ContainsFunc(all, func(c volume.Contents) bool { return c.Stream == "" }) {
		return nil // a folder of that name
	}
	var out []index.LeftOut
	extents, small := 0, ""
	for _, c := range all {
		l := index.LeftOut{Path: path, Stream: c.Stream, Size: c.Size, Reason: reason}
		switch {
		case len(c.Extents) > 0 && !utf8.ValidString(l.Name()):
			return errors.New("its name cannot be written down") // nor be found again
		case len(c.Extents) > 0:
			extents, out = extents+len(c.Extents), append(out, l)
		case c.Resident && c.Size > 0 && small == "" && reason != byDefault:
			small = l.Name()
		}
	}
	if small != "" {
		x.small.add(small)
	}
	if len(x.q.LeftOut)+len(out) > maxLeftOut || len(x.skip)+extents > x.room {
		x.more.add(path) // captured: zeros that no list explains would pass for contents
		return nil
	}
	for _, c := range all {
		x.skip = append(x.skip, c.Extents...)
	}
	x.q.LeftOut = append(x.q.LeftOut, out...)
	return nil
}

// walk leaves out the files that patterns match.
func (x *excluder) walk(r sectionReader, patterns []string) error {
	g, err := parseGlobs(patterns)
	if err != nil {
		return err
	}
	v, err := volume.OpenFS(r, r.Size())
	if err != nil {
		return err
	}
	x.seen = map[volume.ID]bool{}
	for _, l := range x.q.LeftOut {
		if a, err := v.Lookup(x.ctx, v.Root(), l.Path); err == nil {
			x.seen[a.ID] = true
		}
	}
	return walkFiles(x.ctx, v, func(path string, e *volume.Entry) error {
		pattern := g.match(path, x.matched)
		if pattern == "" || x.seen[e.ID] {
			return nil
		}
		x.seen[e.ID] = true
		if err := x.file(path, pattern); err != nil && x.ctx.Err() == nil {
			x.failed.add(fmt.Sprintf("%s: %v", path, err))
		}
		return x.ctx.Err()
	})
}

// sectionReader is a partition's bytes.
type sectionReader interface {
	ReadAt(p []byte, off int64) (int, error)
	Size() int64
}

// walkFiles visits every object of a file system.
func walkFiles(ctx context.Context, v volume.FileSystem, visit func(string, *volume.Entry) error) error {
	if w, ok := v.(volume.Walker); ok {
		return w.Walk(ctx, visit)
	}
	return walkDir(ctx, v, v.Root(), "", 0, visit)
}

// maxDepth bounds folders within folders.
const maxDepth = 1000

func walkDir(ctx context.Context, v volume.FileSystem, dir volume.ID, path string, depth int, visit func(string, *volume.Entry) error) error {
	var list []volume.Entry
	err := v.ReadDir(ctx, dir, 0, false, func(e *volume.Entry) bool {
		list = append(list, *e)
		return true
	})
	if err != nil && ctx.Err() != nil {
		return err
	}
	for i := range list {
		p := path + "/" + list[i].Name
		if err := visit(p, &list[i]); err != nil {
			return err
		}
		if list[i].Kind == volume.Dir && depth < maxDepth {
			if err := walkDir(ctx, v, list[i].ID, p, depth+1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
