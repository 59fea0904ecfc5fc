package ntfsparse

import (
	"bytes"
	"context"
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

// damagedFolder is what is known of a folder whose list of names is damaged.
type damagedFolder struct {
	lazy[[]stray]
	damage  error
	counted bool // among those that are looked through the MFT for
	refused bool // its strays are not looked for
}

// readStrays yields the names of the folder's files that its index has lost, from
// one on, and at the end, if asked to, why there are such.
func (d *Dir) readStrays(first int, again bool, yield func(DirEntry, error) bool) {
	list, damage, err := d.strays()
	for i := min(first, len(list)); i < len(list); i++ {
		n, _ := ParseFileName(list[i].name)
		if !yield(DirEntry{FileName: n, Ref: list[i].ref, Cookie: strayCookie + uint64(i)}, nil) {
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
// behind the damage another time. It fails when there are too many such folders.
func (d *Dir) noteDamage(damage error) error {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	known := v.damaged[no]
	if known == nil && len(v.damaged) < maxDamaged {
		if v.damaged == nil {
			v.damaged = map[uint64]*damagedFolder{}
		}
		known = &damagedFolder{damage: damage, refused: !d.ghost && v.strayed >= maxStrayFolders}
		if known.counted = !known.refused && !d.ghost; known.counted {
			v.strayed++
		}
		v.damaged[no] = known
	}
	v.mu.Unlock()
	if known != nil && !known.refused {
		return nil
	}
	v.note("More than %d folders are damaged; the names that the others have lost are not looked for.", maxStrayFolders)
	return classf(ErrUnsupported, no, "names that the folder has lost are not looked for, as in %d folders before", maxStrayFolders)
}

// sound tells whether all of the folder's index can be read, where damage was
// noted before.
func (d *Dir) sound() bool {
	v := d.x.v
	v.mu.Lock()
	known := v.damaged[d.x.file.Record()]
	v.mu.Unlock()
	sound := true
	if known != nil {
		d.x.Scan(-1, func(_ int64, e IndexEntry, err error) bool {
			if err == nil {
				_, err = ParseFileName(e.Key())
			}
			sound = err == nil
			return sound
		})
	}
	return sound
}

// forgetDamage is told when the folder could be read whole: where there was damage,
// it was one of reading, not of the disk.
func (d *Dir) forgetDamage() {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	known := v.damaged[no]
	delete(v.damaged, no)
	v.mu.Unlock()
	if known == nil || !known.counted {
		return
	}
	list, _ := known.get(func() ([]stray, error) { return nil, nil })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.strayed--
	for _, s := range list {
		v.strayBytes -= strayCost + len(s.name)
	}
}

// strays are those of a folder whose damage is noted, with the damage. The error
// says that there may be more of them.
func (d *Dir) strays() (list []stray, damage, err error) {
	v := d.x.v
	v.mu.Lock()
	known := v.damaged[d.x.file.Record()]
	v.mu.Unlock()
	switch {
	case known == nil:
		return nil, nil, nil
	case known.refused:
		return nil, known.damage, nil
	case d.ghost:
		list, err = known.get(d.lostHere)
	default:
		list, err = known.get(d.findStrays)
	}
	return list, known.damage, err
}

// lostHere are the names in a folder without a record of its own.
func (d *Dir) lostHere() ([]stray, error) {
	lost, err := d.x.v.lostNames()
	list := lost[d.x.file.Record()&^orphanBit]
	if d.x.file.Seq() != 0 && d.x.file.Record() != RecordRoot {
		list = slices.DeleteFunc(slices.Clone(list), func(s stray) bool { return !d.isParent(s.parent()) })
	}
	return list, err
}

// lostNames are the names in folders that do not exist, have no path or whose record
// is damaged, by the number of that record.
func (v *Volume) lostNames() (map[uint64][]stray, error) {
	return v.lost.get(v.findLostNames)
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
	err := v.eachName(context.Background(), func(s stray, parent Ref) error {
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
		if !v.takeStray(strayCost + len(s.name)) {
			v.note("Damaged folders have lost more names than can be looked for.")
			return classf(ErrUnsupported, parent.Record(), "damaged folders have lost more names than can be looked for")
		}
		n := orphanNumber(parent)
		names[n] = append(names[n], stray{s.ref, bytes.Clone(s.name)})
		return nil
	})
	return names, err
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
// until it returns; an error of do ends the walk.
func (v *Volume) eachName(ctx context.Context, do func(s stray, parent Ref) error) error {
	return v.Scan(ctx, 0, func(_ uint64, rec *Record, err error) error {
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
				if _, err := v.FileRef(ref); err != nil || ref.Record() >= v.records {
					return nil
				}
				alive = true
			}
			if err := do(stray{ref, a.Value()}, n.Parent); err != nil {
				return err
			}
		}
		return nil
	})
}

// listed holds names with their files, as sorted hashes.
type listed []uint64

var listedSeed = maphash.MakeSeed()

func listedHash(ref Ref, units []byte) uint64 { return maphash.Bytes(listedSeed, units) ^ uint64(ref) }

func (l listed) has(ref Ref, units []byte) bool {
	_, ok := slices.BinarySearch(l, listedHash(ref, units))
	return ok
}

// listed are the names in the folder's index, in whatever order; false if there are
// more than most.
func (d *Dir) listed(most int) (list listed, ok bool) {
	if d.broken != nil {
		return nil, true
	}
	d.x.Scan(-1, func(_ int64, e IndexEntry, err error) bool {
		if err == nil {
			if n, err := ParseFileName(e.Key()); err == nil {
				list = append(list, listedHash(e.Ref(), n.Units))
			}
		}
		return len(list) <= most
	})
	slices.Sort(list)
	return list, len(list) <= most
}

// findStrays looks for the names that a folder's index has lost.
func (d *Dir) findStrays() ([]stray, error) {
	listed, ok := d.listed(maxListed)
	if !ok {
		return nil, d.tooMany()
	}
	var list []stray
	err := d.x.v.eachName(context.Background(), func(s stray, parent Ref) error {
		if !d.isParent(parent) || s.ref.Record() == parent.Record() {
			return nil
		}
		if n, _ := ParseFileName(s.name); listed.has(s.ref, n.Units) {
			return nil
		}
		if !d.x.v.takeStray(strayCost + len(s.name)) {
			return d.tooMany()
		}
		list = append(list, stray{s.ref, bytes.Clone(s.name)})
		return nil
	})
	return list, err
}

// isParent tells whether a file's name says that it is in this folder.
func (d *Dir) isParent(ref Ref) bool {
	return ref.Record() == d.x.file.Record() && (ref.Seq() == 0 || ref.Seq() == d.x.file.Seq() || ref.Record() == RecordRoot)
}

// takeStray counts what is held of strays.
func (v *Volume) takeStray(n int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.strayBytes+n > maxStrayBytes {
		return false
	}
	v.strayBytes += n
	return true
}

func (d *Dir) tooMany() error {
	v, no := d.x.v, d.x.file.Record()
	v.note("The damaged folder of record %d has lost more names than can be looked for.", no)
	return classf(ErrUnsupported, no, "the folder has lost more names than can be looked for")
}
