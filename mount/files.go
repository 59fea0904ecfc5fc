package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"vitrine/volume"
)

// Interfaces that Tree satisfies.
var (
	_ volume.FileSystem = (*Tree)(nil)
	_ volume.Folder     = (*Tree)(nil)
	_ volume.Lost       = (*Tree)(nil)
	_ volume.Streams    = (*Tree)(nil)
	_ volume.Xattrs     = (*Tree)(nil)
	_ volume.Paths      = (*Tree)(nil)
	_ volume.Walker     = (*Tree)(nil)
)

// ownCookies is where the cookies of the tree's own names begin; those of
// volumes lie below.
const ownCookies = 1 << 62

// Root is the tree's root folder, always 1.
func (t *Tree) Root() volume.ID { return rootID }

// Attr gives the attributes of an object, or of a stream: those of its file
// with the stream's size.
func (t *Tree) Attr(ctx context.Context, id volume.ID) (volume.Attr, error) {
	if a, ok := t.ownAttr(id); ok {
		return a, nil
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return volume.Attr{}, err
	}
	defer in.leave()
	a, err := in.attr(ctx)
	if err != nil {
		return a, err
	}
	err = in.adopt(ctx, &a)
	return a, err
}

// ownAttr answers for the tree's own objects and for the folders of points,
// which need not be opened for it.
func (t *Tree) ownAttr(id volume.ID) (volume.Attr, bool) {
	if n := t.node(id); n != nil && !(id == rootID && t.top != nil) {
		return n.attr(), true
	}
	p := t.points.get(pointOf(id))
	if p == nil || id&innerMask != rootID {
		return volume.Attr{}, false
	}
	n := node{id: id, kind: volume.Dir, time: p.when}
	return n.attr(), true
}

func (in inside) attr(ctx context.Context) (volume.Attr, error) {
	if in.point != nil || streamOf(in.id) == 0 {
		return in.fs.Attr(ctx, in.id)
	}
	return in.streamAttr(ctx)
}

func (in inside) streamAttr(ctx context.Context) (volume.Attr, error) {
	file := in.id & (1<<volume.IDRecordBits - 1)
	a, err := in.fs.Attr(ctx, file)
	if err != nil {
		return a, err
	}
	list, err := streamsOf(ctx, in.fs, file)
	for _, s := range list {
		if s.ID == in.id {
			return asStream(a, s), nil
		}
	}
	if err == nil {
		err = errNoObject(in.id)
	}
	return volume.Attr{}, err
}

func asStream(a volume.Attr, s volume.Stream) volume.Attr {
	a.ID, a.Kind, a.Size, a.Alloc = s.ID, volume.File, s.Size, s.Alloc
	a.Links, a.Reparse = 1, 0
	return a
}

// adopt turns a branch's attributes into the tree's.
func (in inside) adopt(ctx context.Context, a *volume.Attr) error {
	if a.Kind == volume.Symlink && in.point == nil {
		// The size of a link is that of the target as the tree tells it.
		if target, err := in.branch.readLink(ctx, in.fs, a.ID); err == nil {
			a.Size = int64(len(target))
		}
	}
	id, err := in.outer(a.ID)
	a.ID = id
	return err
}

// Lookup finds name in folder dir.
func (t *Tree) Lookup(ctx context.Context, dir volume.ID, name string) (volume.Attr, error) {
	if n := t.node(dir); n != nil {
		if c := n.find(name); c != nil {
			return t.Attr(ctx, c.id)
		}
	}
	in, err := t.enterFolder(ctx, dir)
	if err != nil {
		return volume.Attr{}, err
	}
	defer in.leave()
	a, err := in.lookup(ctx, name)
	if err != nil {
		return a, err
	}
	err = in.adopt(ctx, &a)
	return a, err
}

// lookup tries the name as it stands, then as what it may stand for.
func (in inside) lookup(ctx context.Context, name string) (volume.Attr, error) {
	a, err := in.fs.Lookup(ctx, in.id, name)
	if !errors.Is(err, fs.ErrNotExist) || in.point != nil {
		return a, err
	}
	if real, ok := recallName(name); ok {
		return in.fs.Lookup(ctx, in.id, real)
	}
	return a, err
}

// enterFolder is enter for a folder that may be the tree's own alone.
func (t *Tree) enterFolder(ctx context.Context, dir volume.ID) (inside, error) {
	n := t.node(dir)
	switch {
	case n == nil || dir == rootID && t.top != nil:
		return t.enter(ctx, dir)
	case n.kind != volume.Dir:
		return inside{}, volume.ErrNotDir
	}
	return inside{}, fs.ErrNotExist
}

