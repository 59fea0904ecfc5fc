package reader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"vitrine/index"
)

// head is what the first page of a file says.
type head struct {
	*index.Header
	path   string
	size   int64
	rotten error // the header is damaged; other places told what is here
}

// readHead reads a file's header, or what other places say in its stead.
func readHead(h *handles, path string) (*head, error) { return readHeadOf(h, path, true) }

// readHeadOf reads a file's header. A file that does not begin like a member
// is looked at further only if likely.
func readHeadOf(h *handles, path string, likely bool) (*head, error) {
	hd := &head{path: path}
	err := h.use(path, func(f file) (err error) {
		if hd.size, err = f.Size(); err != nil {
			return err
		}
		hd.Header, err = index.ReadHeader(f)
		if errors.Is(err, index.ErrNotMember) && !likely {
			return err
		}
		if _, ok := errors.AsType[*index.FormatError](err); ok {
			hd.rotten = err
			hd.Header, err = recoverHeader(f, hd.size)
		}
		return err
	})
	if err != nil {
		return nil, pathError(path, err)
	}
	return hd, nil
}

// recoverHeader finds what a damaged header said: at the end of a finished
// member, in the plan of any other.
func recoverHeader(f file, size int64) (*index.Header, error) {
	h, err := index.RecoverHeader(f, size)
	if err == nil {
		return h, nil
	}
	if h, e := index.PlannedHeader(f, size); e == nil {
		return h, nil
	}
	return nil, err
}

// end is the address behind the file's last byte.
func (h *head) end() int64 {
	if h.Part == 0 {
		return h.size
	}
	return h.PartStart + max(h.size-index.HeaderSize, 0)
}

// Member is one member of a set, as its files' headers describe it.
type Member struct {
	index.Header          // of the first part, or told by the end; zero but for Set and Number if it is unreadable
	Path         string   // of the first part
	Parts        []string // all parts in order, Path the first
	Size         int64    // bytes of all parts
	Finished     bool     // the last part ends with a footer
	Root         index.Hash
	Err          error // why it cannot be opened: unreadable header, missing part
}

// Set is an image set in a folder.
type Set struct {
	ID      index.ImageID // zero: files that cannot be told to belong to any
	Prefix  string        // in front of the ID in the newest member's name
	Dir     string
	Members []Member // by number
}

// ScanDir lists the image sets of a folder. It reads nothing but the headers
// and footers of files with ".vtr" in their name. Files that are damaged are
// listed with an error.
func ScanDir(ctx context.Context, dir string) ([]*Set, error) {
	h := newHandles(openFile)
	defer h.close()
	return scanSets(ctx, h, dir)
}

func scanSets(ctx context.Context, h *handles, dir string) ([]*Set, error) {
	heads, bad, err := scanHeads(ctx, h, dir, looksLikeMember)
	if err != nil {
		return nil, err
	}
	s := setLister{h: h, dir: dir, sets: map[index.ImageID]*Set{}}
	for _, parts := range byUID(heads) {
		s.add(s.member(parts))
	}
	for _, m := range bad {
		s.add(m)
	}
	return s.list(), ctx.Err()
}

// scanHeads reads the headers of the files of a folder whose names are
// accepted. bad are those that have none that can be read; files that are no
// members at all are left out.
func scanHeads(ctx context.Context, h *handles, dir string, accept func(name string) bool) (heads []*head, bad []Member, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && len(entries) == 0 {
		return nil, nil, err
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if !accept(e.Name()) || !isFile(e) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		hd, err := readHeadOf(h, path, looksLikeMember(e.Name()))
		switch {
		case err == nil:
			heads = append(heads, hd)
		case !errors.Is(err, index.ErrNotMember) || looksLikeMember(e.Name()):
			bad = append(bad, badMember(path, err))
		}
	}
	return heads, bad, nil
}

// byName calls a file damaged that has nothing of a member but the name.
func byName(path string, err error) error {
	if _, _, _, ok := index.ParseName(path); !ok || !errors.Is(err, index.ErrNotMember) {
		return err
	}
	return pathError(path, &index.FormatError{What: "header", Off: 0, Msg: "neither it nor the end of the file can be read", Err: index.ErrCorrupt})
}

