package ntfsparse

import (
	"errors"
	"strconv"
	"strings"
)

// A ghost is a folder whose own record is damaged. What is left of it is its entry
// in the folder above, and the files that say to be in it.
//
// A folder that nothing leads to is shown below the root as "$Orphan-N" of its
// record N, though no listing has it. Where N is no folder any more, files that
// say to be in it are found there all the same; in the numbers of such folders
// bit 39 is set.
const (
	orphanName = "$Orphan-"
	orphanBit  = 1 << 39
)

// Follow opens the file that an entry names. Of a folder whose own record is
// damaged it gives what the entry tells; [File.Damage] says so, and its names are
// those that the files in it have themselves.
func (v *Volume) Follow(e *DirEntry) (*File, error) {
	f, err := v.FileRef(e.Ref)
	if err == nil || !e.IsDir() {
		return f, err
	}
	if _, bad := v.Record(e.Ref.Record()); bad == nil || !v.addGhost(e.Ref, &e.FileName) {
		return nil, err
	}
	return v.FileRef(e.Ref)
}

// addGhost remembers a folder by its entry; there is room for so many.
func (v *Volume) addGhost(ref Ref, n *FileName) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ghosts == nil {
		v.ghosts = map[uint64]*Record{}
	}
	if v.ghosts[ref.Record()] == nil && len(v.ghosts) < maxGhosts {
		v.ghosts[ref.Record()] = ghostRecord(ref, n)
	}
	return v.ghosts[ref.Record()] != nil
}

// ghost is what stands for record n, which err says is damaged; nil when nothing
// is known of it.
func (v *Volume) ghost(n uint64, err error) *File {
	if errors.Is(err, ErrDeleted) {
		err = classf(ErrCorrupt, n, "the folder's record is empty")
	}
	f := &File{v: v, bad: err, ghost: true}
	switch {
	case n&orphanBit != 0:
		units := EncodeName(orphanName + strconv.FormatUint(n&^orphanBit, 10))
		f.rec = ghostRecord(MakeRef(n, 0), &FileName{Parent: MakeRef(RecordRoot, 0), Attributes: nameIsDir, Units: units})
		f.bad = classf(ErrCorrupt, n&^orphanBit, "these files say to be in a folder that is no more")
	case n == RecordRoot:
		f.rec = ghostRecord(MakeRef(RecordRoot, RecordRoot), &FileName{Parent: MakeRef(RecordRoot, RecordRoot), Attributes: nameIsDir, Units: []byte(".\x00")})
	default:
		v.mu.Lock()
		f.rec = v.ghosts[n]
		v.mu.Unlock()
	}
	if f.rec == nil {
		return nil
	}
	f.attrs, _ = collect(nil, f.rec)
	return f
}

// ghostRecord is a file record as the folder had it: with names, times and
// attributes, and no index.
func ghostRecord(ref Ref, n *FileName) *Record {
	const first, info, head = 0x38, 48, 24
	b := make([]byte, 1024)
	copy(b, magicFile)
	le.PutUint16(b[0x10:], ref.Seq())
	le.PutUint16(b[0x12:], 1)
	le.PutUint16(b[0x14:], first)
	le.PutUint16(b[0x16:], FlagInUse|FlagDirectory)
	times := func(b []byte) {
		for i, t := range []Time{n.Created, n.Modified, n.Changed, n.Accessed} {
			le.PutUint64(b[8*i:], uint64(t))
		}
	}
	a := b[first:]
	value := resident(a, TypeStandardInfo, info)
	times(value)
	le.PutUint32(value[0x20:], n.Attributes&^nameIsDir)
	a = a[head+info:]
	size := 0x42 + len(n.Units)
	value = resident(a, TypeFileName, size)
	le.PutUint64(value, uint64(n.Parent))
	times(value[8:])
	le.PutUint32(value[0x38:], n.Attributes)
	value[0x40] = byte(len(n.Units) / 2)
	copy(value[0x42:], n.Units)
	a = a[(head+size+7)&^7:]
	le.PutUint32(a, uint32(typeEnd))
	used := len(b) - len(a) + 8
	le.PutUint32(b[0x18:], uint32(used))
	return &Record{N: ref.Record(), b: b, used: used}
}

// resident begins a resident attribute without a name.
func resident(a []byte, t AttrType, size int) (value []byte) {
	le.PutUint32(a, uint32(t))
	le.PutUint32(a[4:], uint32(24+size+7)&^7)
	le.PutUint32(a[0x10:], uint32(size))
	le.PutUint16(a[0x14:], 24)
	return a[24:]
}

// orphan finds the folder that a name such as "$Orphan-35" in the root stands for:
// folder 35 itself when it exists and has no path, or else the one of what says to
// be in it.
func (v *Volume) orphan(name string) (Ref, bool) {
	digits, ok := strings.CutPrefix(name, orphanName)
	n, err := strconv.ParseUint(digits, 10, 38)
	if !ok || err != nil || n == RecordRoot || orphanPath(n) != "/"+name {
		return 0, false
	}
	if v.isFolder(MakeRef(n, 0)) {
		c := v.fewPaths()
		if _, ok := c.path(MakeRef(n, 0)); !ok {
			return MakeRef(n, 0), true
		}
	}
	return MakeRef(n|orphanBit, 0), true
}

func orphanPath(n uint64) string {
	return "/" + orphanName + strconv.FormatUint(n&^orphanBit, 10)
}

// isFolder tells whether ref leads to a folder, perhaps one whose record is
// damaged, as long as another folder names it.
func (v *Volume) isFolder(ref Ref) bool {
	f, err := v.FileRef(ref)
	return err == nil && f.IsDir()
}

// holds tells whether a file that names parent as its folder is in d.
func (d *Dir) holds(parent Ref) bool {
	if n := d.x.file.Record(); n&orphanBit != 0 {
		return parent.Record() == n&^orphanBit && !d.x.v.isFolder(parent)
	}
	return parent == d.x.file
}
