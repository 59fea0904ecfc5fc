package mount

import (
	"context"
	"slices"
	"sync"

	"vitrine/volume"
)

// A volume reads a folder in large pieces, the kernel asks in small ones and,
// since folders are not opened, gives nothing to hold on to between them. So
// what was read and not yet asked for waits here for the kernel to come back.
//
// Who walks a tree lists one folder after the other that lie side by side. When
// two did follow each other, the next one is read meanwhile, on another
// processor, and waits here too.

const (
	// pieceEntries is how much of a folder is read at once.
	pieceEntries = 1024
	// maxListings bounds the folders that wait.
	maxListings = 8
	// maxRows bounds the rows of folders that are remembered: one for each
	// level of a tree that is walked.
	maxRows = 16
)

// listings are the rests of folders that wait, the latest last.
type listings struct {
	mu    sync.Mutex
	rest  []*listing
	rows  []*row // the latest last
	ahead sync.WaitGroup
}

// listing is what follows in a folder behind a cookie.
type listing struct {
	dir     volume.ID
	after   uint64
	attrs   bool
	entries []volume.Entry
	read    chan struct{} // closed when entries are there; nil: they are
}

// row is the folders of one folder, in its order.
type row struct {
	dirs []volume.ID
	last int // index of the one listed last; -1: none
}

// take takes the rest of a folder behind a cookie; nil when it does not wait.
func (l *listings) take(dir volume.ID, after uint64, attrs bool) []volume.Entry {
	r := l.remove(dir, after, attrs)
	if r == nil {
		return nil
	}
	if r.read != nil {
		<-r.read
	}
	return r.entries
}

func (l *listings) remove(dir volume.ID, after uint64, attrs bool) *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.rest, func(r *listing) bool {
		return r.dir == dir && r.after == after && (r.attrs || !attrs)
	})
	if i < 0 {
		return nil
	}
	r := l.rest[i]
	l.rest = slices.Delete(l.rest, i, i+1)
	return r
}

// put has the rest of a folder wait; the one that waits longest may have to go.
func (l *listings) put(r *listing) {
	if len(r.entries) == 0 && r.read == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) >= maxListings {
		l.rest = slices.Delete(l.rest, 0, 1)
	}
	l.rest = append(l.rest, r)
}

// readPiece reads the next entries of a folder and remembers its folders.
func (l *listings) readPiece(ctx context.Context, t volume.FileSystem, dir volume.ID, after uint64, attrs bool) (entries []volume.Entry, err error) {
	err = t.ReadDir(ctx, dir, after, attrs, func(e *volume.Entry) bool {
		entries = append(entries, *e)
		return len(entries) < pieceEntries
	})
	l.remember(entries)
	return entries, err
}

func (l *listings) remember(entries []volume.Entry) {
	r := &row{last: -1}
	for i := range entries {
		if entries[i].Kind == volume.Dir {
			r.dirs = append(r.dirs, entries[i].ID)
		}
	}
	if len(r.dirs) < 3 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rows) >= maxRows {
		l.rows = slices.Delete(l.rows, 0, 1)
	}
	l.rows = append(l.rows, r)
}

// follow notes that dir is being listed, and reads the folder ahead that is
// likely to be listed next, if there is one.
func (l *listings) follow(ctx context.Context, t volume.FileSystem, dir volume.ID, attrs bool) {
	next, ok := l.next(dir)
	if !ok {
		return
	}
	r := &listing{dir: next, attrs: attrs, read: make(chan struct{})}
	l.put(r)
	l.ahead.Go(func() {
		defer close(r.read)
		r.entries, _ = l.readPiece(ctx, t, next, 0, attrs) // an error comes again to who asks
	})
}

// next gives the neighbour of dir, if dir was listed after its other neighbour.
func (l *listings) next(dir volume.ID) (next volume.ID, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.rows) - 1; i >= 0; i-- {
		r := l.rows[i]
		at := slices.Index(r.dirs, dir)
		if at < 0 {
			continue
		}
		ok = at == r.last+1 && at > 0 && at+1 < len(r.dirs)
		r.last = at
		if ok {
			next = r.dirs[at+1]
		}
		return next, ok
	}
	return 0, false
}
