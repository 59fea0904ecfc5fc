package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"vitrine/volume"
)

// Bounds of what a copy remembers for what no listing led to.
const (
	hurtFolders = 4096    // folders that are listed once more
	lostNames   = 1 << 20 // names given to lost files; a further one that is taken is in the way
	lostTold    = 100     // of them are told each by itself
	maxRounds   = 64      // of looking for what is lost in what was lost
)

// placed is where a folder of the image was put.
type placed struct {
	up    volume.ID // the folder in whose copy it is; 0: the destination
	name  string    // there
	round int       // of looking for what is lost in which it was found; 0: it was listed
	made  bool      // by us
}

// marks are the files that were copied, with a hash of the name: on a damaged volume a
// name may lead to another file.
type marks map[volume.ID]*[4096]uint16

func (m marks) has(id volume.ID, name string) bool {
	page := m[id>>12]
	return page != nil && page[id&4095] == nameMark(name)
}

func (m marks) any(id volume.ID) bool {
	page := m[id>>12]
	return page != nil && page[id&4095] != 0
}

func (m marks) set(id volume.ID, name string) {
	page := m[id>>12]
	if page == nil {
		page = new([4096]uint16)
		m[id>>12] = page
	}
	page[id&4095] = nameMark(name)
}

// nameMark is never 0.
func nameMark(name string) uint16 {
	h := fnv.New32a()
	io.WriteString(h, strings.ToLower(name))
	return uint16(h.Sum32()%0xFFFF) + 1
}

// had tells whether an object was copied already, when what listings left out is
// copied. Further names of a file are made in folder in, if it is given.
func (c *copier) had(en *volume.Entry, in *folder) bool {
	if en.Kind == volume.Dir {
		_, had := c.seen[en.ID]
		return had
	}
	if en.Attr.Links <= 1 || in == nil || !c.marks.any(en.ID) {
		return c.marks.has(en.ID, en.Name)
	}
	_, err := in.root.Lstat(targetOf(en.Name))
	return err == nil
}

