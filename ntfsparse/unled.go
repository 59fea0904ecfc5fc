package ntfsparse

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
)

// LookupLost finds the file that [Volume.Walk] visits under a path, whether folders lead
// to it or not; it takes as long as a walk. Names are compared
// without regard to case where none is spelled like that and no folder distinguishes them,
// and of several files one that
// is not damaged is found; spelled is the path as the volume has it. What has no record
// of its own is not found.
func (v *Volume) LookupLost(ctx context.Context, path string) (ref Ref, spelled string, err error) {
	const sound, exact = 1, 2
	units, best := EncodeName(path), -1
	found := errors.New("found")
	err = v.Walk(ctx, func(e *WalkEntry) error {
		fit := 0
		if e.Path == path {
			fit |= exact
		}
		if e.Err == nil {
			fit |= sound
		}
		switch {
		case fit <= best || fit&exact == 0 && (v.upcase.CompareFold(units, EncodeName(e.Path)) != 0 || v.distinguishes(path, e.Path)):
			return nil
		case fit&sound == 0 && !v.hasRecord(e.Info.Ref):
			return nil
		}
		if ref, spelled, best = e.Info.Ref, e.Path, fit; fit == exact|sound {
			return found
		}
		return nil
	})
	switch {
	case err != nil && err != found:
		return 0, "", err
	case best < 0:
		return 0, "", notFound(path)
	}
	return ref, spelled, nil
}

// distinguishes tells whether names in two paths differ, be it in case alone, and are in
// a folder that is sensitive to case.
func (v *Volume) distinguishes(path, other string) bool {
	a, b := strings.Split(path, "/"), strings.Split(other, "/")
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		f, err := v.Lookup(strings.Join(b[:i], "/"))
		if err != nil {
			continue
		}
		if d, err := f.Dir(); err == nil && d.CaseSensitive() {
			return true
		}
	}
	return false
}

// hasRecord tells whether ref leads to a file that has a record of its own.
func (v *Volume) hasRecord(ref Ref) bool {
	f, err := v.FileRef(ref)
	return err == nil && !f.ghost
}

// WalkLost visits what listing all folders, from the root on, does not show though it
// exists: as names of the root the folders "$Orphan-N", see [Volume.Walk], and then
// each name of the user's files that is not in the index of its folder, or stands
// there for another file. Folders in which a listing met damage are left out as far as
// it shows what they have lost. The entry is valid until visit returns, whose first
// error ends the walk.
// The error may also be, at the end, that not all could be found.
func (v *Volume) WalkLost(ctx context.Context, visit func(dir Ref, e *DirEntry) error) error {
	orphans, more := v.orphans(ctx)
	if more != nil && !errors.Is(more, ErrUnsupported) {
		return more
	}
	for i := range orphans {
		if err := visit(MakeRef(RecordRoot, 0), &orphans[i]); err != nil {
			return err
		}
	}
	b := v.newBalance()
	if err := b.strike(ctx); err != nil || b.even() {
		return cmp.Or(err, more, v.lostParts(b.extensions))
	}
	ledBy := leaders{v: v, unsorted: map[Ref]listed{}, room: maxListed}
	_, err := v.eachName(ctx, func(s stray, parent Ref) error {
		if *b.of(parent) == 0 || s.ref.Record() < FirstUser || parent.Record() < FirstUser && parent.Record() != RecordRoot || s.ref.Record() == parent.Record() {
			return nil
		}
		n, _ := ParseFileName(s.name)
		if ledBy.leadTo(parent, n.Units, s.ref) {
			return nil
		}
		return visit(ledBy.folder(parent).place, &DirEntry{FileName: n, Ref: s.ref})
	})
	return cmp.Or(err, ledBy.missed, more, v.lostParts(b.extensions))
}

// orphans are the folders "$Orphan-N" that a walk visits.
func (v *Volume) orphans(ctx context.Context) (list []DirEntry, err error) {
	err = v.Walk(ctx, func(e *WalkEntry) error {
		if e.Info.Ref.Record()&orphanBit != 0 {
			name := FileName{Parent: MakeRef(RecordRoot, 0), Attributes: nameIsDir, Units: EncodeName(e.Path[1:])}
			list = append(list, DirEntry{FileName: name, Ref: e.Info.Ref, orphan: true})
		}
		return nil
	})
	for i := range list {
		if ref, ok := v.orphan(list[i].Name()); ok {
			list[i].Ref = ref
		}
	}
	return list, err
}

// balance finds out at little cost that nothing is lost: the sum of all names that
// say to be in a folder, as hashes with their files, less those in its index, is 0. DOS
// names beside others do not count.
type balance struct {
	v    *Volume
	seed maphash.Seed
	sums [1 << 15]uint64 // by record of the folder, modulo

	damaged    map[uint64]bool // folders whose index is
	indexes    *budget         // that are gone through
	extensions *budget
}

func (b *balance) of(dir Ref) *uint64 { return &b.sums[dir.Record()%uint64(len(b.sums))] }

func (b *balance) even() bool {
	return !slices.ContainsFunc(b.sums[:], func(sum uint64) bool { return sum != 0 })
}

