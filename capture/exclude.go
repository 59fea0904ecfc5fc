package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"vitrine/index"
	"vitrine/volume"
)

// defaultExcludes are files at the root of a Windows volume whose contents are
// worthless after a restart.
var defaultExcludes = []string{"pagefile.sys", "hiberfil.sys", "swapfile.sys"}

// maxLeftOut bounds the list in the image's description, and so what is left out.
const maxLeftOut = 10000

// exclude finds the extents of files whose contents are not captured.
func (p *planner) exclude(ctx context.Context, q *index.Partition, s *stream, u volume.UsedSpace) error {
	x := &excluder{ctx: ctx, q: q, u: u, matched: p.matched}
	for _, name := range defaultExcludes {
		if err := x.file(name, "default"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(p.o.Exclude) > 0 {
		if err := x.walk(p.section(q.Offset, q.Size), p.o.Exclude); err != nil {
			return err
		}
	}
	if x.more > 0 {
		q.Notes = append(q.Notes, fmt.Sprintf("%d more files match --exclude but are captured: no more than %d are left out", x.more, maxLeftOut))
	}
	s.skip = merge(x.skip)
	return nil
}

type excluder struct {
	ctx  context.Context
	q    *index.Partition
	u    volume.UsedSpace
	skip []extent
	seen map[volume.ID]bool
	more int
	// matched gathers the patterns that matched a file.
	matched map[string]bool
}

// file leaves the contents of one file out. Contents that cannot be located,
// and files without any of their own, are captured.
func (x *excluder) file(path, reason string) error {
	size, ext, err := x.u.FileExtents(x.ctx, path)
	if err != nil || len(ext) == 0 {
		return err
	}
	if len(x.q.LeftOut) >= maxLeftOut {
		x.more++ // captured: zeros that no list explains would pass for contents
		return nil
	}
	x.skip = append(x.skip, ext...)
	x.q.LeftOut = append(x.q.LeftOut, index.LeftOut{Path: path, Size: size, Reason: reason})
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
		pattern := ""
		if e.Kind == volume.File {
			pattern = g.match(path, x.matched)
		}
		if pattern == "" || x.seen[e.ID] {
			return nil
		}
		x.seen[e.ID] = true
		if err := x.file(path, pattern); err != nil && x.ctx.Err() == nil {
			x.q.Notes = append(x.q.Notes, fmt.Sprintf("%s matches %s but is captured: %v", path, pattern, err))
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