// LookupFold finds name in folder dir as the volume's own system would, and
// says how it is spelled.
func (t *Tree) LookupFold(ctx context.Context, dir volume.ID, name string) (volume.Attr, string, error) {
	if n := t.node(dir); n != nil {
		if c := n.findFold(name); c != nil {
			a, err := t.Attr(ctx, c.id)
			return a, c.name, err
		}
	}
	in, err := t.enterFolder(ctx, dir)
	if err != nil {
		return volume.Attr{}, "", err
	}
	defer in.leave()
	a, real, err := in.lookupFold(ctx, name)
	if err != nil {
		return a, "", err
	}
	err = in.adopt(ctx, &a)
	return a, showName(real), err
}

func (in inside) lookupFold(ctx context.Context, name string) (volume.Attr, string, error) {
	f, ok := in.fs.(volume.Folder)
	if !ok {
		a, err := in.lookup(ctx, name)
		return a, name, err
	}
	a, real, err := f.LookupFold(ctx, in.id, name)
	if !errors.Is(err, fs.ErrNotExist) || in.point != nil {
		return a, real, err
	}
	if alike, ok := recallName(name); ok {
		return f.LookupFold(ctx, in.id, alike)
	}
	return a, real, err
}

// LookupLost finds what [Tree.Walk] visits under a path in the volume that it leads
// into.
func (t *Tree) LookupLost(ctx context.Context, p string) (a volume.Attr, spelled string, err error) {
	for _, b := range t.branch {
		base, rest := "", p
		if name := b.folder(); name != "" {
			base = "/" + name
			if len(p) <= len(base) || p[len(base)] != '/' || !strings.EqualFold(p[:len(base)], base) {
				continue
			}
			rest = p[len(base):]
		}
		f, ok := b.fs.(volume.Lost)
		if !ok {
			continue
		}
		if a, spelled, err = f.LookupLost(ctx, rest); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			in := inside{b, b.fs, a.ID}
			err = in.adopt(ctx, &a)
		}
		return a, base + spelled, err
	}
	return a, "", fs.ErrNotExist
}

// WalkLost visits what no folder leads to, where root is that of a volume.
func (t *Tree) WalkLost(ctx context.Context, root volume.ID, visit func(dir volume.ID, e *volume.Entry) error) error {
	in, err := t.enterFolder(ctx, root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the tree's own
	}
	if err != nil {
		return err
	}
	defer in.leave()
	f, ok := in.fs.(volume.Lost)
	if !ok {
		return nil
	}
	return f.WalkLost(ctx, in.id, func(dir volume.ID, e *volume.Entry) error {
		own := *e
		in.adoptEntry(ctx, &own, nil)
		id, err := in.outer(dir)
		if err != nil {
			return err
		}
		return visit(id, &own)
	})
}

// ReadDir lists folder dir: the tree's own names first.
func (t *Tree) ReadDir(ctx context.Context, dir volume.ID, after uint64, wantAttr bool, yield func(*volume.Entry) bool) error {
	n := t.node(dir)
	if n != nil && (after == 0 || after >= ownCookies) {
		if !t.readOwn(ctx, n, after, wantAttr, yield) {
			return nil
		}
		after = 0
	}
	in, err := t.enterFolder(ctx, dir)
	if n != nil && n.kind == volume.Dir && errors.Is(err, fs.ErrNotExist) {
		return nil // it holds nothing but the tree's own
	}
	if err != nil {
		return err
	}
	defer in.leave()
	return in.readDir(ctx, n, after, wantAttr, yield)
}

// readOwn lists the names that the tree itself has in a folder; it reports
// whether the listing goes on.
func (t *Tree) readOwn(ctx context.Context, n *node, after uint64, wantAttr bool, yield func(*volume.Entry) bool) bool {
	first := 0
	if after >= ownCookies {
		first = int(min(after-ownCookies+1, uint64(len(n.children))))
	}
	for i := first; i < len(n.children); i++ {
		c := &n.children[i]
		if c.hidden {
			continue
		}
		e := volume.Entry{Name: c.name, Cookie: ownCookies + uint64(i), ID: c.id, Kind: c.kind}
		if wantAttr {
			e.Attr, e.Err = t.attrPtr(ctx, c.id)
		}
		if !yield(&e) {
			return false
		}
	}
	return true
}

