package mount

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"vitrine/volume"
)

// Streams lists the named streams of an object; none where the volume knows no
// streams.
func (t *Tree) Streams(ctx context.Context, id volume.ID) ([]volume.Stream, error) {
	if t.isOwn(id) {
		return nil, nil
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return nil, err
	}
	defer in.leave()
	list, err := streamsOf(ctx, in.fs, in.id)
	out := make([]volume.Stream, 0, len(list))
	for _, s := range list {
		id, oerr := in.outer(s.ID)
		if oerr != nil {
			return out, oerr
		}
		s.ID = id
		out = append(out, s)
	}
	return out, err
}

func streamsOf(ctx context.Context, v volume.FileSystem, id volume.ID) ([]volume.Stream, error) {
	if s, ok := v.(volume.Streams); ok {
		return s.Streams(ctx, id)
	}
	return nil, nil
}

// LookupStream finds "file:stream" in folder dir: the attributes of the file's
// stream. The name of a stream matches without regard to ASCII case.
func (t *Tree) LookupStream(ctx context.Context, dir volume.ID, name string) (volume.Attr, error) {
	file, stream, ok := strings.Cut(name, ":")
	if !ok || file == "" || stream == "" {
		return volume.Attr{}, fs.ErrNotExist
	}
	a, err := t.Lookup(ctx, dir, file)
	if err != nil {
		return volume.Attr{}, err
	}
	list, err := t.Streams(ctx, a.ID)
	for _, s := range list {
		if strings.EqualFold(s.Name, stream) {
			return asStream(a, s), nil
		}
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return volume.Attr{}, err
}

// isOwn says that an object belongs to the tree itself and has nothing that
// only volumes know.
func (t *Tree) isOwn(id volume.ID) bool {
	_, own := t.ownAttr(id)
	return own
}

// ListXattr lists the attributes of an object beyond the common ones.
func (t *Tree) ListXattr(ctx context.Context, id volume.ID) ([]string, error) {
	if t.isOwn(id) {
		return nil, nil
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return nil, err
	}
	defer in.leave()
	if x, ok := in.fs.(volume.Xattrs); ok {
		return x.ListXattr(ctx, in.id)
	}
	return nil, nil
}

// Xattr gives one of them.
func (t *Tree) Xattr(ctx context.Context, id volume.ID, name string) ([]byte, error) {
	if t.isOwn(id) {
		return nil, fs.ErrNotExist
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return nil, err
	}
	defer in.leave()
	if x, ok := in.fs.(volume.Xattrs); ok {
		return x.Xattr(ctx, in.id, name)
	}
	return nil, fs.ErrNotExist
}

// LeftOut tells whether the contents of a file were left out of its image.
func (t *Tree) LeftOut(ctx context.Context, id volume.ID) (reason string, yes bool) {
	if t.isOwn(id) {
		return "", false
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return "", false
	}
	defer in.leave()
	if o, ok := in.fs.(volume.Omitter); ok {
		return o.LeftOut(ctx, in.id)
	}
	return "", false
}

// Path gives one path of an object from the root of the tree.
func (t *Tree) Path(ctx context.Context, id volume.ID) (string, error) {
	if id == rootID {
		return "/", nil
	}
	if t.node(id) != nil {
		return t.ownPath(id)
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return "", err
	}
	defer in.leave()
	p, err := in.path(ctx)
	if err != nil {
		return "", err
	}
	return path.Join("/", in.folder(), p), nil
}

// path is the object's path in its branch.
func (in inside) path(ctx context.Context) (string, error) {
	p, ok := in.fs.(volume.Paths)
	if !ok {
		return "", fmt.Errorf("paths: %w", volume.ErrUnsupported)
	}
	return p.Path(ctx, in.id)
}

// folder is the name of the branch's folder in the tree; "" at the root.
func (b *branch) folder() string {
	if b.top {
		return ""
	}
	root := volume.ID(rootID)
	if b.point == nil {
		root = b.root
	}
	id, _ := b.outer(root)
	for _, c := range b.tree.nodes[0].children {
		if c.id == id {
			return c.name
		}
	}
	return ""
}

func (t *Tree) ownPath(id volume.ID) (string, error) {
	for _, c := range t.nodes[0].children {
		if c.id == id {
			return "/" + c.name, nil
		}
		if n := t.node(c.id); n != nil {
			for _, cc := range n.children {
				if cc.id == id {
					return "/" + c.name + "/" + cc.name, nil
				}
			}
		}
	}
	return "", errNoObject(id)
}

// Walk visits everything in the tree: its own objects, then volume after
// volume, then point after point.
func (t *Tree) Walk(ctx context.Context, visit func(path string, e *volume.Entry) error) error {
	if err := t.walkOwn(ctx, rootID, "/", visit); err != nil {
		return err
	}
	for _, b := range t.branch {
		if err := b.walk(ctx, b.fs, visit); err != nil {
			return err
		}
	}
	for _, p := range t.points.all {
		if err := t.walkPoint(ctx, p, visit); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) walkOwn(ctx context.Context, dir volume.ID, base string, visit func(string, *volume.Entry) error) (err error) {
	n := t.node(dir)
	t.readOwn(ctx, n, 0, true, func(e *volume.Entry) bool {
		name := path.Join(base, e.Name)
		if err = visit(name, e); err == nil && e.Kind == volume.Dir && t.node(e.ID) != nil {
			err = t.walkOwn(ctx, e.ID, name, visit)
		}
		return err == nil
	})
	return err
}

func (t *Tree) walkPoint(ctx context.Context, p *point, visit func(string, *volume.Entry) error) error {
	tree, err := t.points.acquire(ctx, p)
	if err != nil {
		return err
	}
	defer t.points.release(p)
	return p.branch.walk(ctx, tree, visit)
}

// walk visits the branch's objects, by its own walk or folder by folder.
func (b *branch) walk(ctx context.Context, v volume.FileSystem, visit func(string, *volume.Entry) error) error {
	base := "/" + b.folder()
	var out volume.Entry
	var room volume.Attr
	adopt := func(p string, e *volume.Entry) error {
		out = *e
		in := inside{b, v, e.ID}
		in.adoptEntry(ctx, &out, &room)
		if p == "/" && b.folder() != "" { // the tree's own, visited already
			if out.Attr = nil; out.Err == nil {
				return nil
			}
		}
		return visit(path.Join(base, p), &out)
	}
	if w, ok := v.(volume.Walker); ok {
		return w.Walk(ctx, adopt)
	}
	return walkFolders(ctx, v, adopt)
}

// walkFolders visits a file system that has no walk of its own. Folders that
// contain themselves are entered once.
func walkFolders(ctx context.Context, v volume.FileSystem, visit func(string, *volume.Entry) error) error {
	type folder struct {
		id   volume.ID
		path string
	}
	seen := map[volume.ID]bool{v.Root(): true}
	todo := []folder{{v.Root(), "/"}}
	for len(todo) > 0 {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		var verr error
		err := v.ReadDir(ctx, dir.id, 0, true, func(e *volume.Entry) bool {
			p := path.Join(dir.path, showName(e.Name))
			verr = visit(p, e)
			if e.Kind == volume.Dir && !seen[e.ID] {
				seen[e.ID] = true
				todo = append(todo, folder{e.ID, p})
			}
			return verr == nil
		})
		if verr != nil {
			return verr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", dir.path, err)
		}
	}
	return nil
}
