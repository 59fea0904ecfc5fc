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

// stray is a name that a damaged folder does not list any more, as the file
// itself has it.
type stray struct {
	ref  Ref
	name []byte // $FILE_NAME
}

// readStrays yields the names of the folder's files that its index has lost.
func (d *Dir) readStrays(after uint64, yield func(DirEntry, error) bool) {
	first := 0
	if after >= strayCookie {
		first = int(after-strayCookie) + 1
	}
	list, err := d.strays()
	for i := min(first, len(list)); i < len(list); i++ {
		n, _ := ParseFileName(list[i].name)
		if !yield(DirEntry{n, list[i].ref, strayCookie + uint64(i)}, nil) {
			return
		}
	}
	if err != nil {
		yield(DirEntry{}, err)
	}
}

// noteDamage remembers that the folder has lost names: a listing may go on
// behind the damage another time. It fails when there are too many such folders.
func (d *Dir) noteDamage() error {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	if v.strays == nil {
		v.strays = map[uint64]*lazy[[]stray]{}
	}
	if v.strays[no] == nil && len(v.strays) < maxStrayFolders {
		v.strays[no] = new(lazy[[]stray])
	}
	noted := v.strays[no] != nil
	v.mu.Unlock()
	if noted {
		return nil
	}
	v.note("More than %d folders are damaged; the names that the others have lost are not looked for.", maxStrayFolders)
	return classf(ErrUnsupported, no, "names that the folder has lost are not looked for, as in %d folders before", maxStrayFolders)
}

// strays are those of a folder whose damage is noted. The error says that there
// may be more of them.
func (d *Dir) strays() ([]stray, error) {
	v := d.x.v
	v.mu.Lock()
	found := v.strays[d.x.file.Record()]
	v.mu.Unlock()
	if found == nil {
		return nil, nil
	}
	return found.get(d.findStrays)
}

// findStrays goes through the whole MFT.
func (d *Dir) findStrays() ([]stray, error) {
	seed := maphash.MakeSeed()
	key := func(ref Ref, units []byte) uint64 { return maphash.Bytes(seed, units) ^ uint64(ref) }
	var listed []uint64
	if d.broken == nil {
		d.x.Scan(-1, func(_ int64, e IndexEntry, err error) bool {
			if err == nil {
				if n, err := ParseFileName(e.Key()); err == nil {
					listed = append(listed, key(e.Ref(), n.Units))
				}
			}
			return len(listed) <= maxListed
		})
		if len(listed) > maxListed {
			return nil, d.tooMany()
		}
		slices.Sort(listed)
	}
	v := d.x.v
	var list []stray
	err := v.Scan(context.Background(), 0, func(_ uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() {
			return nil
		}
		ref := rec.Ref()
		if rec.Base() != 0 {
			ref = rec.Base()
		}
		for a, err := range rec.Attrs() {
			if err != nil || a.Type() != TypeFileName || !a.sane() {
				continue
			}
			n, err := ParseFileName(a.Value())
			if err != nil || !d.holds(n.Parent) || n.Space == NameDOS || ref.Record() == d.x.file.Record() {
				continue
			}
			if _, ok := slices.BinarySearch(listed, key(ref, n.Units)); ok {
				continue
			}
			if !v.takeStray(64 + len(a.Value())) {
				return d.tooMany()
			}
			list = append(list, stray{ref, bytes.Clone(a.Value())})
		}
		return nil
	})
	return slices.DeleteFunc(list, func(s stray) bool {
		_, err := v.FileRef(s.ref) // an extension record may belong to nothing
		return err != nil
	}), err
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
