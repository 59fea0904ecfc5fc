package ntfsparse

import (
	"bytes"
	"context"
	"errors"
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

// errEnough ends a scan.
var errEnough = errors.New("enough")

// readStrays yields the names of the folder's files that its index has lost.
func (d *Dir) readStrays(after uint64, yield func(DirEntry, error) bool) {
	first := 0
	if after >= strayCookie {
		first = int(after-strayCookie) + 1
	}
	list := d.strays()
	for i := min(first, len(list)); i < len(list); i++ {
		n, _ := ParseFileName(list[i].name)
		if !yield(DirEntry{n, list[i].ref, strayCookie + uint64(i)}, nil) {
			return
		}
	}
}

// noteDamage remembers that the folder has lost names: a listing may go on
// behind the damage another time.
func (d *Dir) noteDamage() {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.strays == nil {
		v.strays = map[uint64]*lazy[[]stray]{}
	}
	if v.strays[no] == nil && len(v.strays) < maxStrayFolders {
		v.strays[no] = new(lazy[[]stray])
	}
}

// strays are those of a folder whose damage is noted.
func (d *Dir) strays() []stray {
	v := d.x.v
	v.mu.Lock()
	found := v.strays[d.x.file.Record()]
	v.mu.Unlock()
	if found == nil {
		return nil
	}
	list, _ := found.get(func() ([]stray, error) { return d.findStrays(), nil })
	return list
}

// findStrays goes through the whole MFT.
func (d *Dir) findStrays() (list []stray) {
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
			return nil
		}
		slices.Sort(listed)
	}
	v, bytesHeld := d.x.v, 0
	v.Scan(context.Background(), 0, func(_ uint64, rec *Record, err error) error {
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
			if err != nil || n.Parent != d.x.file || n.Space == NameDOS || ref.Record() == d.x.file.Record() {
				continue
			}
			if _, ok := slices.BinarySearch(listed, key(ref, n.Units)); ok {
				continue
			}
			if bytesHeld += 64 + len(a.Value()); bytesHeld > maxStrayBytes/maxStrayFolders {
				return errEnough
			}
			list = append(list, stray{ref, bytes.Clone(a.Value())})
		}
		return nil
	})
	return slices.DeleteFunc(list, func(s stray) bool {
		_, err := v.FileRef(s.ref) // an extension record may belong to nothing
		return err != nil
	})
}
