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

// strayCost is what a stray holds beside its name, in bytes, with its places in tables.
const strayCost = 128

// stray is a name that no folder lists any more, as the file itself has it.
type stray struct {
	ref  Ref
	name []byte // $FILE_NAME
}

func (s *stray) parent() Ref { return Ref(le.Uint64(s.name)) }

func (s *stray) entry(cookie uint64) DirEntry {
	n, _ := ParseFileName(s.name)
	if n.Space == NameDOS { // it is the only one that the file has
		n.Space = NameWinDOS
	}
	return DirEntry{FileName: n, Ref: s.ref, Cookie: cookie}
}

// strayList are the strays of a folder.
type strayList struct {
	list    []stray
	instead map[uint64]int // by the cookie of an entry that misleads: which of the list has its name
	placed  map[int]bool   // those of the list that have such a place
	sum     uint64         // of what the index listed when they were looked for
	names   nameTable      // of the list, as they are spelled
}

// find is the first of the list with a name.
func (s *strayList) find(units []byte) (i int, ok bool) {
	for at := range s.names.find(listedHash(0, units)) {
		if n, _ := ParseFileName(s.list[at].name); bytes.Equal(n.Units, units) {
			return int(at), true
		}
	}
	return 0, false
}

// sortNames makes the table of names.
func (s *strayList) sortNames() {
	s.names = make(nameTable, len(s.list))
	for i := range s.list {
		n, _ := ParseFileName(s.list[i].name)
		s.names[i] = tableName{listedHash(0, n.Units), uint64(i)}
	}
	s.names.sort()
}

// standIn is the stray that is listed in the place of the index's entry.
func (s *strayList) standIn(cookie uint64) (e DirEntry, ok bool) {
	if s == nil {
		return e, false
	}
	i, ok := s.instead[cookie]
	if ok {
		e = s.list[i].entry(cookie)
	}
	return e, ok
}

// damagedFolder is what is known of a folder whose list of names is damaged.
type damagedFolder struct {
	lazy[*strayList] // nil: it was given up
	damage           error
	misled           bool // an entry was found to mislead
	alone            bool // its strays were looked for through the MFT for it alone
	table            lazy[*folderTable]
}

