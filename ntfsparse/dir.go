package ntfsparse

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Dir is a folder's list of names.
type Dir struct {
	x      *Index
	fold   bool  // names are told apart by case alone
	broken error // why there is no index at all
	ghost  bool  // it has no record of its own
}

// Dir opens the file's index of names; it fails with ErrNotDir when the file
// is not a folder. Where the index is damaged, the names that it has lost are
// those that the files have themselves.
func (f *File) Dir() (*Dir, error) {
	if !f.IsDir() {
		return nil, classf(ErrNotDir, f.rec.N, "file has no names below it")
	}
	x, err := f.index(indexName30)
	if f.ghost {
		err = f.bad
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = classf(ErrCorrupt, f.rec.N, "folder has no index of names")
	}
	if err == nil && (x.Type != TypeFileName || x.Collation != CollateFileName) {
		err = classf(ErrCorrupt, f.rec.N, "folder's index is not one of names")
	}
	d := &Dir{x: x, broken: err, ghost: f.ghost}
	if err != nil {
		d.x = f.v.noIndex(f.Ref())
	}
	if s, err := f.Standard(); err == nil {
		d.fold = s.CaseSensitive()
	}
	return d, nil
}

// CaseSensitive tells whether Windows distinguishes names of this folder that
// differ in case alone.
func (d *Dir) CaseSensitive() bool { return d.fold }

// Index is the index behind the folder.
func (d *Dir) Index() *Index { return d.x }

// DirEntry is a name in a folder. Sizes, times and attributes in FileName are
// copies that may be stale; the file's record is right.
type DirEntry struct {
	FileName
	Ref    Ref
	Cookie uint64 // where the entry is: resumes a listing behind it
	orphan bool   // made for a name such as "$Orphan-35"
}

// Lookup finds a name exactly as it is spelled. In the root it finds folders that
// nothing leads to as well, as "$Orphan-" and the number of their record.
func (d *Dir) Lookup(name string) (DirEntry, error) {
	units := EncodeName(name)
	e, ok, err := d.find(units, d.x.v.upcase.Compare)
	if !ok && d.x.file.Record() == RecordRoot {
		if ref, ok := d.x.v.orphan(name); ok {
			return DirEntry{FileName: FileName{Parent: d.x.file, Attributes: nameIsDir, Units: units}, Ref: ref, orphan: true}, nil
		}
	}
	if err != nil || ok {
		return e, err
	}
	return e, notFound(name)
}

// LookupFold finds a name as Windows does: exactly, or else, unless the
// folder is case-sensitive, without regard to case. DOS names are found, too.
func (d *Dir) LookupFold(name string) (DirEntry, error) {
	e, err := d.Lookup(name)
	if err == nil || d.fold {
		return e, err
	}
	e, ok, err := d.find(EncodeName(name), d.x.v.upcase.CompareFold)
	if err != nil || ok {
		return e, err
	}
	return e, notFound(name)
}

func notFound(name string) error {
	return &Error{Class: fs.ErrNotExist, What: name, Record: NoRecord, Off: -1}
}

func (d *Dir) find(units []byte, cmp func(a, b []byte) int) (DirEntry, bool, error) {
	if d.broken != nil {
		return d.findSlowly(units, cmp, d.broken)
	}
	e, ok, err := d.findEntry(units, cmp)
	if err == nil && ok {
		err = d.foreign(e)
	}
	if err != nil {
		return d.findSlowly(units, cmp, err)
	}
	if !ok && (d.misled() || d.disordered(units)) {
		e, ok, _ := d.findSlowly(units, cmp, nil)
		return e, ok, nil
	}
	if !ok {
		return DirEntry{}, false, nil
	}
	return d.entry(e), true, nil
}

// findEntry looks for a name in the index as a tree.
func (d *Dir) findEntry(units []byte, cmp func(a, b []byte) int) (e IndexEntry, ok bool, err error) {
	var bad error
	e, ok, err = d.x.Find(func(key []byte) int {
		if len(key) < 0x42 || len(key)-0x42 < 2*int(key[0x40]) {
			bad = corrupt("$FILE_NAME in an index is too short", len(key))
			return -1
		}
		return cmp(units, key[0x42:0x42+2*int(key[0x40])])
	})
	if err == nil {
		err = bad
	}
	return e, ok, err
}

// disordered tells whether the nodes in which a name should be are out of order,
// so that it may be elsewhere.
func (d *Dir) disordered(units []byte) bool {
	compare, node := d.x.v.upcase.Compare, d.x.root
	var low, high []byte // what all names of the node lie between; nil: anything
	for range maxTreeDepth {
		var child IndexEntry
		var from, to []byte
		for e, err := range node.Entries() {
			key := high
			if err == nil && !e.Last() {
				var n FileName
				n, err = ParseFileName(e.Key())
				if key = n.Units; err == nil {
					err = d.foreign(e)
				}
			}
			if err != nil || low != nil && key != nil && compare(low, key) >= 0 {
				return true
			}
			if child.b == nil && (e.Last() || compare(units, key) <= 0) {
				child, from, to = e, low, key
			}
			low = key
		}
		vcn, sub := child.SubNode()
		if !sub {
			return false
		}
		var err error
		if node, err = d.x.nodeAt(vcn); err != nil {
			return true
		}
		low, high = from, to
	}
	return true
}

