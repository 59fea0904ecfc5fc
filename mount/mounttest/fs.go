package mounttest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"vitrine/volume"
)

// Node is an object of an [FS].
type Node struct {
	Attr    volume.Attr
	Data    Data
	Target  string
	Streams []Stream
	Xattrs  map[string][]byte
	Err     error // told by Open
	Panic   bool  // Open panics

	names  []name
	byName map[string]int
	parent *Node
	called string
}

// Stream is a named stream of a [Node].
type Stream struct {
	Name  string
	Index int // from 1
	Data  Data
}

// Data is the contents of a file.
type Data interface {
	io.ReaderAt
	Size() int64
}

type name struct {
	name string
	node *Node
}

// FS is a file system in memory. It is not changed once it is in use.
type FS struct {
	root  *Node
	nodes map[volume.ID]*Node
	next  volume.ID
	space volume.StatFS
}

// FirstTime is the birth time of the first object, in UTC.
var FirstTime = time.Unix(0, 1_600_000_000_123_456_700).UTC()

// New returns an empty file system whose root is object 5, as on NTFS.
func New() *FS {
	f := &FS{nodes: map[volume.ID]*Node{}, next: 5, space: volume.StatFS{
		BlockSize: 4096, Blocks: 1 << 20, Free: 1 << 19, Files: 5000, FreeFiles: 2000, NameMax: 255,
		Label: "Sample", FSType: "MEM", Serial: 0x1234_5678_9abc_def0,
	}}
	f.root = f.newNode(volume.Dir)
	f.next = 64
	return f
}

func (f *FS) newNode(k volume.Kind) *Node {
	n := &Node{byName: map[string]int{}}
	n.Attr = volume.Attr{ID: f.next, Gen: uint32(f.next%7) + 1, Kind: k, Links: 0}
	t := FirstTime.Add(time.Duration(f.next) * time.Second)
	n.Attr.BirthTime, n.Attr.ModTime, n.Attr.ChangeTime, n.Attr.AccessTime = t, t.Add(time.Second), t.Add(2*time.Second), t.Add(3*time.Second)
	f.nodes[f.next] = n
	f.next++
	return n
}

// Add adds an object of kind k at path, whose folder must exist, for the caller
// to fill in.
func (f *FS) Add(path string, k volume.Kind) *Node {
	n := f.newNode(k)
	f.put(path, n)
	return n
}

func (f *FS) put(p string, n *Node) {
	dir := f.at(path.Dir(p))
	f.putIn(dir, path.Base(p), n)
}

func (f *FS) putIn(dir *Node, base string, n *Node) {
	dir.byName[base] = len(dir.names)
	dir.names = append(dir.names, name{base, n})
	n.Attr.Links++
	if n.parent == nil {
		n.parent, n.called = dir, base
	}
}

// AddOdd adds an object by a name that no path can hold.
func (f *FS) AddOdd(dir, name string, k volume.Kind) *Node {
	n := f.newNode(k)
	f.putIn(f.at(dir), name, n)
	return n
}

// Dir adds a folder.
func (f *FS) Dir(path string) *Node { return f.Add(path, volume.Dir) }

// File adds a file.
func (f *FS) File(path string, data Data) *Node {
	n := f.Add(path, volume.File)
	n.setData(data)
	return n
}

func (n *Node) setData(data Data) {
	n.Data = data
	n.Attr.Size = data.Size()
	n.Attr.Alloc = (data.Size() + 4095) &^ 4095
}

// Text is File with short contents.
func (f *FS) Text(path, text string) *Node { return f.File(path, strings.NewReader(text)) }

// Symlink adds a link.
func (f *FS) Symlink(path, target string) *Node {
	n := f.Add(path, volume.Symlink)
	n.Target, n.Attr.Size = target, int64(len(target))
	return n
}

// Link gives the object at old one more name.
func (f *FS) Link(old, new string) { f.put(new, f.at(old)) }

// Renumber gives the object at path another number.
func (f *FS) Renumber(path string, id volume.ID) {
	n := f.at(path)
	delete(f.nodes, n.Attr.ID)
	n.Attr.ID = id
	f.nodes[id] = n
}

func (f *FS) at(p string) *Node {
	n := f.root
	for _, s := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		i, ok := n.byName[s]
		if !ok {
			panic("mounttest: no " + p)
		}
		n = n.names[i].node
	}
	return n
}

// ID is the number of the object at path.
func (f *FS) ID(path string) volume.ID { return f.at(path).Attr.ID }

func (f *FS) node(id volume.ID) (*Node, error) {
	n, ok := f.nodes[id&(1<<volume.IDRecordBits-1)]
	if !ok {
		return nil, fmt.Errorf("object %d: %w", id, fs.ErrNotExist)
	}
	return n, nil
}

func (f *FS) folder(id volume.ID) (*Node, error) {
	n, err := f.node(id)
	if err == nil && n.Attr.Kind != volume.Dir {
		err = volume.ErrNotDir
	}
	return n, err
}

// Root implements [volume.FileSystem].
func (f *FS) Root() volume.ID { return f.root.Attr.ID }

