package ntfsparse

import (
	"cmp"
	"errors"
	"hash/maphash"
	"iter"
	"slices"
)

// nameTable has names, sorted by a hash of them and then in the order in which they are
// listed.
type nameTable []tableName

type tableName struct{ hash, cookie uint64 }

func (t nameTable) sort() {
	slices.SortFunc(t, func(a, b tableName) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.cookie, b.cookie))
	})
}

// find yields the cookies of a hash.
func (t nameTable) find(hash uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		i, _ := slices.BinarySearchFunc(t, hash, func(n tableName, hash uint64) int { return cmp.Compare(n.hash, hash) })
		for ; i < len(t) && t[i].hash == hash && yield(t[i].cookie); i++ {
		}
	}
}

// folderTable has all names that a listing of a folder gives, by their upper case.
type folderTable struct {
	names nameTable
	lost  *strayList
}

// foldHash is the same for names that differ in case alone.
func (t *UpCase) foldHash(units []byte) uint64 {
	var b [510]byte
	n := min(len(units), len(b)) &^ 1
	for i := 0; i < n; i += 2 {
		le.PutUint16(b[i:], t[le.Uint16(units[i:])])
	}
	return maphash.Bytes(listedSeed, b[:n])
}

// table is the folder's table of names, made or not. Of a folder whose damage is not
// noted there is one if it is wanted all the same.
func (d *Dir) table(wanted bool) *lazy[*folderTable] {
	v, no := d.x.v, d.x.file.Record()
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.damaged[no]; known != nil {
		return &known.table
	}
	t := v.unsorted[no]
	if t == nil && wanted && len(v.unsorted) < maxUnsorted {
		if v.unsorted == nil {
			v.unsorted = map[uint64]*lazy[*folderTable]{}
		}
		t = new(lazy[*folderTable])
		v.unsorted[no] = t
	}
	return t
}

// giveUpTable is told when a table will not be used any more. Who still has it finds
// that it was given up.
func (v *Volume) giveUpTable(t *lazy[*folderTable]) {
	if made, _ := t.get(func() (*folderTable, error) { return nil, nil }); made != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.tableNames -= len(made.names)
	}
}

// findListed looks for a name in the folder's table. Where there is one, what it does not
// have is not to be found; else sure is false. Of a folder whose damage is not noted a
// table is made if it is wanted.
func (d *Dir) findListed(units []byte, match func(a, b []byte) int, wanted bool) (e DirEntry, ok, sure bool) {
	table := d.table(wanted)
	if table == nil {
		return e, false, false
	}
	t, err := table.get(d.makeTable)
	if err != nil || t == nil {
		return e, false, false
	}
	for cookie := range t.names.find(d.x.v.upcase.foldHash(units)) {
		if e, ok = d.at(cookie, t.lost); !ok {
			return e, false, false
		}
		if match(units, e.Units) == 0 {
			return e, true, true
		}
	}
	return DirEntry{}, false, true
}

// makeTable fails when there are too many names, or the disk did not give all of them.
func (d *Dir) makeTable() (*folderTable, error) {
	v := d.x.v
	v.mu.Lock()
	room := maxTableNames - v.tableNames
	v.mu.Unlock()
	t := &folderTable{}
	var unread error
	add := func(e DirEntry, err error) bool {
		switch {
		case err == nil:
			t.names = append(t.names, tableName{v.upcase.foldHash(e.Units), e.Cookie})
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported):
			unread = err
		}
		return len(t.names) <= room && unread == nil
	}
	more := true
	if d.broken == nil {
		more, _, _ = d.readIndex(0, add)
	}
	if more {
		lost, _, err := d.strays()
		if t.lost = lost; err != nil {
			more = add(DirEntry{}, err)
		}
		for i := 0; more && i < len(lost.list); i++ {
			if !lost.placed[i] {
				more = add(lost.list[i].entry(strayCookie+uint64(i)), nil)
			}
		}
	}
	if unread != nil {
		return nil, unread
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !more || v.tableNames+len(t.names) > maxTableNames {
		return nil, classf(ErrUnsupported, d.x.file.Record(), "the folder has too many names for a table")
	}
	v.tableNames += len(t.names)
	t.names.sort()
	t.names = slices.Clip(t.names)
	return t, nil
}

// at is the entry that a listing gave with a cookie.
func (d *Dir) at(cookie uint64, lost *strayList) (DirEntry, bool) {
	if i := cookie - strayCookie; cookie >= strayCookie {
		if i >= uint64(len(lost.list)) {
			return DirEntry{}, false
		}
		return lost.list[i].entry(cookie), true
	}
	if e, ok := lost.standIn(cookie); ok {
		return e, true
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
