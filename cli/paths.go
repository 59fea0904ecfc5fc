package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"vitrine/volume"
)

// maxHops bounds the links followed on the way to one path.
const maxHops = 40

// found is an object that a path led to.
type found struct {
	path string // as the volume spells it; of a stream, with ":stream"
	name string // last name of the path: a damaged volume's may hold slashes
	attr volume.Attr
}

// finder walks paths in a file system as its own system would: without regard
// to case where the file system can, and through links.
type finder struct {
	fs   volume.FileSystem
	note func(note) // tells of what folders do not lead to; nil: nobody
}

// find gives what the path names. The last link of the path is followed only
// when follow is set. "file:stream" names a stream.
func (f finder) find(ctx context.Context, p string, follow bool) (found, error) {
	hops := 0
	at, err := f.walk(ctx, f.root(), p, follow, &hops)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(path.Base(p), ":") {
		return f.stream(ctx, p, err)
	}
	return at, err
}

func (f finder) root() found { return found{path: "/"} }

// step is a folder on the way to a path.
type step struct {
	found     // path: "" when that of the next begins with it, so that a way holds one path
	n     int // bytes of its path
}

func (f finder) walk(ctx context.Context, from found, p string, follow bool, hops *int) (found, error) {
	at, way := from, []step{}
	if at.attr.ID == 0 {
		a, err := f.fs.Attr(ctx, f.fs.Root())
		if err != nil {
			return found{}, at_("/", err)
		}
		at.attr = a
	}
	names := splitPath(p)
	for i, name := range names {
		if name == ".." {
			if n := len(way) - 1; n >= 0 {
				at, way = way[n].back(at), way[:n]
			}
			continue
		}
		next, err := f.child(ctx, at, name)
		if err != nil {
			return found{}, err
		}
		if last := i == len(names)-1; next.attr.Kind == volume.Symlink && (follow || !last) {
			if next, err = f.followed(ctx, at, next, hops); err != nil {
				return found{}, err
			}
		}
		way, at = append(way, stepTo(at, next)), next
	}
	return at, nil
}

func stepTo(at, next found) step {
	s := step{at, len(at.path)}
	if strings.HasPrefix(next.path, at.path) {
		s.path = ""
	}
	return s
}

// back is the step's folder, seen from what is next on the way.
func (s step) back(from found) found {
	if s.path == "" {
		s.path = from.path[:s.n]
	}
	return s.found
}

func at_(p string, err error) error { return at(printable(p), err) }

// child looks a name up as it stands, then without regard to case.
func (f finder) child(ctx context.Context, dir found, name string) (found, error) {
	full := path.Join(dir.path, name)
	if dir.attr.Kind != volume.Dir {
		return found{}, at_(dir.path, volume.ErrNotDir)
	}
	a, err := f.fs.Lookup(ctx, dir.attr.ID, name)
	if err == nil {
		return found{full, name, a}, nil
	}
	folder, ok := f.fs.(volume.Folder)
	if !ok {
		return found{}, f.notThere(dir, name, err)
	}
	a, spelled, folded := folder.LookupFold(ctx, dir.attr.ID, name)
	if folded != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = folded
		}
		return found{}, f.notThere(dir, name, err)
	}
	return found{path.Join(dir.path, spelled), spelled, a}, nil
}

func (f finder) notThere(dir found, name string, err error) error {
	full := path.Join(dir.path, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return at_(full, err)
	}
	return &problem{exitFailed, fmt.Sprintf("%s is not in the image", printable(full)),
		fmt.Sprintf("the folder %s is there; 'vitrine ls' shows what it holds", printable(dir.path)), err}
}