// findSlowly looks at every entry, for folders whose tree is damaged or out of order.
// There is a table of them, of damaged ones from the second time on.
func (d *Dir) findSlowly(units []byte, cmp func(a, b []byte) int, cause error) (found DirEntry, ok bool, err error) {
	if e, ok, sure := d.findListed(units, cmp, cause == nil); sure {
		if ok {
			cause = nil
		}
		return e, ok, inRecord(cause, d.x.file.Record())
	}
	d.Read(0, func(e DirEntry, err error) bool {
		if err == nil && cmp(units, e.Units) == 0 {
			found, ok = e, true
		}
		return !ok
	})
	if ok {
		return found, true, nil
	}
	return found, false, inRecord(cause, d.x.file.Record())
}

// entry is one that was found. That it is a DOS name must be true of the file, too.
func (d *Dir) entry(e IndexEntry) DirEntry {
	n, _ := ParseFileName(e.Key())
	if n.Space == NameDOS {
		n.Space = d.spaceOf(&n, e.Ref())
	}
	return DirEntry{FileName: n, Ref: e.Ref()}
}

// spaceOf is the name space in which the file itself has a name of the folder. A DOS
// name is a long one, too, when the file has no other name there.
func (d *Dir) spaceOf(n *FileName, ref Ref) byte {
	f, err := d.x.v.FileRef(ref)
	if err != nil {
		return n.Space
	}
	names := f.Names()
	for i := range names {
		own := &names[i]
		switch {
		case own.Parent.Record() != d.x.file.Record() || !bytes.Equal(own.Units, n.Units):
		case own.Space == NameDOS && f.bad == nil && !own.beside(names):
			return NameWinDOS
		default:
			return own.Space
		}
	}
	return n.Space
}

// beside tells whether there is, among the names of a file, one in the same folder that
// is no DOS name, so that a DOS name is but its short form.
func (n *FileName) beside(names []FileName) bool {
	return slices.ContainsFunc(names, func(other FileName) bool {
		return other.Space != NameDOS && other.Parent.Record() == n.Parent.Record()
	})
}

// foreign is an error for an entry that says to be in another folder.
func (d *Dir) foreign(e IndexEntry) error {
	if parent := Ref(le.Uint64(e.Key())); parent.Record() != d.x.file.Record() {
		return classf(ErrCorrupt, d.x.file.Record(), "its index has an entry of folder %d", parent.Record())
	}
	return nil
}

// scan is [Index.Scan] with names. Entries of another folder are one error for each node.
func (d *Dir) scan(from int64, yield func(block int64, e IndexEntry, n FileName, err error) bool) {
	last := int64(-2)
	d.x.Scan(from, func(block int64, e IndexEntry, err error) bool {
		var n FileName
		if err == nil {
			n, err = ParseFileName(e.Key())
		}
		if err == nil {
			if err = d.foreign(e); err != nil && block == last {
				return true
			} else if err != nil {
				last = block
			}
		}
		return yield(block, e, n, inRecord(err, d.x.file.Record()))
	})
}

// pairs tells that each DOS name in a folder has a long one beside it: their files,
// as hashes, are then the same, and the sum is 0.
type pairs struct{ sum uint64 }

func (p *pairs) add(n *FileName, ref Ref) {
	if n.Space != NameDOS && n.Space != NameWin32 {
		return
	}
	h := uint64(ref) * 0x9E3779B97F4A7C15
	h = (h ^ h>>29) * 0xBF58476D1CE4E5B9
	if n.Space == NameDOS {
		h = -h
	}
	p.sum += h
}

// unpaired is an error for a DOS name without a long one: a listing would leave the
// file out.
func (d *Dir) unpaired() (err error) {
	var all pairs
	whole := true
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if whole = whole && err == nil; err == nil {
			all.add(&n, e.Ref())
		}
		return true
	})
	if all.sum == 0 {
		if whole {
			d.notePaired()
		}
		return nil
	}
	var long []Ref
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if err == nil && n.Space == NameWin32 {
			long = append(long, e.Ref())
		}
		return len(long) <= maxListed
	})
	if len(long) > maxListed {
		return classf(ErrUnsupported, d.x.file.Record(), "the folder has more names than are compared with its DOS names")
	}
	slices.Sort(long)
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, bad error) bool {
		if bad == nil && n.Space == NameDOS {
			if _, ok := slices.BinarySearch(long, e.Ref()); !ok {
				err = classf(ErrCorrupt, d.x.file.Record(), "its index has a DOS name of record %d and no other", e.Ref().Record())
			}
		}
		return err == nil
	})
	return err
}

