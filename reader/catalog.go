package reader

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vitrine/index"
)

// catalog is what the names of the files in some folders promise. Only files
// whose names are not [FileName]'s are opened to make one. A name is a hint: what
// is taken by it is proved by its header, and everything is read where the two
// disagree.
type catalog struct {
	ctx   context.Context
	h     *handles
	files map[index.ImageID]map[uint32][]string // set, number: paths
	done  map[index.ImageID]bool                // sets with a file that is not named unfinished
}

// errNames says that the names do not tell the truth, or not all of it.
var errNames = errors.New("the names do not answer")

// readCatalog lists the members in folders. A folder that is not there holds none.
func readCatalog(ctx context.Context, h *handles, dirs ...string) (*catalog, error) {
	c := &catalog{ctx: ctx, h: h, files: map[index.ImageID]map[uint32][]string{}, done: map[index.ImageID]bool{}}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && len(entries) == 0 {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, err
		}
		for _, e := range entries {
			if looksLikeMember(e.Name()) && isFile(e) {
				c.enter(filepath.Join(dir, e.Name()))
			}
		}
	}
	return c, ctx.Err()
}

// enter adds a file by its name, or by its header if the name is another.
func (c *catalog) enter(path string) {
	set, number, _, ok := index.ParseName(path)
	if !ok {
		h, err := readHead(c.h, path)
		if err != nil {
			return // no member, or none that anything is known of
		}
		set, number = h.Set, h.Number
	}
	if c.files[set] == nil {
		c.files[set] = map[uint32][]string{}
	}
	c.files[set][number] = append(c.files[set][number], path)
	c.done[set] = c.done[set] || !strings.HasSuffix(path, index.UnfinishedSuffix)
}

// only gives the one set that is here; leftovers of captures that did not
// finish do not count.
func (c *catalog) only() (id index.ImageID, ok bool) {
	n := 0
	for set, done := range c.done {
		if done {
			id, n = set, n+1
		}
	}
	return id, n == 1
}

// choose finds a point of a set. It opens no file but those of that point and of
// newer ones that turn out not to be it. errNames: only all headers can tell.
func (c *catalog) choose(set index.ImageID, image, point string) (string, error) {
	ch, err := newChooser(image, point)
	if err != nil {
		return "", err
	}
	numbers := c.numbers(set)
	later := c.later(set, numbers, ch.want)
	for _, n := range numbers {
		switch {
		case !ch.want.number(n):
			continue
		case later[n] != nil:
			ch.feed(later[n])
			continue
		}
		members, err := c.members(set, n)
		if err != nil {
			return "", err
		}
		if ch.feedAll(members) {
			return ch.result()
		}
	}
	if ch.broken != nil {
		return ch.result()
	}
	return "", errNames
}

// numbers are the members' numbers, the newest first.
func (c *catalog) numbers(set index.ImageID) []uint32 {
	var list []uint32
	for n := range c.files[set] {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b uint32) int { return cmp.Compare(b, a) })
	return list
}

// later gives the members that are known, without opening them, to be of after
// the time that is asked for: the newest one's end tells of its ancestors.
func (c *catalog) later(set index.ImageID, numbers []uint32, want wanted) map[uint32]*Member {
	later := map[uint32]*Member{}
	if !want.isTime() {
		return later
	}
	for _, n := range numbers {
		members, err := c.members(set, n)
		if err != nil || len(members) != 1 || !members[0].Usable() {
			continue
		}
		for _, a := range c.ancestors(&members[0]) {
			if a.Time().After(want.notAfter) && len(c.files[set][a.Number]) == 1 {
				later[a.Number] = &Member{Header: index.Header{Number: a.Number, Created: a.Created}, Finished: true}
			}
		}
		break
	}
	return later
}

// ancestors are the rows of a finished member's table, none if it is damaged.
func (c *catalog) ancestors(m *Member) (list []index.MemberEntry) {
	last := m.Parts[len(m.Parts)-1]
	c.h.use(last, func(f file) error {
		size, err := f.Size()
		if err != nil {
			return err
		}
		t, err := index.ReadTail(f, size)
		if err == nil {
			list = t.Members
		}
		return err
	})
	return list
}

// members reads the headers and footers of the files that are named like member n,
// and gives what they are, by time.
func (c *catalog) members(set index.ImageID, n uint32) ([]Member, error) {
	var heads []*head
	l := setLister{h: c.h, sets: map[index.ImageID]*Set{}}
	for _, path := range c.files[set][n] {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		h, err := readHead(c.h, path)
		switch {
		case err != nil:
			l.add(badMember(path, err))
		case h.Set != set || h.Number != n:
			return nil, errNames
		default:
			heads = append(heads, h)
		}
	}
	for _, parts := range byUID(heads) {
		if parts[0].Part != 0 {
			return nil, errNames // its first part has another name
		}
		l.add(l.member(parts))
	}
	for _, s := range l.list() {
		if s.ID == set {
			return s.Members, nil
		}
	}
	return nil, errNames
}
