package reader

import (
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
)

// Resolve finds the member file that an image names: a member file, a folder
// that holds one set, a folder and an image ID (FOLDER/ID), or an image ID, whose
// files are looked for in the working folder and in search. A folder may also
// hold leftovers of captures that did not finish; they count only where nothing
// else is. Behind it may stand @N, @latest or @TIME: the point
// with that number, the newest one, the newest one not after that local time.
// Without it a file names its own point, and a folder or ID its newest.
//
// Errors: fs.ErrNotExist, [NoPointError], [SeveralSetsError],
// [UnfinishedError], index.ErrNotMember.
func Resolve(ctx context.Context, image string, search ...string) (string, error) {
	r := resolver{ctx: ctx, h: newHandles(openFile), search: search}
	defer r.h.close()
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
	sets, err := scanSets(r.ctx, r.h, filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return choose(path, point, withID(sets, h.Set))
}

func withID(sets []*Set, id index.ImageID) []Member {
	for _, s := range sets {
		if s.ID == id {
			return s.Members
		}
	}
	return nil
}

func (r *resolver) folder(dir, point string) (string, error) {
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
	return choose(id.String(), point, members)
}

// choose picks a point out of a set's members.
func choose(image, point string, members []Member) (string, error) {
	match, err := matcher(point)
	if err != nil {
		return "", err
	}
	var best, unfinished *Member
	var have []Member
	for i := range members {
		m := &members[i]
		switch {
		case m.Finished && match(m) && (best == nil || best.before(m)):
			best = m
		case !m.Finished && m.Err == nil && match(m):
			unfinished = m
		}
		if m.Finished {
			have = append(have, *m)
		}
	}
	switch {
	case best != nil:
		return best.Path, nil
	case unfinished != nil:
		return "", &UnfinishedError{unfinished.Path, unfinished.Number, unfinished.Time()}
	case point == "" && len(members) > 0:
		return "", members[0].Err
	}
	return "", &NoPointError{image, point, have}
}

// matcher reads what stands behind the @.
func matcher(point string) (func(*Member) bool, error) {
	if point == "" || point == "latest" {
		return func(*Member) bool { return true }, nil
	}
	if n, err := strconv.ParseUint(point, 10, 32); err == nil {
		return func(m *Member) bool { return m.Number == uint32(n) }, nil
	}
	t, err := parseTime(point)
	if err != nil {
		return nil, err
	}
	return func(m *Member) bool { return !m.Time().After(t) }, nil
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
	return time.Time{}, fmt.Errorf("%q is not a point: give a number, \"latest\" or a time like 2026-11-02T14:00 (%w)", s, fs.ErrInvalid)
}