// isFile says whether an entry of a folder may be opened: opening a pipe waits.
func isFile(e os.DirEntry) bool {
	return !e.IsDir() && e.Type()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) == 0
}

// badMember is a file that looks like a member and cannot be opened as one.
func badMember(path string, err error) Member {
	m := Member{Path: path, Parts: []string{path}, Err: byName(path, err)}
	if st, err := os.Lstat(path); err == nil {
		m.Size = st.Size()
	}
	m.Set, m.Number, _ = setOf(path)
	return m
}

// byUID groups the files of each member, parts in order. Of two copies of a
// part the longer one is kept.
func byUID(heads []*head) [][]*head {
	groups := map[index.UID][]*head{}
	for _, hd := range heads {
		groups[hd.UID] = append(groups[hd.UID], hd)
	}
	list := make([][]*head, 0, len(groups))
	for _, g := range groups {
		list = append(list, sortParts(g))
	}
	return list
}

func sortParts(g []*head) []*head {
	sort.Slice(g, func(i, j int) bool {
		a, b := g[i], g[j]
		if a.Part != b.Part {
			return a.Part < b.Part
		}
		if a.size != b.size {
			return a.size > b.size
		}
		if (a.rotten == nil) != (b.rotten == nil) {
			return a.rotten == nil
		}
		return a.path < b.path
	})
	uniq := g[:1]
	for _, hd := range g[1:] {
		if hd.Part != uniq[len(uniq)-1].Part {
			uniq = append(uniq, hd)
		}
	}
	return uniq
}

type setLister struct {
	h    *handles
	dir  string
	sets map[index.ImageID]*Set
}

// member describes a member by its parts.
func (s *setLister) member(parts []*head) Member {
	m := Member{Header: *parts[0].Header, Path: parts[0].path}
	for i, p := range parts {
		m.Parts, m.Size = append(m.Parts, p.path), m.Size+p.size
		if int(p.Part) != i && m.Err == nil {
			m.Err = missing(p.Header, prefixOf(p.path, p.Set), i, s.dir)
		}
	}
	last := parts[len(parts)-1]
	err := s.h.use(last.path, func(f file) error {
		ft, err := index.ReadFooter(last.Header, f, last.size)
		if err == nil {
			m.Finished, m.Root = true, ft.Root
		}
		return err
	})
	if err != nil && m.Err == nil && !errors.Is(err, index.ErrUnfinished) {
		m.Err = pathError(last.path, err)
	}
	return m
}

// missing is the error for a part that is not there, by another part's header.
func missing(h *index.Header, prefix string, part int, dirs ...string) *MissingError {
	return &MissingError{Set: h.Set, Number: h.Number, UID: h.UID, Created: time.Unix(0, h.Created), Part: part,
		Name: FileName(prefix, h.Set, h.Number, part), Dirs: dirs}
}

func (s *setLister) add(m Member) {
	set := s.sets[m.Set]
	if set == nil {
		set = &Set{ID: m.Set, Dir: s.dir}
		s.sets[m.Set] = set
	}
	set.Members = append(set.Members, m)
}

// list gives the sets by ID, their members by number, then time.
func (s *setLister) list() []*Set {
	var list []*Set
	for _, set := range s.sets {
		slices.SortFunc(set.Members, func(a, b Member) int { return a.compare(&b) })
		set.Prefix = prefixOf(set.Members[len(set.Members)-1].Path, set.ID)
		list = append(list, set)
	}
	sort.Slice(list, func(i, j int) bool { return string(list[i].ID[:]) < string(list[j].ID[:]) })
	return list
}

// compare orders members by number; of two with the same number (a capture that
// was retried) by time.
func (m *Member) compare(o *Member) int {
	return cmp.Or(cmp.Compare(m.Number, o.Number), cmp.Compare(m.Created, o.Created), cmp.Compare(m.Path, o.Path))
}

// Usable says whether the member is finished and complete.
func (m *Member) Usable() bool { return m.Finished && m.Err == nil }

// Time is when the capture began.
func (m *Member) Time() time.Time { return time.Unix(0, m.Created) }

func (m *Member) String() string { return fmt.Sprintf("member %d (%s)", m.Number, m.Path) }