func (t *Tree) attrPtr(ctx context.Context, id volume.ID) (*volume.Attr, error) {
	a, err := t.Attr(ctx, id)
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// readDir lists a branch's folder; own, if any, are names that hide its own.
func (in inside) readDir(ctx context.Context, own *node, after uint64, wantAttr bool, yield func(*volume.Entry) bool) error {
	return in.fs.ReadDir(ctx, in.id, after, wantAttr, func(e *volume.Entry) bool {
		if own != nil && own.find(e.Name) != nil {
			return true
		}
		out := *e
		in.adoptEntry(ctx, &out, nil)
		return yield(&out)
	})
}

// adoptEntry makes a branch's entry one of the tree, with attributes of its own: in
// room, if there is such.
func (in inside) adoptEntry(ctx context.Context, e *volume.Entry, room *volume.Attr) {
	if in.point == nil {
		e.Name = showName(e.Name)
	}
	id, err := in.outer(e.ID)
	if err != nil {
		e.Err = err
	}
	e.ID = id
	if e.Attr == nil {
		return
	}
	if room == nil {
		room = new(volume.Attr)
	}
	*room = *e.Attr
	if err := in.adopt(ctx, room); err != nil {
		e.Attr, e.Err = nil, err
		return
	}
	e.Attr = room
}

// ReadLink gives a link's target: always relative when it leads to somewhere in
// the same volume, so that it holds wherever the tree is mounted.
func (t *Tree) ReadLink(ctx context.Context, id volume.ID) (string, error) {
	if n := t.node(id); n != nil && id != rootID {
		if n.kind != volume.Symlink {
			return "", fmt.Errorf("not a link: %w", fs.ErrInvalid)
		}
		return n.target, nil
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return "", err
	}
	defer in.leave()
	if in.point != nil {
		return in.fs.ReadLink(ctx, in.id)
	}
	return in.branch.readLink(ctx, in.fs, in.id)
}

// Open opens the contents of a file or stream.
func (t *Tree) Open(ctx context.Context, id volume.ID) (volume.OpenFile, error) {
	if n := t.node(id); n != nil && !(id == rootID && t.top != nil) {
		return n.open()
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return nil, err
	}
	f, err := in.fs.Open(ctx, in.id)
	if err != nil || in.point == nil {
		in.leave()
		return f, err
	}
	return &pointFile{OpenFile: f, leave: in.leave}, nil
}

func (n *node) open() (volume.OpenFile, error) {
	switch n.kind {
	case volume.Dir:
		return nil, volume.ErrIsDir
	case volume.File:
		return rawFile{n.file}, nil
	}
	return nil, fmt.Errorf("a link cannot be opened: %w", fs.ErrInvalid)
}

// rawFile is an open raw file.
type rawFile struct{ RawView }

func (rawFile) Close() error { return nil }

// ReadAt reads as the view does, but never beyond its size.
func (f rawFile) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	left := f.Size() - off
	if off < 0 || left <= 0 {
		return 0, io.EOF
	}
	short := left < int64(len(p))
	if short {
		p = p[:left]
	}
	n, err := f.RawView.ReadAt(ctx, p, off)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// NextExtent is that of the view; of one that knows none, all is data.
func (f rawFile) NextExtent(ctx context.Context, off int64) (int64, bool, error) {
	return nextExtent(ctx, f.RawView, f.Size(), off)
}

func nextExtent(ctx context.Context, f any, size, off int64) (int64, bool, error) {
	if s, ok := f.(volume.Sparse); ok {
		return s.NextExtent(ctx, off)
	}
	return size, false, nil
}

// pointFile keeps the point open for as long as one of its files is.
type pointFile struct {
	volume.OpenFile
	leave func()
}

func (f *pointFile) Close() error {
	defer f.leave()
	return f.OpenFile.Close()
}

func (f *pointFile) NextExtent(ctx context.Context, off int64) (int64, bool, error) {
	return nextExtent(ctx, f.OpenFile, f.Size(), off)
}

func (f *pointFile) Extents(ctx context.Context, yield func(off, n, phys int64) bool) error {
	if l, ok := f.OpenFile.(volume.Located); ok {
		return l.Extents(ctx, yield)
	}
	return volume.ErrUnsupported
}

// StatFS gives the space of the whole tree: of its one volume, or the sum.
func (t *Tree) StatFS(ctx context.Context) (volume.StatFS, error) {
	if len(t.vols) == 1 {
		return t.vols[0].StatFS(ctx)
	}
	sum := volume.StatFS{BlockSize: 4096, NameMax: 255, FSType: "vitrine"}
	for _, v := range t.vols {
		s, err := v.StatFS(ctx)
		if err != nil {
			return sum, err
		}
		sum.Blocks += bytesOf(s.Blocks, s) / 4096
		sum.Free += bytesOf(s.Free, s) / 4096
		sum.Files += s.Files
		sum.FreeFiles += s.FreeFiles
	}
	return sum, nil
}

func bytesOf(blocks uint64, s volume.StatFS) uint64 { return blocks * uint64(s.BlockSize) }

// StatFSAt gives the space of the volume that an object lies on, or of the
// whole tree for the tree's own.
func (t *Tree) StatFSAt(ctx context.Context, id volume.ID) (volume.StatFS, error) {
	if id == rootID || t.node(id) != nil {
		return t.StatFS(ctx)
	}
	in, err := t.enter(ctx, id)
	if err != nil {
		return volume.StatFS{}, err
	}
	defer in.leave()
	if sub, ok := in.fs.(*Tree); ok {
		return sub.StatFSAt(ctx, in.id)
	}
	return in.fs.StatFS(ctx)
}