// readStrays yields the names of the folder's files that its index has lost, from
// one on, and at the end, if asked to, why there are such.
func (d *Dir) readStrays(first int, again bool, yield func(DirEntry, error) bool) {
	lost, damage, err := d.strays()
	for i := first; i < len(lost.list); i++ {
		if lost.placed[i] {
			continue
		}
		if !yield(lost.list[i].entry(strayCookie+uint64(i)), nil) {
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

// known is what is known of the folder's damage; nil if there is none. When the volume
// has too many damaged folders none of the others is known.
func (d *Dir) known() (known *damagedFolder, full bool) {
	v := d.x.v
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.damaged[d.x.file.Record()], len(v.damaged) >= maxDamaged
}

// noteDamage remembers that the folder has lost names: a listing may go on
// behind the damage another time.
func (d *Dir) noteDamage(damage error) { d.note(damage, false) }

// noteMisled remembers that an entry of the folder misleads, which no listing shows.
func (d *Dir) noteMisled(damage error) { d.note(damage, true) }

func (d *Dir) note(damage error, misled bool) {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	defer v.mu.Unlock()
	known := v.damaged[no]
	switch {
	case known != nil:
		known.misled = known.misled || misled
		return
	case len(v.damaged) >= maxDamaged:
		return
	case v.damaged == nil:
		v.damaged = map[uint64]*damagedFolder{}
	}
	v.damaged[no] = &damagedFolder{damage: damage, misled: misled}
}

// misled tells whether an entry of the folder was found to mislead.
func (d *Dir) misled() bool {
	v := d.x.v
	v.mu.Lock()
	defer v.mu.Unlock()
	known := v.damaged[d.x.file.Record()]
	return known != nil && known.misled
}

// standIns has the strays that are listed in the place of entries; nil while none is
// known.
func (d *Dir) standIns() *strayList {
	known, _ := d.known()
	switch {
	case known == nil:
		return nil
	case known.made.Load():
		return known.val
	case d.misled():
		lost, _, _ := d.strays()
		return lost
	}
	return nil
}

// sound tells whether all of the folder's index can be read, where damage was
// noted before.
func (d *Dir) sound() bool {
	known, _ := d.known()
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
	if known != nil && known.misled {
		known = nil
	} else {
		delete(v.damaged, no)
	}
	v.mu.Unlock()
	if known != nil {
		v.giveUp(known)
	}
}

// renew gives up what was found when the folder's index listed other names than it does
// now, which have the sum: some of them would be listed twice, or not at all.
func (d *Dir) renew(sum uint64) {
	v, no := d.x.v, d.x.file.Record()
	known, _ := d.known()
	if known == nil || !known.made.Load() || known.val == nil || known.val.sum == sum {
		return
	}
	v.mu.Lock()
	mine := v.damaged[no] == known
	if mine {
		v.damaged[no] = &damagedFolder{damage: known.damage, misled: known.misled}
	}
	v.mu.Unlock()
	if mine {
		v.giveUp(known)
	}
}

// giveUp counts what is held of a folder that is not among the damaged ones any more.
// Who still has it finds that it was given up.
func (v *Volume) giveUp(known *damagedFolder) {
	lost, _ := known.search(func() (*strayList, error) { return nil, nil })
	v.giveUpTable(&known.table)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !known.alone {
		return
	}
	v.searches--
	if lost != nil {
		for _, s := range lost.list {
			v.strayBytes -= strayCost + len(s.name)
		}
	}
}

// strays are those of a folder whose damage is noted, with the damage. The error
// says that there may be more of them.
func (d *Dir) strays() (lost *strayList, damage, err error) {
	for range maxRenewed {
		known, full := d.known()
		switch {
		case known == nil && full:
			return &strayList{}, nil, d.x.v.tooManyLost(d.x.file)
		case known == nil:
			return &strayList{}, damage, nil
		}
		damage = known.damage
		if lost, err = known.search(func() (*strayList, error) { return d.findStrays(known) }); lost != nil {
			return lost, damage, err
		}
		d.noteDamage(damage) // it passed for another listing, not for this one
	}
	return &strayList{}, damage, d.x.v.tooManyLost(d.x.file)
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
		return ok && p.names == 1 && p.orphan == orphanNumber(parent)|orphanBit
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
// exists, DOS names beside others and the root's name for itself left out. What it gets is valid
// until it returns; an error of do ends the walk, and is err. Records that the device
// does not give are left out, and unread tells that there were such.
func (v *Volume) eachName(ctx context.Context, do func(s stray, parent Ref) error) (unread, err error) {
	var base, now Ref // of the last extension record with a name, and what that file is
	var sound bool
	extensions := v.extensionBudget()
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
			if err != nil || ref.Record() == RecordRoot || n.Space == NameDOS && v.isShort(rec, &n, extensions) {
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

// isShort tells whether a DOS name in a record is but the short form of another name.
// Where that cannot be told it is taken for such.
func (v *Volume) isShort(rec *Record, dos *FileName, extensions *budget) bool {
	whole := rec.Base() == 0
	for a, err := range rec.Attrs() {
		switch {
		case err != nil || !a.sane():
			return true
		case isList(a):
			whole = false
		case a.Type() == TypeFileName:
			n, err := ParseFileName(a.Value())
			if err != nil || n.Space != NameDOS && n.Parent.Record() == dos.Parent.Record() {
				return true
			}
		}
	}
	if whole {
		return false
	}
	f, err := v.fileRef(cmp.Or(rec.Base(), rec.Ref()), extensions)
	return err != nil || f.ghost || f.bad != nil || dos.beside(f.Names())
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

// listedSum is the sum of the names that the folder's index lists.
func (d *Dir) listedSum() (sum uint64) {
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if err == nil && n.Space != NameDOS {
			sum += listedHash(e.Ref(), n.Units)
		}
		return true
	})
	return sum
}

// findStrays looks for the names that a folder's index has lost.
func (d *Dir) findStrays(known *damagedFolder) (*strayList, error) {
	if d.ghost {
		list, err := d.lostHere()
		lost := &strayList{list: list}
		lost.sortNames()
		return lost, err
	}
	listed, ok := d.listed(maxListed)
	if !ok {
		return &strayList{sum: d.listedSum()}, d.x.v.tooManyLost(d.x.file)
	}
	list, err := d.findLost(known, listed)
	lost := &strayList{list: list, sum: listed.sum()}
	lost.sortNames()
	d.place(lost)
	return lost, err
}

// findLost looks for the names that are not listed. From the fifth such folder on those
// of all folders are looked for at once.
func (d *Dir) findLost(known *damagedFolder, listed listed) ([]stray, error) {
	v, dir := d.x.v, d.x.file
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

// place finds the entries of the index that have the name of a stray and mislead: a
// listing has the stray in their place, not once more.
func (d *Dir) place(lost *strayList) {
	if len(lost.list) == 0 || d.broken != nil {
		return
	}
	v := d.x.v
	lost.instead, lost.placed = map[uint64]int{}, map[int]bool{}
	extensions := v.extensionBudget()
	d.scan(-1, func(block int64, x IndexEntry, n FileName, err error) bool {
		if err != nil || n.Space == NameDOS {
			return true
		}
		e := DirEntry{FileName: n, Ref: x.Ref(), Cookie: entryCookie(block, x)}
		i, ok := lost.find(n.Units)
		if !ok || lost.placed[i] {
			return true
		}
		if f, err := v.fileRef(x.Ref(), extensions); err == nil && f.misleads(&e) != nil {
			lost.instead[e.Cookie], lost.placed[i] = i, true
		}
		return true
	})
}

// folderStrays are those of one of many damaged folders.
type folderStrays struct {
	dir    Ref
	listed listed // while they are looked for
	sum    uint64 // of listed
	list   []stray
	err    error // there are more
}

// findAllStrays looks for the names that the folders of the volume have lost, by their
// records. A folder is left out when the folders before it have too much
// in their indexes. The error says that file records could not be read.
func (v *Volume) findAllStrays() (map[uint64]*folderStrays, error) {
	b := v.newBalance()
	if err := b.strike(context.Background()); err != nil {
		return nil, err
	}
	all, room := map[uint64]*folderStrays{}, maxListed
	err := v.Scan(context.Background(), 0, func(n uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() || !rec.IsDir() || rec.Base() != 0 || b.indexes.spent || len(all) >= maxDamaged {
			return nil
		}
		if *b.of(rec.Ref()) == 0 && !b.damaged[n] {
			return nil
		}
		f, err := v.fileOf(rec, b.extensions)
		if err != nil || f.cut {
			return nil
		}
		d, err := f.Dir()
		if err != nil {
			return nil
		}
		b.indexes.take(d.x.cost())
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
