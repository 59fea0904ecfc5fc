package mount

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"vitrine/volume"
)

// Tree is all that is shown of an image: volumes, raw files, notes, and for a
// timeline a folder for each point. It is a [volume.FileSystem] with every
// ability that its volumes have. Build it with the Add methods; from the first
// use on it must not be changed.
type Tree struct {
	time   time.Time
	nodes  []*node // the tree's own objects; nodes[i] has number i+1
	vols   []volume.FileSystem
	top    *branch // the volume whose files lie at the root, if any
	branch []*branch
	points *pointSet
	odd    oddIDs
	closer func() error
}

// node is an object of the tree itself.
type node struct {
	id       volume.ID
	kind     volume.Kind
	time     time.Time
	children []child // of folders
	byName   map[string]int
	target   string  // of links
	file     RawView // of files
}

// child is a name in a folder of the tree itself.
type child struct {
	name   string
	id     volume.ID
	kind   volume.Kind
	hidden bool // can be looked up, is not listed
}

// RawView is the contents of a raw file: the bytes of a disk or partition. It is
// safe for parallel use. When it is also [volume.Sparse], holes are told to
// those who ask; with a method Alloc() int64, that many bytes count as occupied.
type RawView interface {
	Size() int64
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
}

// NewTree returns an empty tree.
func NewTree() *Tree {
	t := &Tree{points: newPointSet(defaultOpenPoints)}
	t.addNode(&node{kind: volume.Dir})
	return t
}

// SetTime sets the time that the tree's own folders and files show: when the
// image was captured.
func (t *Tree) SetTime(when time.Time) {
	t.time = when
	for _, n := range t.nodes {
		n.time = when
	}
}

// OnClose has f called by [Tree.Close].
func (t *Tree) OnClose(f func() error) { t.closer = f }

// Close releases what the tree's points hold and calls the function given to
// OnClose. Nothing may be using the tree any more.
func (t *Tree) Close() error {
	err := t.points.closeAll()
	if t.closer != nil {
		if cerr := t.closer(); err == nil {
			err = cerr
		}
	}
	return err
}

// AddVolume shows the files of fs in a folder of that name, or at the root for
// the name "" (once). The tree's own names at the root hide a volume's.
func (t *Tree) AddVolume(name string, fs volume.FileSystem) error {
	if len(t.vols) >= maxParts {
		return fmt.Errorf("more than %d volumes in one point", maxParts)
	}
	t.vols = append(t.vols, fs)
	b := &branch{tree: t, part: len(t.vols), fs: fs, root: fs.Root()}
	t.branch = append(t.branch, b)
	if name == "" {
		return t.setTop(b)
	}
	id, err := b.outer(fs.Root())
	if err != nil {
		return err
	}
	return t.link(t.nodes[0], child{name: name, id: id, kind: volume.Dir})
}

func (t *Tree) setTop(b *branch) error {
	if t.top != nil {
		return fmt.Errorf("two volumes for the root")
	}
	t.top, b.top = b, true
	return nil
}

// AddRaw shows v as a file at the root.
func (t *Tree) AddRaw(name string, v RawView) error {
	return t.addFile(t.nodes[0], name, v)
}

// AddNote shows a folder of that name that holds nothing but README.txt with
// the text: for partitions whose files cannot be shown. With the name "" the
// file lies at the root.
func (t *Tree) AddNote(name, text string) error {
	dir := t.nodes[0]
	if name != "" {
		dir = t.addNode(&node{kind: volume.Dir, time: t.time})
		if err := t.link(t.nodes[0], child{name: name, id: dir.id, kind: volume.Dir}); err != nil {
			return err
		}
	}
	return t.addFile(dir, "README.txt", textView(text))
}

// AddAlias lets a look-up of name find what is called target, without listing
// it. An alias is a link.
func (t *Tree) AddAlias(name, target string) error {
	n := t.addNode(&node{kind: volume.Symlink, time: t.time, target: target})
	return t.link(t.nodes[0], child{name: name, id: n.id, kind: volume.Symlink, hidden: true})
}