func (f finder) followed(ctx context.Context, dir, link found, hops *int) (found, error) {
	if *hops++; *hops > maxHops {
		return found{}, failed(exitFailed, "look at the links with 'vitrine ls -l'", "%s: more than %d links in a row", printable(link.path), maxHops)
	}
	target, err := f.fs.ReadLink(ctx, link.attr.ID)
	if err != nil {
		return found{}, &linkError{at_(link.path, err)}
	}
	p, place := volume.PlaceOf(target, link.attr.Reparse, dir.path)
	if place == volume.LinkFolder {
		p = path.Join(dir.path, p)
	}
	at, err := found{}, fs.ErrNotExist
	if place != volume.LinkAway {
		at, err = f.walk(ctx, f.root(), p, true, hops)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = &problem{exitFailed, fmt.Sprintf("%s is a link to %s, which is not on this volume", printable(link.path), printable(target)),
			"'vitrine stat' and 'vitrine ls -l' show the link itself", err}
	}
	if err != nil {
		return found{}, &linkError{err}
	}
	return at, nil
}

// linkError is why a link that is there was not followed.
type linkError struct{ err error }

func (l *linkError) Error() string { return l.err.Error() }
func (l *linkError) Unwrap() error { return l.err }

func (f finder) stream(ctx context.Context, p string, notThere error) (found, error) {
	i := strings.LastIndexByte(p, ':')
	file, name := p[:i], p[i+1:]
	hops := 0
	at, err := f.walk(ctx, f.root(), file, true, &hops)
	able, ok := f.fs.(volume.Streams)
	if err != nil || !ok {
		return found{}, notThere
	}
	return streamIn(ctx, able, at, name)
}

func streamIn(ctx context.Context, able volume.Streams, file found, name string) (found, error) {
	list, err := able.Streams(ctx, file.attr.ID)
	for _, s := range list {
		if strings.EqualFold(s.Name, name) {
			return streamOf(file, s), nil
		}
	}
	if err != nil { // it may be one that cannot be read
		return found{}, at_(file.path, err)
	}
	return found{}, &problem{exitFailed, fmt.Sprintf("%s has no stream named %s", printable(file.path), printable(name)),
		"'vitrine stat' lists the streams of a file", fs.ErrNotExist}
}

