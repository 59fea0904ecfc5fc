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

const (
	// pieceEntries is how much of a folder is read at once.
	pieceEntries = 1024
	// maxListings bounds the folders that wait.
	maxListings = 8
)

// listings are the rests of folders that wait, the latest last.
type listings struct {
	mu   sync.Mutex
	rest []listing
}

// listing is what follows in a folder behind a cookie.
type listing struct {
	dir     volume.ID
	after   uint64
	attrs   bool
	entries []volume.Entry
}

// take takes the rest of a folder behind a cookie; nil when it does not wait.
func (l *listings) take(dir volume.ID, after uint64, attrs bool) []volume.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.rest, func(r listing) bool {
		return r.dir == dir && r.after == after && (r.attrs || !attrs)
	})
	if i < 0 {
		return nil
	}
	entries := l.rest[i].entries
	l.rest = slices.Delete(l.rest, i, i+1)
	return entries
}

// put has the rest of a folder wait; the one that waits longest may have to go.
func (l *listings) put(r listing) {
	if len(r.entries) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) >= maxListings {
		l.rest = slices.Delete(l.rest, 0, 1)
	}
	l.rest = append(l.rest, r)
}

// readPiece reads the next entries of a folder.
func readPiece(ctx context.Context, t volume.FileSystem, dir volume.ID, after uint64, attrs bool) (entries []volume.Entry, err error) {
	err = t.ReadDir(ctx, dir, after, attrs, func(e *volume.Entry) bool {
		entries = append(entries, *e)
		return len(entries) < pieceEntries
	})
	return entries, err
}