// again lists the folders once more of which a listing gave an error: it may have
// been one of reading, and have passed.
func (c *copier) again(ctx context.Context, p place, top *folder) error {
	c.round = maxRounds + 1
	for i := 0; i < len(c.hurtList); i++ { // it may grow
		id := c.hurtList[i]
		for c.handed.Load() > 0 { // what the folder has must be there
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
		f, err := c.back(ctx, p, top, id)
		if err != nil {
			continue // told, when it was listed
		}
		err = c.fill(ctx, p, id, f)
		if c.leave(f); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// lost copies, into the copy of a volume's root, what no folder led to: in rounds, as
// that may be in folders that are themselves lost.
func (c *copier) lost(ctx context.Context, p place, root volume.ID, f *folder) error {
	able, ok := p.fs.(volume.Lost)
	if !ok || c.round > 0 {
		return nil
	}
	if f.up == nil || f.up.up == nil && strings.Count(f.at, "/") <= 1 { // perhaps the root of a volume
		c.meter.name("looking for what no folder leads to")
	}
	l := lostFiles{copier: c, p: p, root: root, f: f, names: map[lostName]bool{}}
	defer func() {
		if c.round = 0; l.told > lostTold {
			c.e.note(note{Text: fmt.Sprintf("%s besides, to which no folder leads, copied by their own records", plural(l.told-lostTold, "file"))})
		}
	}()
	var missed error
	for left := 1; left > 0 && c.round < maxRounds; {
		c.round++
		folders := len(c.seen)
		left = 0
		err := able.WalkLost(ctx, root, func(dir volume.ID, en *volume.Entry) error {
			later, err := l.visit(ctx, dir, en)
			if later {
				left++
			}
			return err
		})
		var stop *destError
		switch {
		case ctx.Err() != nil || errors.As(err, &stop):
			return cmp.Or(err, ctx.Err())
		case left > 0 && len(c.seen) == folders:
			c.hurt.add(c.e, f.path(), fmt.Errorf("files whose folders were not copied: %d", left))
			left = 0
		}
		missed = err // the last round tells
	}
	if missed != nil {
		c.hurt.add(c.e, f.path(), missed)
	}
	return nil
}

// lostFiles are those of one volume, whose root is copied into f.
type lostFiles struct {
	*copier
	p     place
	root  volume.ID
	f     *folder
	names map[lostName]bool // that they were given
	told  int64             // or would have been
}

type lostName struct {
	dir  volume.ID
	name string // folded
}

// visit copies one of them. It may have to come later, when its folder is copied.
func (l *lostFiles) visit(ctx context.Context, dir volume.ID, en *volume.Entry) (later bool, err error) {
	c := l.copier
	at, known := c.seen[dir]
	switch {
	case en.Err != nil || (en.Kind == volume.Dir || en.Attr.Links <= 1) && c.had(en, nil):
		return false, nil
	case !known || at.round >= c.round:
		return true, nil
	case at.round != c.round-1:
		return false, nil // it was, in an earlier round
	}
	if en.Kind == volume.Dir && l.allHad(ctx, en) {
		l.standIn(ctx, dir, en)
		return false, nil
	}
	in, from, as := l.f, found{name: en.Name, attr: *en.Attr}, en.Name
	if dir != l.root {
		if in, err = c.back(ctx, l.p, l.f, dir); err != nil {
			return false, c.listed(from, l.f, err)
		}
		defer c.leave(in)
	}
	if c.had(en, in) {
		return false, nil
	}
	switch id, led := l.under(ctx, dir, en.Name); {
	case l.taken(dir, en.Name) || led && id != en.ID:
		ext := path.Ext(en.Name)
		as = lostAs(strings.TrimSuffix(en.Name, ext), en.ID) + ext
		c.hurt.add(c.e, in.where(from), fmt.Errorf("there are several of that name; this one, to which no folder leads, is copied as %s", as))
	case !led: // "$Orphan-N" is, and tells itself
		if l.told++; l.told <= lostTold {
			c.e.note(note{Path: printable(in.where(from)), Text: "its folder does not lead to it; it is copied by its own record"})
		}
	}
	return false, c.entry(ctx, l.p, from, as, in)
}

// lostAs is the name for a lost file whose own is taken.
func lostAs(name string, id volume.ID) string {
	return fmt.Sprintf("%s (record %d)", name, id&(1<<volume.IDRecordBits-1))
}

// taken tells whether a lost file of that name was copied into the folder, and takes it.
func (l *lostFiles) taken(dir volume.ID, name string) bool {
	key := lostName{dir, strings.ToLower(name)}
	if l.names[key] {
		return true
	}
	if len(l.names) < lostNames {
		l.names[key] = true
	}
	return false
}

// under is what the folder itself leads to by the name of a lost file.
func (l *lostFiles) under(ctx context.Context, dir volume.ID, name string) (volume.ID, bool) {
	a, err := l.p.child(ctx, found{attr: volume.Attr{ID: dir, Kind: volume.Dir}}, name)
	return a.attr.ID, err == nil
}

// standIn remembers, for what may be lost in a folder that is not copied, as another
// took its place, where that one is.
func (l *lostFiles) standIn(ctx context.Context, dir volume.ID, en *volume.Entry) {
	if id, ok := l.under(ctx, dir, en.Name); ok && id != en.ID {
		if at, ok := l.seen[id]; ok {
			at.round = l.round
			l.seen[en.ID] = at
		}
	}
}

// allHad tells whether there is nothing in a folder that was not copied already.
func (l *lostFiles) allHad(ctx context.Context, dir *volume.Entry) bool {
	n, all := 0, true
	l.p.read(ctx, dir.Attr.ID, func(e volume.Entry) bool {
		n++
		all = e.Err == nil && l.had(&e, nil)
		return all
	})
	return all && n > 0
}

// back opens a folder once more that was copied below f. It must be left.
func (c *copier) back(ctx context.Context, p place, f *folder, dir volume.ID) (*folder, error) {
	var chain []volume.ID
	for id := dir; id != f.attr.ID; {
		at, known := c.seen[id]
		if !known || len(chain) > maxDepth {
			return nil, fmt.Errorf("its folder was not copied: %w", volume.ErrCorrupt)
		}
		if at == (placed{}) {
			break // the root, of which the destination is the copy
		}
		chain, id = append(chain, id), at.up
	}
	f.pending.Add(1) // for the first of them
	for i := len(chain) - 1; i >= 0; i-- {
		next, err := c.reopen(ctx, p, f, chain[i])
		if err != nil {
			c.leave(f)
			return nil, err
		}
		f = next
	}
	return f, nil
}

func (c *copier) reopen(ctx context.Context, p place, up *folder, dir volume.ID) (*folder, error) {
	at := c.seen[dir]
	attr, err := p.fs.Attr(ctx, dir)
	if err != nil {
		return nil, err
	}
	f := &folder{up: up, name: at.name, own: at.name, attr: attr, made: at.made}
	text, _ := c.wantedSecurity(ctx, p, attr.ID) // its error was told the first time
	f.sddl = c.heldSDDL(ctx, p, attr.ID, text)
	if at.made && attr.HasPOSIX {
		up.root.Chmod(at.name, fs.FileMode(attr.Perm)&0o777|0o700) // it may be finished, and closed to us
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	f.pending.Add(1)
	return f, nil
}
