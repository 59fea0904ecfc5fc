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
	"strconv"
	"strings"
	"time"

	"vitrine/index"
	"vitrine/internal/filelock"
)

// Resolve finds the member file that an image names: a member file, a folder
// that holds one set, a folder and an image ID (FOLDER/ID), or an image ID, whose
// files are looked for in the working folder and in search. A folder may also
// hold leftovers of captures that did not finish; they count only where nothing
// else is. Behind it may stand @N, @latest or @TIME: the point
// with that number, the newest one, the newest one not after that local time.
// Without it a file names its own point, and a folder or ID its newest.
//
// Files are chosen by their names, and what is chosen is proved by its header, so
// the cost does not depend on how many points there are. All headers are read
// where the names do not answer.
//
// Errors: fs.ErrNotExist, [PointSyntaxError], [NoPointError], [BrokenPointError],
// [SeveralSetsError], [UnfinishedError], index.ErrNotMember.
func Resolve(ctx context.Context, image string, search ...string) (string, error) {
	h := newHandles(openFile)
	defer h.close()
	r := resolver{ctx: ctx, h: h, search: search}
	return r.image(image)
}

// image takes what stands behind the @ off, unless it belongs to a file's name.
func (r *resolver) image(image string) (string, error) {
	if _, err := os.Stat(image); err == nil {
		return r.resolve(image, "")
	}
	if i := strings.LastIndexByte(image, '@'); i > 0 {
		return r.resolve(image[:i], image[i+1:])
	}
	return r.resolve(image, "")
}

type resolver struct {
	ctx    context.Context
	h      *handles
	search []string
}

func (r *resolver) resolve(image, point string) (string, error) {
	st, err := os.Stat(image)
	switch {
	case err == nil && st.IsDir():
		return r.folder(image, point)
	case err == nil:
		return r.file(image, point)
	}
	dir, name := filepath.Split(image)
	id, idErr := index.ParseImageID(name)
	if idErr != nil {
		return "", err
	}
	if dir != "" {
		return r.id(id, point, dir)
	}
	return r.id(id, point, append([]string{"."}, r.search...)...)
}

// file gives the file itself, or another point of its set.
func (r *resolver) file(path, point string) (string, error) {
	h, err := headOrSibling(r.ctx, r.h, path)
	if err != nil {
		return "", err
	}
	if point == "" {
		return path, nil
	}
	return r.set(h.Set, path, point, filepath.Dir(path))
}

// set chooses a point of a set whose members may lie in several folders: by
// their names, or else by their headers.
func (r *resolver) set(id index.ImageID, image, point string, dirs ...string) (string, error) {
	names, err := readCatalog(r.ctx, r.h, dirs...)
	if err != nil {
		return "", err
	}
	path, err := names.choose(id, image, point)
	if errors.Is(err, errNames) {
		return r.byHeaders(id, image, point, dirs...)
	}
	return path, err
}