// findLost finds a file that no folder leads to under this path, or a stream of it,
// by going through all file records; why says that there is none.
func (f finder) findLost(ctx context.Context, p string, why error) (found, error) {
	able, ok := f.fs.(volume.Lost)
	if !ok {
		return found{}, why
	}
	full := path.Join("/", p)
	if f.note != nil {
		slow := time.AfterFunc(time.Second, func() {
			f.note(note{Path: printable(full), Text: "no folder leads to it; going through all file records"})
		})
		defer slow.Stop()
	}
	at, err := f.lookupLost(ctx, able, full)
	i := strings.LastIndexByte(full, ':')
	streams, ok := f.fs.(volume.Streams)
	if errors.Is(err, fs.ErrNotExist) && ok && i > strings.LastIndexByte(full, '/') {
		if _, led := f.find(ctx, full[:i], true); led == nil {
			return found{}, why // the file is not lost, it has no such stream
		}
		if at, err = f.lookupLost(ctx, able, full[:i]); err == nil {
			return streamIn(ctx, streams, at, full[i+1:])
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return found{}, why
	}
	return at, err
}

func (f finder) lookupLost(ctx context.Context, able volume.Lost, p string) (found, error) {
	a, spelled, err := able.LookupLost(ctx, p)
	if err != nil {
		return found{}, at_(p, err)
	}
	if f.note != nil {
		f.note(note{Path: printable(spelled), Text: "its folder does not lead to it; it was found by its own record"})
	}
	return found{spelled, path.Base(spelled), a}, nil
}

// streamOf makes a stream look like a file of its own.
func streamOf(file found, s volume.Stream) found {
	a := file.attr
	a.ID, a.Kind, a.Size, a.Alloc, a.Links, a.Reparse = s.ID, volume.File, s.Size, s.Alloc, 1, 0
	if file.path != "" {
		file.path += ":" + s.Name
	}
	return found{file.path, file.name + ":" + s.Name, a}
}

// glob gives all that a path with *, ? and [a-z] in its names matches, sorted,
// and find's answer for a path without, or, where folders do not lead to it,
// findLost's. A name in it that exists as it stands
// means itself, whatever its characters. Nothing matching is an error.
func (f finder) glob(ctx context.Context, p string, follow bool) ([]found, error) {
	if !strings.ContainsAny(p, "*?[") {
		one, err := f.find(ctx, p, follow)
		if isAny(fs.ErrNotExist, volume.ErrCorrupt)(err) && !is[*linkError](err) {
			one, err = f.findLost(ctx, p, err)
		}
		return []found{one}, err
	}
	if one, err := f.find(ctx, p, follow); err == nil {
		return []found{one}, nil
	}
	start, err := f.find(ctx, "/", true)
	if err != nil {
		return nil, err
	}
	all := []found{start}
	for _, pattern := range splitPath(p) {
		if all, err = f.matchIn(ctx, all, pattern); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		hint := "'vitrine find' searches below a folder"
		if strings.Contains(p, "[") {
			hint += "; [[] in a pattern means a [ in a name"
		}
		nothing := &problem{exitFailed, fmt.Sprintf("nothing matches %s", printable(p)), hint, fs.ErrNotExist}
		one, err := f.findLost(ctx, strings.ReplaceAll(p, "[[]", "["), nothing)
		return []found{one}, err
	}
	return all, nil
}

func (f finder) matchIn(ctx context.Context, dirs []found, pattern string) (all []found, err error) {
	for _, d := range dirs {
		if d.attr.Kind == volume.Symlink {
			if d, err = f.find(ctx, d.path, true); err != nil {
				continue // a link that leads nowhere holds nothing
			}
		}
		if d.attr.Kind != volume.Dir {
			continue
		}
		if one, err := f.child(ctx, d, pattern); err == nil {
			all = append(all, one)
			continue
		}
		entries, err := f.list(ctx, d.attr.ID)
		if err != nil {
			return nil, at_(d.path, err)
		}
		for _, e := range entries {
			if e.Err == nil && match(pattern, e.Name) {
				all = append(all, found{join(d.path, e.Name), e.Name, *e.Attr})
			}
		}
	}
	return all, nil
}

// match compares a name with a pattern without regard to case.
func match(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}

// list reads a folder whole, with attributes, sorted by name. Each entry has
// either Attr or Err.
func (f finder) list(ctx context.Context, dir volume.ID) ([]volume.Entry, error) {
	var full [][]volume.Entry // so that a large folder is copied but once
	part := make([]volume.Entry, 0, 64)
	err := f.read(ctx, dir, func(e volume.Entry) bool {
		if len(part) == cap(part) {
			full, part = append(full, part), make([]volume.Entry, 0, min(4*cap(part), 16384))
		}
		part = append(part, e)
		return true
	})
	all := slices.Concat(append(full, part)...)
	sortByName(all)
	return all, err
}

// read yields the entries of a folder in the volume's order, with attributes.
func (f finder) read(ctx context.Context, dir volume.ID, yield func(volume.Entry) bool) error {
	err := f.fs.ReadDir(ctx, dir, 0, true, func(e *volume.Entry) bool {
		own := *e
		f.fillAttr(ctx, &own)
		return yield(own)
	})
	return cmp.Or(err, ctx.Err())
}

func (f finder) fillAttr(ctx context.Context, e *volume.Entry) {
	if e.Attr != nil || e.Err != nil {
		return
	}
	a, err := f.fs.Attr(ctx, e.ID)
	e.Attr, e.Err = &a, err
}

func splitPath(p string) []string {
	var names []string
	for _, n := range strings.Split(p, "/") {
		if n != "" && n != "." {
			names = append(names, n)
		}
	}
	return names
}