func (b *balance) hash(dir, ref Ref, units []byte) uint64 {
	var key [16 + 510]byte
	le.PutUint64(key[:], dir.Record())
	le.PutUint64(key[8:], uint64(ref))
	return maphash.Bytes(b.seed, key[:16+copy(key[16:], units)])
}

// newBalance has nothing in it yet.
func (v *Volume) newBalance() *balance {
	return &balance{v: v, seed: maphash.MakeSeed(), damaged: map[uint64]bool{}, indexes: v.indexBudget(), extensions: v.extensionBudget()}
}

// strike goes through all records and all indexes.
func (b *balance) strike(ctx context.Context) error {
	return b.v.Scan(ctx, 0, func(_ uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() {
			return nil
		}
		ref := cmp.Or(rec.Base(), rec.Ref())
		for a, err := range rec.Attrs() {
			if err != nil || a.Type() != TypeFileName || !a.sane() {
				continue
			}
			if n, err := ParseFileName(a.Value()); err == nil && (n.Space != NameDOS || !b.v.isShort(rec, &n, b.extensions)) {
				*b.of(n.Parent) += b.hash(n.Parent, ref, n.Units)
			}
		}
		if rec.IsDir() && rec.Base() == 0 && !b.indexes.spent {
			b.index(rec)
		}
		return nil
	})
}

func (b *balance) index(rec *Record) {
	f, err := b.v.fileOf(rec, b.extensions)
	if err != nil {
		return
	}
	d, err := f.Dir()
	if err != nil {
		return
	}
	b.indexes.take(d.x.cost())
	var all pairs
	bad := d.broken != nil
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if bad = bad || err != nil; err == nil {
			all.add(&n, e.Ref())
		}
		if err == nil && n.Space != NameDOS {
			*b.of(f.Ref()) -= b.hash(f.Ref(), e.Ref(), n.Units)
		}
		return true
	})
	if (bad || all.sum != 0) && len(b.damaged) < maxDamaged {
		b.damaged[rec.N] = true
	}
}

// leaders holds the folders last asked about.
type leaders struct {
	v        *Volume
	slots    [256]leader
	unsorted map[Ref]listed // names of folders that cannot be searched as trees
	room     int            // for more of these
	missed   error          // there was not enough
}

// leader is a folder that is asked for its names.
type leader struct {
	ref     Ref
	place   Ref  // of the folder in which its files are: itself, or "$Orphan-N"
	dir     *Dir // nil: it leads to all that says to be in it
	damaged bool // and a listing met it, so that it leads to what that found
}

func (l *leaders) folder(ref Ref) *leader {
	s := &l.slots[ref.Record()%uint64(len(l.slots))]
	if s.ref == ref {
		return s
	}
	*s = leader{ref: ref, place: ref}
	open := func() (*File, error) { return l.v.FileRef(ref) }
	if ref.Record() == RecordRoot {
		open = l.v.Root // whatever the sequence number
	}
	f, err := open()
	if err != nil || f.ghost {
		if _, full := l.v.lostNames(); full != nil {
			no := orphanNumber(ref)
			s.dir, s.damaged = &Dir{x: l.v.noIndex(MakeRef(no, 0)), broken: full, ghost: true}, true
			if err != nil {
				s.place = MakeRef(no|orphanBit, 0)
			}
		}
		return s
	}
	l.v.mu.Lock()
	s.damaged = l.v.damaged[ref.Record()] != nil || len(l.v.damaged) >= maxDamaged
	l.v.mu.Unlock()
	if d, err := f.Dir(); err == nil && (s.damaged || d.broken == nil) {
		s.dir = d
	}
	return s
}

// leadTo tells whether a listing of folder dir leads to a file by a name. One that has
// not met the damage of the folder yet will look for what is lost.
func (l *leaders) leadTo(dir Ref, units []byte, ref Ref) bool {
	f := l.folder(dir)
	d := f.dir
	switch {
	case d == nil:
		return true
	case f.damaged:
		return l.listed(dir, d, units, ref)
	}
	e, ok, err := d.findEntry(units, d.x.v.upcase.Compare)
	if err != nil || ok && (d.foreign(e) != nil || e.Key()[0x41] == NameDOS) {
		return true
	}
	if ok {
		if now, sound := l.v.exists(e.Ref()); sound && now == ref {
			return true
		}
		found := d.entry(e)
		if f, err := l.v.Follow(&found); err == nil && f.Ref() == ref {
			return true
		}
	}
	return d.disordered(units) && l.listed(dir, d, units, ref)
}

// listed tells whether a name is anywhere in the index of a folder, or among those
// that a listing found besides.
func (l *leaders) listed(dir Ref, d *Dir, units []byte, ref Ref) bool {
	list, known := l.unsorted[dir]
	if !known && l.room > 0 {
		if list, known = d.listed(l.room); known {
			var strays []stray
			if d.ghost {
				strays, _ = d.lostHere()
			} else {
				lost, _, _ := d.strays()
				strays = lost.list
			}
			for i := range strays {
				n, _ := ParseFileName(strays[i].name)
				list = append(list, listedHash(strays[i].ref, n.Units))
			}
			slices.Sort(list)
			l.unsorted[dir] = list
		}
		l.room -= len(list) + 1
	}
	if !known {
		l.missed = classf(ErrUnsupported, dir.Record(), "damaged folders have more names than are compared with those of files")
	}
	return !known || list.has(ref, units)
}
