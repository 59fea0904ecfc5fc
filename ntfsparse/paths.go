package ntfsparse

import (
	"cmp"
	"math/bits"
)

// pathCache finds the paths of folders. It remembers what the scan passed and
// reads the rest; its size is bounded whatever the volume holds.
type pathCache struct {
	v     *Volume
	slots []folder // by record number, modulo
	held  int      // bytes of their names
	paths map[uint64]foundPath
	bytes int  // of paths
	user  bool // the volume's own folder, $Extend, leads nowhere
	// lost folders count: those whose record is damaged as far as they are known,
	// and "$Orphan-N" for those that nothing leads to.
	lost       bool
	damaged    map[uint64]bool // records that could not be read
	full       bool            // there are more of them
	extensions *budget
}

type folder struct {
	ref    Ref
	parent Ref
	name   string
	ghost  bool
}

// foundPath is a folder's path, "" when it does not hang on the root.
type foundPath struct {
	path   string
	names  int
	lost   bool   // it goes through folders that are lost
	orphan uint64 // N with orphanBit, where it begins with "$Orphan-N"; 0: it does not
	deep   bool   // … because it would have too many names
	system bool   // it is in $Extend, and has no path
}

const (
	maxFolders     = 1 << 17
	maxFolderNames = 16 << 20 // bytes
	maxPathBytes   = 8 << 20
)

func (v *Volume) newPathCache() *pathCache {
	n := min(maxFolders, 1<<bits.Len64(v.records/4+64))
	return &pathCache{v: v, slots: make([]folder, n), paths: map[uint64]foundPath{}, user: true, damaged: map[uint64]bool{}, extensions: v.extensionBudget()}
}

// fewPaths is a cache for a path or two.
func (v *Volume) fewPaths() *pathCache {
	return &pathCache{v: v, slots: make([]folder, 64), paths: map[uint64]foundPath{}, extensions: v.extensionBudget()}
}

// remember takes a folder that the scan passed.
func (c *pathCache) remember(ref Ref, n FileName) {
	c.keep(folder{ref, n.Parent, n.Name(), false})
}

// keep puts a folder into its slot, and nothing when names hold too much.
func (c *pathCache) keep(f folder) {
	slot := &c.slots[f.ref.Record()%uint64(len(c.slots))]
	if c.held -= len(slot.name); c.held+len(f.name) > maxFolderNames {
		f = folder{}
	}
	c.held += len(f.name)
	*slot = f
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
	from, lost := ref, false
	for ref.Record() != RecordRoot {
		if p, ok := c.paths[uint64(ref)]; ok {
			if p.path == "" {
				return p, false
			}
			head = p
			break
		}
		if c.user && c.v.isExtend(ref) {
			return foundPath{system: true}, false
		}
		f, ok := c.folder(ref)
		if !ok && c.lost {
			head, _ = c.orphan(ref, false)
			break
		}
		if !ok || len(names) >= maxDepth {
			return c.orphan(from, ok && !c.circle(ref))
		}
		names, ref, lost = append(names, f.name), f.parent, lost || f.ghost
	}
	if head.names+len(names) > maxDepth {
		return c.orphan(from, true)
	}
	return foundPath{path: joinUp(head.path, names), names: head.names + len(names), lost: lost || head.lost, orphan: head.orphan, deep: head.deep}, true
}

// isExtend tells whether a file's name says that it is in $Extend.
func (v *Volume) isExtend(ref Ref) bool {
	if ref.Record() != RecordExtend {
		return false
	}
	rec, err := v.Record(RecordExtend)
	return err != nil || ref.Seq() == 0 || ref.Seq() == rec.Seq()
}

// circle tells whether a folder is in itself.
func (c *pathCache) circle(ref Ref) bool {
	f, ok := c.folder(ref)
	for i := 0; ok && i < maxDepth && f.parent.Record() != RecordRoot; i++ {
		if f.parent.Record() == ref.Record() {
			return true
		}
		f, ok = c.folder(f.parent)
	}
	return false
}

// orphan is the path of a folder that the root does not lead to, or on too deep a way.
func (c *pathCache) orphan(ref Ref, deep bool) (foundPath, bool) {
	if !c.lost {
		return foundPath{}, false
	}
	n := orphanNumber(ref) | orphanBit
	return foundPath{path: orphanPath(n), names: 1, lost: true, orphan: n, deep: deep}, true
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
	if ref.Record() >= orphanBit {
		return folder{}, false
	}
	file, err := c.v.folderOf(ref, c.extensions)
	if err != nil || file.ghost {
		c.noteDamaged(ref.Record())
	}
	if err == nil && file.IsDir() && (!file.ghost || c.lost) {
		if n, ok := file.mainName(); ok {
			f = folder{file.Ref(), n.Parent, n.Name(), file.ghost}
			c.keep(f)
			return f, true
		}
	}
	return c.entryOf(ref)
}

// entryOf is a folder whose record does not tell its name any more, as the entry has it
// that leads there.
func (c *pathCache) entryOf(ref Ref) (folder, bool) {
	c.v.mu.Lock()
	rec := c.v.ghosts[ref.Record()].rec
	c.v.mu.Unlock()
	if rec == nil || !c.lost || ref.Seq() != 0 && ref.Seq() != rec.Seq() {
		return folder{}, false
	}
	n, ok := c.v.ghostFile(rec, nil).mainName()
	return folder{rec.Ref(), n.Parent, n.Name(), true}, ok
}

// folderOf is the file that ref names, without its extension records where its own has
// the main name.
func (v *Volume) folderOf(ref Ref, b *budget) (*File, error) {
	rec, err := v.Record(ref.Record())
	if err == nil && rec.InUse() && rec.Base() == 0 && (ref.Seq() == 0 || ref.Seq() == rec.Seq()) {
		f := &File{v: v, rec: rec}
		f.attrs, _ = collect(make([]Attr, 0, 8), rec)
		if n, ok := f.mainName(); ok && n.Space != NameDOS {
			return f, nil
		}
	}
	return v.fileRef(ref, b)
}

// noteDamaged remembers a record of the user's that cannot be read, if there is room.
func (c *pathCache) noteDamaged(n uint64) {
	if c.damaged == nil || c.full || c.damaged[n] || n < FirstUser {
		return
	}
	if _, err := c.v.Record(n); err == nil {
		return
	}
	if c.full = len(c.damaged) >= maxDamaged; !c.full {
		c.damaged[n] = true
	}
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
// the root is "/". A file that nothing leads to is below a folder "$Orphan-N". It
// fails with ErrCorrupt when the file has no name.
func (f *File) Path() (string, error) {
	if f.rec.N == RecordRoot {
		return "/", nil
	}
	if f.rec.N&orphanBit != 0 {
		return orphanPath(f.rec.N), nil
	}
	c := f.v.fewPaths()
	main, _ := f.mainName()
	for _, c.lost = range []bool{false, true} {
		for _, n := range f.Names() {
			if n.Space == NameDOS && main.Space != NameDOS {
				continue
			}
			if p, ok := c.path(n.Parent); ok {
				return p + "/" + n.Name(), nil
			}
		}
		clear(c.paths)
		clear(c.slots)
		c.held = 0
	}
	return "", cmp.Or(c.extensions.err(), classf(ErrCorrupt, f.rec.N, "file has no path from the root"))
}