// Attr implements [volume.FileSystem].
func (f *FS) Attr(_ context.Context, id volume.ID) (volume.Attr, error) {
	n, err := f.node(id)
	if err != nil {
		return volume.Attr{}, err
	}
	a := n.Attr
	a.Links = max(1, a.Links)
	return a, nil
}

// Lookup implements [volume.FileSystem].
func (f *FS) Lookup(ctx context.Context, dir volume.ID, name string) (volume.Attr, error) {
	n, err := f.folder(dir)
	if err != nil {
		return volume.Attr{}, err
	}
	i, ok := n.byName[name]
	if !ok {
		return volume.Attr{}, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
	}
	return f.Attr(ctx, n.names[i].node.Attr.ID)
}

// LookupFold implements [volume.Folder].
func (f *FS) LookupFold(ctx context.Context, dir volume.ID, name string) (volume.Attr, string, error) {
	n, err := f.folder(dir)
	if err != nil {
		return volume.Attr{}, "", err
	}
	for _, c := range n.names {
		if strings.EqualFold(c.name, name) {
			a, err := f.Attr(ctx, c.node.Attr.ID)
			return a, c.name, err
		}
	}
	return volume.Attr{}, "", fmt.Errorf("%q: %w", name, fs.ErrNotExist)
}

// ReadDir implements [volume.FileSystem].
func (f *FS) ReadDir(ctx context.Context, dir volume.ID, after uint64, wantAttr bool, yield func(*volume.Entry) bool) error {
	n, err := f.folder(dir)
	if err != nil {
		return err
	}
	for i := int(after); i < len(n.names); i++ {
		c := n.names[i]
		e := volume.Entry{Name: c.name, Cookie: uint64(i) + 1, ID: c.node.Attr.ID, Kind: c.node.Attr.Kind}
		if wantAttr {
			a, _ := f.Attr(ctx, e.ID)
			e.Attr = &a
		}
		if !yield(&e) {
			return nil
		}
	}
	return nil
}

// ReadLink implements [volume.FileSystem].
func (f *FS) ReadLink(_ context.Context, id volume.ID) (string, error) {
	n, err := f.node(id)
	if err == nil && n.Attr.Kind != volume.Symlink {
		err = fs.ErrInvalid
	}
	if err != nil {
		return "", err
	}
	return n.Target, nil
}

// Open implements [volume.FileSystem].
func (f *FS) Open(_ context.Context, id volume.ID) (volume.OpenFile, error) {
	n, err := f.node(id)
	switch {
	case err != nil:
		return nil, err
	case n.Panic:
		panic("mounttest: told to panic")
	case n.Err != nil:
		return nil, n.Err
	}
	if index := int(id >> volume.IDRecordBits); index != 0 {
		return n.openStream(index)
	}
	if n.Attr.Kind != volume.File {
		return nil, volume.ErrIsDir
	}
	return open{n.Data}, nil
}

func (n *Node) openStream(index int) (volume.OpenFile, error) {
	for _, s := range n.Streams {
		if s.Index == index {
			return open{s.Data}, nil
		}
	}
	return nil, fs.ErrNotExist
}

// Streams implements [volume.Streams].
func (f *FS) Streams(_ context.Context, id volume.ID) ([]volume.Stream, error) {
	n, err := f.node(id)
	if err != nil {
		return nil, err
	}
	var list []volume.Stream
	for _, s := range n.Streams {
		list = append(list, volume.Stream{
			Name: s.Name, ID: n.Attr.ID | volume.ID(s.Index)<<volume.IDRecordBits,
			Size: s.Data.Size(), Alloc: s.Data.Size(),
		})
	}
	return list, nil
}

// ListXattr implements [volume.Xattrs].
func (f *FS) ListXattr(_ context.Context, id volume.ID) ([]string, error) {
	n, err := f.node(id)
	if err != nil {
		return nil, err
	}
	var list []string
	for name := range n.Xattrs {
		list = append(list, name)
	}
	return list, nil
}

// Xattr implements [volume.Xattrs].
func (f *FS) Xattr(_ context.Context, id volume.ID, name string) ([]byte, error) {
	n, err := f.node(id)
	if err != nil {
		return nil, err
	}
	if v, ok := n.Xattrs[name]; ok {
		return v, nil
	}
	return nil, fs.ErrNotExist
}

// Path implements [volume.Paths].
func (f *FS) Path(_ context.Context, id volume.ID) (string, error) {
	n, err := f.node(id)
	if err != nil {
		return "", err
	}
	p := "/"
	for ; n.parent != nil; n = n.parent {
		p = path.Join("/", n.called, p)
	}
	return p, nil
}

// StatFS implements [volume.FileSystem].
func (f *FS) StatFS(context.Context) (volume.StatFS, error) { return f.space, nil }

// open is an open file.
type open struct{ Data }

func (open) Close() error { return nil }

func (o open) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return o.Data.ReadAt(p, off)
}

// NextExtent implements [volume.Sparse] for data that knows it.
func (o open) NextExtent(_ context.Context, off int64) (int64, bool, error) {
	if s, ok := o.Data.(Holes); ok {
		return s.NextExtent(off)
	}
	return o.Size(), false, nil
}