func (r *resolver) byHeaders(id index.ImageID, image, point string, dirs ...string) (string, error) {
	var members []Member
	for _, dir := range dirs {
		sets, err := scanSets(r.ctx, r.h, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		members = append(members, withID(sets, id)...)
	}
	if len(members) == 0 {
		return "", &fs.PathError{Op: "find image", Path: id.String(), Err: fs.ErrNotExist}
	}
	return choose(image, point, members)
}

func withID(sets []*Set, id index.ImageID) []Member {
	for _, s := range sets {
		if s.ID == id {
			return s.Members
		}
	}
	return nil
}

// folder gives a point of the one set in a folder.
func (r *resolver) folder(dir, point string) (string, error) {
	names, err := readCatalog(r.ctx, r.h, dir)
	if err != nil {
		return "", err
	}
	if id, ok := names.only(); ok {
		path, err := names.choose(id, dir, point)
		if !errors.Is(err, errNames) {
			return path, err
		}
	}
	return r.folderByHeaders(dir, point)
}

func (r *resolver) folderByHeaders(dir, point string) (string, error) {
	sets, err := scanSets(r.ctx, r.h, dir)
	if err != nil {
		return "", err
	}
	var known []*Set
	for _, s := range sets {
		if s.ID != (index.ImageID{}) {
			known = append(known, s)
		}
	}
	if usable := withUsable(known); len(usable) > 0 {
		known = usable // others are leftovers of captures that failed
	}
	switch len(known) {
	case 0:
		return "", fmt.Errorf("%s: %w", dir, errNoImage)
	case 1:
		return choose(dir, point, known[0].Members)
	}
	return "", &SeveralSetsError{dir, known}
}

// withUsable gives the sets that hold a member which is finished and complete.
func withUsable(sets []*Set) (list []*Set) {
	for _, s := range sets {
		if slices.ContainsFunc(s.Members, func(m Member) bool { return m.Usable() }) {
			list = append(list, s)
		}
	}
	return list
}

var errNoImage = &index.FormatError{What: "folder", Off: -1, Msg: "it holds no image", Err: index.ErrNotMember}

// id looks for a set in folders; its members may lie in several of them.
func (r *resolver) id(id index.ImageID, point string, dirs ...string) (string, error) {
	return r.set(id, id.String(), point, dirs...)
}

// choose picks a point out of all members of a set.
func choose(image, point string, members []Member) (string, error) {
	ch, err := newChooser(image, point)
	if err != nil {
		return "", err
	}
	slices.SortFunc(members, func(a, b Member) int { return a.compare(&b) })
	ch.feedAll(members)
	return ch.result()
}

// chooser picks a point out of members that it is fed, the newest first.
type chooser struct {
	image, point          string
	want                  wanted
	best, broken, partial *Member
	have                  []Member // finished ones
}

func newChooser(image, point string) (*chooser, error) {
	want, err := parsePoint(point)
	return &chooser{image: image, point: point, want: want}, err
}

// feedAll feeds members, the oldest of which comes first, until one is chosen.
func (c *chooser) feedAll(members []Member) (done bool) {
	for i := len(members) - 1; i >= 0; i-- {
		done = c.feed(&members[i]) || done
	}
	return done
}

// feed looks at one member and says whether it is the one. A broken one newer
// than that is not passed over in silence: it may be what is meant.
func (c *chooser) feed(m *Member) (done bool) {
	if m.Finished {
		c.have = append(c.have, *m)
	}
	switch {
	case c.best != nil || !c.want.number(m.Number):
	case m.Finished && c.want.time(m):
		c.best = m
		return true
	case m.Finished:
		c.broken = nil
	case m.Err == nil && !c.want.time(m): // begun later
	case strings.HasSuffix(m.Path, index.UnfinishedSuffix):
		c.partial = cmp.Or(c.partial, m)
	default:
		c.broken = cmp.Or(c.broken, m)
	}
	return false
}

// result is the file of the point, or why there is none.
func (c *chooser) result() (string, error) {
	switch {
	case c.broken != nil && c.best != nil:
		return "", &BrokenPointError{c.image, c.broken.Path, c.broken.Number, c.best.Number, c.broken.why()}
	case c.best != nil:
		return c.best.Path, nil
	case c.broken != nil:
		return "", c.broken.why()
	case c.partial != nil:
		return "", c.partial.why()
	}
	slices.Reverse(c.have)
	return "", &NoPointError{c.image, c.point, c.have}
}

// why tells why a member that is not finished cannot be opened.
func (m *Member) why() error {
	if m.Err != nil {
		return m.Err
	}
	return &UnfinishedError{m.Path, m.Number, m.Time(), filelock.Held(m.Path)}
}

// wanted is what stands behind the @. The zero value is the newest point.
type wanted struct {
	exact    bool
	num      uint32
	notAfter time.Time
}

func (w wanted) isTime() bool         { return !w.notAfter.IsZero() }
func (w wanted) number(n uint32) bool { return !w.exact || n == w.num }
func (w wanted) time(m *Member) bool  { return !w.isTime() || !m.Time().After(w.notAfter) }

func parsePoint(point string) (w wanted, err error) {
	if point == "" || point == "latest" {
		return w, nil
	}
	if n, err := strconv.ParseUint(point, 10, 32); err == nil {
		return wanted{exact: true, num: uint32(n)}, nil
	}
	w.notAfter, err = parseTime(point)
	return w, err
}

// parseTime reads a time and gives the last instant it may mean.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.Add(time.Second - 1), nil
	}
	for _, l := range []struct {
		layout string
		unit   func(time.Time) time.Time
	}{
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	} {
		if t, err := time.ParseInLocation(l.layout, s, time.Local); err == nil {
			return l.unit(t).Add(-1), nil
		}
	}
	return time.Time{}, &PointSyntaxError{s}
}