// notePaired remembers that each DOS name of the folder has a long one, for listings
// that are resumed.
func (d *Dir) notePaired() {
	v := d.x.v
	v.mu.Lock()
	defer v.mu.Unlock()
	v.paired[d.x.file.Record()%uint64(len(v.paired))] = d.x.file
}

func (d *Dir) isPaired() bool {
	v := d.x.v
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.paired[d.x.file.Record()%uint64(len(v.paired))] == d.x.file
}

// Read yields the names behind the cookie after (0: from the start), without
// DOS names and the root's name for itself, until yield returns false. The
// order is that of the disk. Damage is yielded as an error and does not end
// the list: the names that it hides come last, as far as the files that have
// them are sound. A listing that was resumed ends with it once more. The entry's Units are valid until yield returns.
func (d *Dir) Read(after uint64, yield func(DirEntry, error) bool) {
	if after >= strayCookie {
		d.readStrays(int(after-strayCookie)+1, true, yield)
		return
	}
	more, bad, sum := true, true, uint64(0)
	if d.broken == nil {
		more, bad, sum = d.readIndex(after, yield)
	} else {
		d.noteDamage(d.broken)
		more = yield(DirEntry{}, d.broken)
	}
	if !more {
		return
	}
	if !bad && !d.misled() && (after == 0 || d.sound()) {
		d.forgetDamage()
		return
	}
	if after > 0 && d.broken == nil {
		sum = d.listedSum()
	}
	d.renew(sum)
	d.readStrays(0, after > 0 || !bad, yield)
}

// ReadLost goes on with a listing after whose end entries of the folder were found to
// mislead, see [Volume.Follow]: it yields the names that the folder has lost, and the
// damage. It yields nothing where there are no such entries.
func (d *Dir) ReadLost(yield func(DirEntry, error) bool) {
	if d.misled() {
		d.readStrays(0, true, yield)
	}
}

// readIndex is Read without strays, but for those that stand in for an entry. It tells
// whether something is damaged, and after a listing from the start what sets it apart.
func (d *Dir) readIndex(after uint64, yield func(DirEntry, error) bool) (more, bad bool, sum uint64) {
	from := int64(after>>16) - 2
	more = true
	fail := func(err error) bool {
		bad = true
		d.noteDamage(err)
		more = yield(DirEntry{}, err)
		return more
	}
	var all pairs
	lost := d.standIns()
	d.scan(max(from, -1), func(block int64, e IndexEntry, n FileName, err error) bool {
		if err != nil {
			return fail(err)
		}
		all.add(&n, e.Ref())
		if n.Space != NameDOS {
			sum += listedHash(e.Ref(), n.Units)
		}
		cookie := entryCookie(block, e)
		if cookie <= after || n.Space == NameDOS || e.Ref().Record() == d.x.file.Record() && string(n.Units) == ".\x00" {
			return true
		}
		entry, ok := lost.standIn(cookie)
		if !ok {
			entry = DirEntry{FileName: n, Ref: e.Ref(), Cookie: cookie}
		}
		more = yield(entry, nil)
		return more
	})
	switch {
	case !more:
	case after == 0 && all.sum == 0 && !bad:
		d.notePaired()
	case after == 0 && all.sum != 0 || after > 0 && !d.isPaired():
		if err := d.unpaired(); err != nil {
			fail(err)
		}
	}
	return more, bad, sum
}

// entryCookie tells where an entry of an index is.
func entryCookie(block int64, e IndexEntry) uint64 { return uint64(block+2)<<16 | uint64(e.Off) }

// Root opens the root folder.
func (v *Volume) Root() (*File, error) { return v.File(RecordRoot) }

// Lookup follows a path from the root: '/' separated, names compared as
// Windows does. Links are not followed.
func (v *Volume) Lookup(path string) (*File, error) {
	f, err := v.Root()
	if err != nil {
		return nil, err
	}
	depth := 0
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." {
			continue
		}
		if depth++; depth > maxDepth {
			return nil, notFound(path)
		}
		if f, err = f.child(name); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *File) child(name string) (*File, error) {
	d, err := f.Dir()
	if err != nil {
		return nil, err
	}
	e, err := d.LookupFold(name)
	if err != nil {
		return nil, err
	}
	return f.v.Follow(&e)
}

// Mode is the kind of the file as far as the entry tells, like [Info.Mode];
// fs.ModeIrregular when only the file's data can tell.
func (e *DirEntry) Mode() fs.FileMode {
	in := Info{IsDir: e.IsDir(), Size: e.Size}
	in.Attributes = e.Attributes
	if e.Attributes&WinReparse != 0 {
		in.Tag = e.Tag
	}
	lx := !in.IsDir && in.Tag == 0 && e.Tag != 0 // it has EAs, perhaps those of the first WSL
	if lx || in.special() || in.Tag == TagNFS {
		return fs.ModeIrregular
	}
	return in.Mode()
}
