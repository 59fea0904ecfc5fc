package ntfsparse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
)

// strayCookie is where the cookies of strays begin; those of index entries are
// smaller.
const strayCookie = 1 << 60

// strayCost is what a stray holds beside its name, in bytes.
const strayCost = 64

// stray is a name that no folder lists any more, as the file itself has it.
type stray struct {
	ref  Ref
	name []byte // $FILE_NAME
}

func (s *stray) parent() Ref { return Ref(le.Uint64(s.name)) }

func (s *stray) entry(cookie uint64) DirEntry {
	n, _ := ParseFileName(s.name)
	return DirEntry{FileName: n, Ref: s.ref, Cookie: cookie}
}

// damagedFolder is what is known of a folder whose list of names is damaged.
type damagedFolder struct {
	lazy[[]stray]
	damage error
	alone  bool // its strays were looked for through the MFT for it alone
	table  lazy[nameTable]
}

// readStrays yields the names of the folder's files that its index has lost, from
// one on, and at the end, if asked to, why there are such.
func (d *Dir) readStrays(first int, again bool, yield func(DirEntry, error) bool) {
	list, damage, err := d.strays()
	for i := min(first, len(list)); i < len(list); i++ {
		if !yield(list[i].entry(strayCookie+uint64(i)), nil) {
			return
		}
	}
	if err == nil && again {
		err = damage
	}
	if err != nil {
		yield(DirEntry{}, err)
	}
}

// noteDamage remembers that the folder has lost names: a listing may go on
// behind the damage another time.
func (d *Dir) noteDamage(damage error) {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.damaged[no] != nil || len(v.damaged) >= maxDamaged {
		return
	}
	if v.damaged == nil {
		v.damaged = map[uint64]*damagedFolder{}
	}
	v.damaged[no] = &damagedFolder{damage: damage}
}

// sound tells whether all of the folder's index can be read, where damage was
// noted before.
func (d *Dir) sound() bool {
	v := d.x.v
	v.mu.Lock()
	known := v.damaged[d.x.file.Record()]
	v.mu.Unlock()
	return known == nil || d.readable()
}

// readable tells whether all of the folder's index can be read.
func (d *Dir) readable() bool {
	if d.broken != nil {
		return false
	}
	sound := true
	var all pairs
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if sound = err == nil; sound {
			all.add(&n, e.Ref())
		}
		return sound
	})
	return sound && (all.sum == 0 || d.unpaired() == nil)
}

// forgetDamage is told when the folder could be read whole: where there was damage,
// it was one of reading, not of the disk.
func (d *Dir) forgetDamage() {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	known := v.damaged[no]
	delete(v.damaged, no)
	v.mu.Unlock()
	if known == nil {
		return
	}
	list, _ := known.search(func() ([]stray, error) { return nil, nil })
	table, _ := known.table.get(func() (nameTable, error) { return nil, nil })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tableNames -= len(table)
	if !known.alone {
		return
	}
	v.searches--
	for _, s := range list {
		v.strayBytes -= strayCost + len(s.name)
	}
}

// strays are those of a folder whose damage is noted, with the damage. The error
// says that there may be more of them.
func (d *Dir) strays() (list []stray, damage, err error) {
	v := d.x.v
	v.mu.Lock()
	known, full := v.damaged[d.x.file.Record()], len(v.damaged) >= maxDamaged
	v.mu.Unlock()
	switch {
	case known == nil && full:
		return nil, nil, v.tooManyLost(d.x.file)
	case known == nil:
		return nil, nil, nil
	case d.ghost:
		list, err = known.search(d.lostHere)
	default:
		list, err = known.search(func() ([]stray, error) { return d.findStrays(known) })
	}
	return list, known.damage, err
}

// lostHere are the names in a folder without a record of its own.
func (d *Dir) lostHere() ([]stray, error) {
	lost, err := d.x.v.lostNames()
	list := lost[d.x.file.Record()&^orphanBit]
	if d.x.file.Seq() != 0 && d.x.file.Record() != RecordRoot {
		list = slices.DeleteFunc(slices.Clone(list), func(s stray) bool { return !isParent(d.x.file, s.parent()) })
	}
	return list, err
}

