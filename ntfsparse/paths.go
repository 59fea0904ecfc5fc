package ntfsparse

import "math/bits"

// pathCache finds the paths of folders. It remembers what the scan passed and
// reads the rest; its size is bounded whatever the volume holds.
type pathCache struct {
	v     *Volume
	slots []folder // by record number, modulo
	paths map[uint64]foundPath
	bytes int  // of paths
	user  bool // the volume's own folders lead nowhere
}

type folder struct {
	ref    Ref
	parent Ref
	name   string
}

// foundPath is a folder's path, "" when it does not hang on the root, and the
// number of names in it.
type foundPath struct {
	path  string
	names int
}

const (
	maxFolders   = 1 << 17
	maxPathBytes = 8 << 20
)

func (v *Volume) newPathCache() *pathCache {
	n := min(maxFolders, 1<<bits.Len64(v.records/4+64))
	return &pathCache{v: v, slots: make([]folder, n), paths: map[uint64]foundPath{}, user: true}
}

// remember takes a folder that the scan passed.
func (c *pathCache) remember(ref Ref, n FileName) {
	c.slots[ref.Record()%uint64(len(c.slots))] = folder{ref, n.Parent, n.Name()}
}

// path is the path of a folder, without a '/' at its end: "" for the root. It
// fails when the folder is gone or does not hang on the root.
func (c *pathCache) path(ref Ref) (string, bool) {
	p, ok := c.find(ref)
	return p.path, ok
}

// find is path with the number of names.
func (c *pathCache) find(ref Ref) (foundPath, bool) {
	if ref.Record() == RecordRoot {
		return foundPath{}, true
	}
	if p, ok := c.paths[uint64(ref)]; ok {
		return p, p.path != ""
	}
	p, ok := c.resolve(ref)
	if c.bytes += len(p.path) + 64; c.bytes > maxPathBytes {
		c.paths, c.bytes = map[uint64]foundPath{}, len(p.path)
	}
	c.paths[uint64(ref)] = p
	return p, ok
}

// resolve goes up until a known path or the root.
func (c *pathCache) resolve(ref Ref) (foundPath, bool) {
	names := make([]string, 0, 8)
	var head foundPath
	for ref.Record() != RecordRoot {
		if p, ok := c.paths[uint64(ref)]; ok {
			if p.path == "" {
				return foundPath{}, false
			}
			head = p
			break
		}
		f, ok := c.folder(ref)
		if !ok || len(names) >= maxDepth || c.user && ref.Record() < FirstUser {
			return foundPath{}, false
		}
		names = append(names, f.name)
		ref = f.parent
	}
	if head.names+len(names) > maxDepth {
		return foundPath{}, false
	}
	return foundPath{joinUp(head.path, names), head.names + len(names)}, true
}

// joinUp joins names that were gathered from the innermost outwards.
func joinUp(head string, names []string) string {
	n := len(head)
	for _, s := range names {
		n += 1 + len(s)
	}
	b := append(make([]byte, 0, n), head...)
	for i := len(names) - 1; i >= 0; i-- {
		b = append(append(b, '/'), names[i]...)
	}
	return string(b)
}

func (c *pathCache) folder(ref Ref) (folder, bool) {
	f := c.slots[ref.Record()%uint64(len(c.slots))]
	if f.name != "" && f.ref.Record() == ref.Record() {
		return f, ref.Seq() == 0 || f.ref.Seq() == ref.Seq()
	}
	file, err := c.v.FileRef(ref)
	if err != nil || !file.IsDir() {
		return folder{}, false
	}
	n, ok := file.mainName()
	if !ok {
		return folder{}, false
	}
	f = folder{file.Ref(), n.Parent, n.Name()}
	c.slots[ref.Record()%uint64(len(c.slots))] = f
	return f, true
}

// mainName is the file's first name that is not a DOS name.
func (f *File) mainName() (FileName, bool) {
	var dos FileName
	found := false
	for _, n := range f.Names() {
		if n.Space != NameDOS {
			return n, true
		}
		dos, found = n, true
	}
	return dos, found
}

// Path is one full path of a file, '/' separated, with a leading '/'; that of
// the root is "/". It fails with ErrCorrupt when the file does not hang on
// the root.
func (f *File) Path() (string, error) {
	if f.rec.N == RecordRoot {
		return "/", nil
	}
	c := pathCache{v: f.v, slots: make([]folder, 64), paths: map[uint64]foundPath{}}
	for _, n := range f.Names() {
		if n.Space == NameDOS {
			continue
		}
		if p, ok := c.path(n.Parent); ok {
			return p + "/" + n.Name(), nil
		}
	}
	return "", classf(ErrCorrupt, f.rec.N, "file has no path from the root")
}
