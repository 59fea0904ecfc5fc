package ntfsparse

import (
	"cmp"
	"errors"
	"hash/maphash"
	"slices"
)

// nameTable has the names that a listing of a damaged folder gives, sorted by the
// hash of their upper case and then in the order of the list.
type nameTable []tableName

type tableName struct{ hash, cookie uint64 }

// foldHash is the same for names that differ in case alone.
func (t *UpCase) foldHash(units []byte) uint64 {
	var b [510]byte
	n := min(len(units), len(b)) &^ 1
	for i := 0; i < n; i += 2 {
		le.PutUint16(b[i:], t[le.Uint16(units[i:])])
	}
	return maphash.Bytes(listedSeed, b[:n])
}

// findListed looks for a name in the table of a folder whose damage is noted. Where
// there is a table, what it does not have is not to be found; else sure is false.
func (d *Dir) findListed(units []byte, match func(a, b []byte) int) (e DirEntry, ok, sure bool) {
	v := d.x.v
	v.mu.Lock()
	known := v.damaged[d.x.file.Record()]
	v.mu.Unlock()
	if known == nil {
		return e, false, false
	}
	t, err := known.table.get(d.makeTable)
	if err != nil {
		return e, false, false
	}
	hash := v.upcase.foldHash(units)
	i, _ := slices.BinarySearchFunc(t, hash, func(n tableName, hash uint64) int { return cmp.Compare(n.hash, hash) })
	for ; i < len(t) && t[i].hash == hash; i++ {
		if e, ok = d.at(t[i].cookie); ok && match(units, e.Units) == 0 {
			return e, true, true
		}
	}
	return e, false, true
}

// makeTable fails when there are too many names, or the disk did not give all of them.
func (d *Dir) makeTable() (nameTable, error) {
	v := d.x.v
	v.mu.Lock()
	room := maxTableNames - v.tableNames
	v.mu.Unlock()
	var t nameTable
	var unread error
	add := func(e DirEntry, err error) bool {
		switch {
		case err == nil:
			t = append(t, tableName{v.upcase.foldHash(e.Units), e.Cookie})
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported):
			unread = err
		}
		return len(t) <= room && unread == nil
	}
	more := true
	if d.broken == nil {
		more, _ = d.readIndex(0, add)
	}
	if more {
		d.readStrays(0, false, add)
	}
	if unread != nil {
		return nil, unread
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tableNames+len(t) > maxTableNames {
		return nil, classf(ErrUnsupported, d.x.file.Record(), "the folder has too many names for a table")
	}
	v.tableNames += len(t)
	slices.SortFunc(t, func(a, b tableName) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.cookie, b.cookie))
	})
	return slices.Clip(t), nil
}

// at is the entry that a listing gave with a cookie.
func (d *Dir) at(cookie uint64) (DirEntry, bool) {
	if cookie >= strayCookie {
		list, _, _ := d.strays()
		if i := cookie - strayCookie; i < uint64(len(list)) {
			return list[i].entry(cookie), true
		}
		return DirEntry{}, false
	}
	node := d.x.root
	if block := int64(cookie>>16) - 2; block >= 0 {
		var err error
		if node, err = d.x.Block(block); err != nil {
			return DirEntry{}, false
		}
	}
	e, err := node.entry(int(cookie & 0xFFFF))
	if err != nil || e.Last() {
		return DirEntry{}, false
	}
	n, err := ParseFileName(e.Key())
	return DirEntry{FileName: n, Ref: e.Ref(), Cookie: cookie}, err == nil
}