// lostNames are the names in folders that do not exist, have no path or whose record
// is damaged, by the number of that record.
func (v *Volume) lostNames() (map[uint64][]stray, error) {
	return v.lost.search(v.findLostNames)
}

func (v *Volume) findLostNames() (map[uint64][]stray, error) {
	var known [1 << 14]Ref // folders that exist
	gone := map[Ref]bool{}
	paths := v.newPathCache()
	paths.lost, paths.user = true, false
	nowhere := func(parent Ref) bool {
		p, ok := paths.find(parent)
		return ok && p.names == 1 && p.orphan == orphanNumber(parent)
	}
	names := map[uint64][]stray{}
	unread, err := v.eachName(context.Background(), func(s stray, parent Ref) error {
		slot := &known[parent.Record()%uint64(len(known))]
		if *slot == parent {
			return nil
		}
		if !gone[parent] {
			if v.soundFolder(parent) && !nowhere(parent) {
				*slot = parent
				return nil
			}
			if len(gone) < maxDamaged {
				gone[parent] = true
			}
		}
		if !v.take(&v.lostBytes, &s) {
			return v.tooManyLost(parent)
		}
		n := orphanNumber(parent)
		names[n] = append(names[n], stray{s.ref, bytes.Clone(s.name)})
		return nil
	})
	return names, cmp.Or(err, unread, paths.extensions.err())
}

// soundFolder tells whether ref leads to a folder with a record of its own.
func (v *Volume) soundFolder(ref Ref) bool {
	rec, err := v.Record(ref.Record())
	if err != nil {
		return false
	}
	if ref.Record() == RecordRoot {
		return true
	}
	return rec.InUse() && rec.IsDir() && rec.Base() == 0 && (ref.Seq() == 0 || ref.Seq() == rec.Seq())
}

// eachName goes through the whole MFT and calls do for each name of a file that
// exists, DOS names and the root's name for itself left out. What it gets is valid
// until it returns; an error of do ends the walk, and is err. Records that the device
// does not give are left out, and unread tells that there were such.
func (v *Volume) eachName(ctx context.Context, do func(s stray, parent Ref) error) (unread, err error) {
	var base, now Ref // of the last extension record with a name, and what that file is
	var sound bool
	err = v.Scan(ctx, 0, func(n uint64, rec *Record, err error) error {
		if err != nil && unread == nil && !errors.Is(err, ErrCorrupt) {
			unread = &Error{Class: ErrCorrupt, What: "file records cannot be read, so that more names may be lost", Record: n, Off: -1, Err: err}
		}
		if err != nil || !rec.InUse() {
			return nil
		}
		ref := rec.Ref()
		if rec.Base() != 0 {
			ref = rec.Base()
		}
		alive := rec.Base() == 0
		for a, err := range rec.Attrs() {
			if err != nil || a.Type() != TypeFileName || !a.sane() {
				continue
			}
			n, err := ParseFileName(a.Value())
			if err != nil || n.Space == NameDOS || ref.Record() == RecordRoot {
				continue
			}
			if !alive { // an extension record may belong to nothing
				if ref != base {
					base = ref
					now, sound = v.exists(ref)
				}
				if alive = sound && ref.Record() < v.records; !alive {
					return nil
				}
				ref = now
			}
			if err := do(stray{ref, a.Value()}, n.Parent); err != nil {
				return err
			}
		}
		return nil
	})
	return unread, err
}

// listed holds names with their files, as sorted hashes.
type listed []uint64

var listedSeed = maphash.MakeSeed()

func listedHash(ref Ref, units []byte) uint64 { return maphash.Bytes(listedSeed, units) ^ uint64(ref) }

func (l listed) has(ref Ref, units []byte) bool {
	_, ok := slices.BinarySearch(l, listedHash(ref, units))
	return ok
}

// listed are the names in the folder's index that a listing shows, in whatever order; false if there are
// more than most.
func (d *Dir) listed(most int) (list listed, ok bool) {
	if d.broken != nil {
		return nil, true
	}
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if err == nil && n.Space != NameDOS {
			list = append(list, listedHash(e.Ref(), n.Units))
		}
		return len(list) <= most
	})
	slices.Sort(list)
	return list, len(list) <= most
}

// sum tells listings apart.
func (l listed) sum() (sum uint64) {
	for _, h := range l {
		sum += h
	}
	return sum
}

