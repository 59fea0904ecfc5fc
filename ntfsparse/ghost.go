package ntfsparse

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// A folder that nothing leads to is shown below the root as "$Orphan-N" of its
// record N, though no listing has it. Where N is no folder any more, files that
// say to be in it are found there all the same; in the numbers of such folders
// bit 39 is set.
const (
	orphanName = "$Orphan-"
	orphanBit  = 1 << 39
)

// ghost stands for a folder whose own record is damaged. What is left of it is its
// entry in the folder above, and the files that say to be in it.
type ghost struct {
	rec *Record
	dos bool // by its DOS name
}

// Follow opens the file that an entry names. Of a folder whose own record is
// damaged it gives what the entry tells; [File.Damage] says so, and its names are
// those that the files in it have themselves. So it is with a folder whose record
// was freed or has another file, as long as there are files that say to be in it.
// An entry misleads when the file that it names does not say to have that name there:
// the file is then the one that does, or else the one named if nothing else leads to it,
// and the folder's listings end with an error from then on.
func (v *Volume) Follow(e *DirEntry) (*File, error) {
	if e.Ref.Record() >= orphanBit && !e.orphan {
		return nil, classf(ErrCorrupt, e.Ref.Record(), "a name leads to an impossible file record")
	}
	f, err := v.FileRef(e.Ref)
	if err == nil {
		if misleads := f.misleads(e); misleads != nil {
			return v.meant(f, e, misleads)
		}
		return f, nil
	}
	if !e.IsDir() || e.Ref.Record() >= v.records {
		return nil, err
	}
	_, bad := v.Record(e.Ref.Record())
	if bad == nil {
		return v.formerFolder(e, err)
	}
	v.addGhost(e.Ref, &e.FileName)
	return v.ghostFile(ghostRecord(e.Ref, &e.FileName), bad), nil
}

// formerFolder is the folder that an entry names although its record was freed or
// given to another file, if there still are files in it; else the error is err.
func (v *Volume) formerFolder(e *DirEntry, err error) (*File, error) {
	n := e.Ref.Record()
	lost, _ := v.lostNames()
	if !slices.ContainsFunc(lost[n], func(s stray) bool { return s.parent() == e.Ref }) {
		return nil, err
	}
	bad := &Error{Class: ErrCorrupt, What: "the folder's record is not its own any more", Record: n, Off: -1}
	return v.ghostFile(ghostRecord(MakeRef(n|orphanBit, 0), &e.FileName), bad), nil
}

// addGhost remembers a folder by its entry, for when it is asked for by its number;
// there is room for so many.
func (v *Volume) addGhost(ref Ref, n *FileName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ghosts == nil {
		v.ghosts = map[uint64]ghost{}
	}
	dos := n.Space == NameDOS
	if old, ok := v.ghosts[ref.Record()]; ok && old.dos && !dos || !ok && len(v.ghosts) < maxGhosts {
		v.ghosts[ref.Record()] = ghost{ghostRecord(ref, n), dos}
	}
}

// ghostFile is a file whose record, of which bad tells the damage, rec stands for.
func (v *Volume) ghostFile(rec *Record, bad error) *File {
	switch {
	case errors.Is(bad, ErrDeleted):
		bad = classf(ErrCorrupt, rec.N, "the file record is empty")
	case bad != nil && !errors.Is(bad, ErrCorrupt) && !errors.Is(bad, ErrUnsupported):
		bad = &Error{Class: ErrCorrupt, What: "the file record cannot be read", Record: rec.N, Off: -1, Err: bad}
	}
	f := &File{v: v, rec: rec, bad: bad, ghost: true}
	f.attrs, _ = collect(nil, rec)
	return f
}

// ghost is what stands for record n, which err says is damaged; nil when nothing
// is known of it.
func (v *Volume) ghost(n uint64, err error) *File {
	switch {
	case n&^(orphanBit-1) == orphanBit:
		units := EncodeName(orphanName + strconv.FormatUint(n&^orphanBit, 10))
		rec := ghostRecord(MakeRef(n, 0), &FileName{Parent: MakeRef(RecordRoot, 0), Attributes: nameIsDir, Units: units})
		c := v.fewPaths()
		c.lost = true
		p, _ := c.find(MakeRef(n&^orphanBit, 0))
		return v.ghostFile(rec, errOrphans(n, p.deep && p.orphan == n))
	case n == RecordRoot:
		root := MakeRef(RecordRoot, RecordRoot)
		return v.ghostFile(ghostRecord(root, &FileName{Parent: root, Attributes: nameIsDir, Units: []byte(".\x00")}), err)
	}
	v.mu.Lock()
	g := v.ghosts[n]
	v.mu.Unlock()
	if g.rec == nil {
		return nil
	}
	return v.ghostFile(g.rec, err)
}

// errOrphans tells why there is a folder "$Orphan-N".
func errOrphans(n uint64, deep bool) error {
	if deep {
		return classf(ErrUnsupported, n&^orphanBit, "these files are below more than %d folders, and are shown here", maxDepth)
	}
	return classf(ErrCorrupt, n&^orphanBit, "no folder leads to these files")
}

// sureRoot is the root's file although its record says that it is none.
func (v *Volume) sureRoot(rec *Record) (*File, error) {
	sure := Record{N: rec.N, b: bytes.Clone(rec.b), used: rec.used}
	le.PutUint16(sure.b[0x16:], rec.Flags()|FlagInUse|FlagDirectory)
	le.PutUint64(sure.b[0x20:], 0)
	v.note("The record of the root says that it is no folder in use; it is read all the same.")
	f, err := v.fileOf(&sure, nil)
	if err == nil && f.bad == nil {
		f.bad = classf(ErrCorrupt, rec.N, "the root's record says that it is no folder in use")
	}
	return f, err
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
// the one of what says to be in folder 35, or that folder itself when it exists and
// has no path.
func (v *Volume) orphan(name string) (Ref, bool) {
	digits, ok := strings.CutPrefix(name, orphanName)
	n, err := strconv.ParseUint(digits, 10, 39)
	if !ok || err != nil || n == RecordRoot || orphanPath(n) != "/"+name {
		return 0, false
	}
	if lost, _ := v.lostNames(); len(lost[n]) > 0 {
		return MakeRef(n|orphanBit, 0), true
	}
	if n < v.records && v.soundFolder(MakeRef(n, 0)) {
		_, ok := v.fewPaths().path(MakeRef(n, 0))
		return MakeRef(n, 0), !ok
	}
	return 0, false
}

// orphanNumber is N of "$Orphan-N" for a folder that does not exist: its record, and
// one number for all that cannot be.
func orphanNumber(ref Ref) uint64 { return min(ref.Record(), orphanBit-1) }

func orphanPath(n uint64) string {
	return "/" + orphanName + strconv.FormatUint(n&^orphanBit, 10)
}
