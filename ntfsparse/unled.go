package ntfsparse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
)

// LookupLost finds a name that the folder does not list, or not any more: it
// looks at all file records for one that says to be in this folder, and compares
// names as [Dir.LookupFold] does.
func (d *Dir) LookupLost(ctx context.Context, name string) (DirEntry, error) {
	units, compare := EncodeName(name), d.x.v.upcase.CompareFold
	if d.fold {
		compare = d.x.v.upcase.Compare
	}
	var e DirEntry
	found := errors.New("found")
	err := d.x.v.eachName(ctx, func(s stray, parent Ref) error {
		n, _ := ParseFileName(s.name)
		if !d.isParent(parent) || compare(units, n.Units) != 0 || e.Ref != 0 && !bytes.Equal(units, n.Units) {
			return nil
		}
		n.Units = bytes.Clone(n.Units)
		if e = (DirEntry{FileName: n, Ref: s.ref}); bytes.Equal(units, n.Units) {
			return found
		}
		return nil
	})
	switch {
	case err != nil && err != found:
		return DirEntry{}, err
	case e.Ref == 0:
		return e, notFound(name)
	}
	return e, nil
}

// WalkLost visits what listing all folders, from the root on, does not show though it
// exists: as names of the root the folders "$Orphan-N", see [Volume.Walk], and then
// each name of the user's files that is not in the index of its folder, or stands
// there for another file. Folders in which a listing met damage are left out: it
// shows what they have lost. The entry is valid until visit returns, whose first
// error ends the walk.
func (v *Volume) WalkLost(ctx context.Context, visit func(dir Ref, e *DirEntry) error) error {
	orphans, err := v.orphans(ctx)
	if err != nil {
		return err
	}
	for i := range orphans {
		if err := visit(MakeRef(RecordRoot, 0), &orphans[i]); err != nil {
			return err
		}
	}
	ledBy := leaders{v: v}
	return v.eachName(ctx, func(s stray, parent Ref) error {
		if s.ref.Record() < FirstUser || parent.Record() < FirstUser && parent.Record() != RecordRoot || s.ref.Record() == parent.Record() {
			return nil
		}
		n, _ := ParseFileName(s.name)
		if ledBy.folder(parent).leadsTo(n.Units, s.ref) {
			return nil
		}
		return visit(parent, &DirEntry{FileName: n, Ref: s.ref})
	})
}

// orphans are the folders "$Orphan-N" that a walk visits, as the root's Lookup
// finds them.
func (v *Volume) orphans(ctx context.Context) (list []DirEntry, err error) {
	var names []string
	err = v.Walk(ctx, func(e *WalkEntry) error {
		if e.Info.Ref.Record()&orphanBit != 0 {
			names = append(names, e.Path[1:])
		}
		return nil
	})
	root, rerr := v.Root()
	if err = cmp.Or(err, rerr); err != nil || len(names) == 0 {
		return nil, err
	}
	d, err := root.Dir()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if e, err := d.Lookup(name); err == nil {
			list = append(list, e)
		}
	}
	return list, nil
}

// leaders holds the folders last asked about.
type leaders struct {
	v     *Volume
	slots [256]leader
}

// leader is a folder that is asked for its names. A damaged one leads to everything,
// as its listing looks for what is in it.
type leader struct {
	ref Ref
	dir *Dir // nil: it is damaged, or no folder
}

func (l *leaders) folder(ref Ref) *leader {
	s := &l.slots[ref.Record()%uint64(len(l.slots))]
	if s.ref == ref {
		return s
	}
	*s = leader{ref: ref}
	open := func() (*File, error) { return l.v.FileRef(ref) }
	if ref.Record() == RecordRoot {
		open = l.v.Root // whatever the sequence number
	}
	f, err := open()
	if err != nil || f.ghost {
		return s
	}
	l.v.mu.Lock()
	listed := l.v.damaged[ref.Record()]
	l.v.mu.Unlock()
	if d, err := f.Dir(); err == nil && d.broken == nil && listed == nil {
		s.dir = d
	}
	return s
}

func (l *leader) leadsTo(units []byte, ref Ref) bool {
	if l.dir == nil {
		return true
	}
	e, ok, err := l.dir.findEntry(units, l.dir.x.v.upcase.Compare)
	if err != nil || !ok && l.dir.disordered(units) {
		l.dir = nil
		return true
	}
	if !ok || e.Ref().Record() != ref.Record() {
		return false
	}
	found := l.dir.entry(e)
	_, err = l.dir.x.v.Follow(&found) // of an old sequence number a folder may be left
	return err == nil
}