// findStrays looks for the names that a folder's index has lost. From the fifth
// such folder on those of all folders are looked for at once.
func (d *Dir) findStrays(known *damagedFolder) ([]stray, error) {
	v, dir := d.x.v, d.x.file
	listed, ok := d.listed(maxListed)
	if !ok {
		return nil, v.tooManyLost(dir)
	}
	v.mu.Lock()
	v.searches++
	before := v.searches - 1
	known.alone = before < fewDamaged
	v.mu.Unlock()
	if !known.alone {
		all, unread := v.strays.search(v.findAllStrays)
		s := all[dir.Record()]
		same := s != nil && s.dir == dir && s.sum == listed.sum()
		if known.alone = !same && before < maxSearches; !known.alone {
			v.mu.Lock()
			v.searches--
			v.mu.Unlock()
		}
		if same {
			return s.list, cmp.Or(s.err, unread)
		}
	}
	if !known.alone {
		return nil, v.tooManyLost(dir)
	}
	var list []stray
	unread, err := v.eachName(context.Background(), func(s stray, parent Ref) error {
		if !isLost(dir, listed, &s) {
			return nil
		}
		if !v.take(&v.strayBytes, &s) {
			return v.tooManyLost(dir)
		}
		list = append(list, stray{s.ref, bytes.Clone(s.name)})
		return nil
	})
	return list, cmp.Or(err, unread)
}

// folderStrays are those of one of many damaged folders.
type folderStrays struct {
	dir    Ref
	listed listed // while they are looked for
	sum    uint64 // of listed
	list   []stray
	err    error // there are more
}

// findAllStrays looks for the names that the damaged folders of the volume have lost,
// by their records. A folder is left out when the folders before it have too much
// in their indexes. The error says that file records could not be read.
func (v *Volume) findAllStrays() (map[uint64]*folderStrays, error) {
	all := map[uint64]*folderStrays{}
	room, indexes, extensions := maxListed, v.indexBudget(), v.extensionBudget()
	err := v.Scan(context.Background(), 0, func(n uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() || !rec.IsDir() || rec.Base() != 0 || indexes.spent || len(all) >= maxDamaged {
			return nil
		}
		f, err := v.fileOf(rec, extensions)
		if err != nil || f.cut {
			return nil
		}
		d, err := f.Dir()
		if err != nil {
			return nil
		}
		if indexes.take(d.x.cost()); d.readable() {
			return nil
		}
		if list, ok := d.listed(room); ok {
			room -= len(list)
			all[n] = &folderStrays{dir: f.Ref(), listed: list, sum: list.sum()}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	unread, err := v.eachName(context.Background(), func(s stray, parent Ref) error {
		in := all[parent.Record()]
		switch {
		case in == nil || !isLost(in.dir, in.listed, &s):
		case !v.take(&v.strayBytes, &s):
			in.err = v.tooManyLost(in.dir)
		default:
			in.list = append(in.list, stray{s.ref, bytes.Clone(s.name)})
		}
		return nil
	})
	for _, in := range all {
		in.listed = nil
	}
	return all, cmp.Or(err, unread)
}

// isLost tells whether a file's name says that it is in folder dir, and its index,
// which has what is listed, does not have it.
func isLost(dir Ref, listed listed, s *stray) bool {
	parent := s.parent()
	if !isParent(dir, parent) || s.ref.Record() == parent.Record() {
		return false
	}
	n, _ := ParseFileName(s.name)
	return !listed.has(s.ref, n.Units)
}

// isParent tells whether a file's name, which gives its folder as ref, says that it
// is in folder dir.
func isParent(dir, ref Ref) bool {
	return ref.Record() == dir.Record() && (ref.Seq() == 0 || ref.Seq() == dir.Seq() || ref.Record() == RecordRoot)
}

// take counts what is held of a stray, if there is room for it.
func (v *Volume) take(bytes *int, s *stray) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := strayCost + len(s.name)
	if *bytes+n > maxStrayBytes {
		return false
	}
	*bytes += n
	return true
}

func (v *Volume) tooManyLost(dir Ref) error {
	v.note("Damaged folders have lost more names than can be looked for.")
	return classf(ErrUnsupported, dir.Record(), "the folder has lost more names than can be looked for")
}