// AddPoint shows a folder of that name for a point of a timeline. open is
// called when somebody first looks inside, and again when the point was closed
// meanwhile because many others were open. Points must be added in a fixed
// order for their numbers to be the same at each mount.
func (t *Tree) AddPoint(name string, when time.Time, open func(context.Context) (*Tree, error)) error {
	if len(t.points.all) >= maxPoints {
		return fmt.Errorf("more than %d points", maxPoints)
	}
	p := t.points.add(when, open)
	b := &branch{tree: t, point: p}
	p.branch = b
	id := volume.ID(p.number)<<pointShift | rootID
	return t.link(t.nodes[0], child{name: name, id: id, kind: volume.Dir})
}

// SetMaxOpen bounds how many points of a timeline stay open while unused (16).
func (t *Tree) SetMaxOpen(n int) { t.points.max = max(n, 1) }

func (t *Tree) addFile(dir *node, name string, v RawView) error {
	n := t.addNode(&node{kind: volume.File, time: t.time, file: v})
	return t.link(dir, child{name: name, id: n.id, kind: volume.File})
}

func (t *Tree) addNode(n *node) *node {
	t.nodes = append(t.nodes, n)
	n.id = volume.ID(len(t.nodes))
	return n
}

func (t *Tree) link(dir *node, c child) error {
	if showName(c.name) != c.name {
		return fmt.Errorf("%q cannot be a file name", c.name)
	}
	if dir.find(c.name) != nil {
		return fmt.Errorf("%q: %w", c.name, fs.ErrExist)
	}
	if dir.byName == nil {
		dir.byName = map[string]int{}
	}
	dir.byName[c.name] = len(dir.children)
	dir.children = append(dir.children, c)
	return nil
}

func (n *node) find(name string) *child {
	if i, ok := n.byName[name]; ok {
		return &n.children[i]
	}
	return nil
}

func (n *node) findFold(name string) *child {
	for i := range n.children {
		if strings.EqualFold(n.children[i].name, name) {
			return &n.children[i]
		}
	}
	return nil
}

// node finds an object of the tree itself; nil when id belongs to a volume.
func (t *Tree) node(id volume.ID) *node {
	if pointOf(id) != 0 || partOf(id) != 0 || id < 1 || id > volume.ID(len(t.nodes)) {
		return nil
	}
	return t.nodes[id-1]
}

func (n *node) attr() volume.Attr {
	a := volume.Attr{ID: n.id, Kind: n.kind, Links: 1, BirthTime: n.time.UTC()}
	a.ModTime, a.AccessTime, a.ChangeTime = a.BirthTime, a.BirthTime, a.BirthTime
	switch n.kind {
	case volume.Symlink:
		a.Size = int64(len(n.target))
	case volume.File:
		a.Size = n.file.Size()
		a.Alloc = allocOf(n.file)
	}
	return a
}

// allocOf never says "all of it" of a view that knows holes: tools look for
// holes only in files that occupy less than their size.
func allocOf(v RawView) int64 {
	if a, ok := v.(interface{ Alloc() int64 }); ok {
		return a.Alloc()
	}
	if _, ok := v.(volume.Sparse); ok {
		return max(0, (v.Size()-1)&^511)
	}
	return v.Size()
}

// blocks counts units of 512 bytes. A file that is not empty has one at least:
// GNU tar -S takes one without any for a hole and does not read it, but contents
// may lie in the file's record, in another stream or in a store of chunks.
func blocks(a *volume.Attr) uint64 {
	n := (uint64(max(0, a.Alloc)) + 511) / 512
	if a.Kind == volume.File && a.Size > 0 {
		n = max(n, 1)
	}
	return n
}

// textView is a short file of the tree's own.
type textView string

func (s textView) Size() int64 { return int64(len(s)) }

func (s textView) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(s)) {
		return 0, io.EOF
	}
	n := copy(p, s[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
