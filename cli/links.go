package cli

import (
	"sync"

	"vitrine/volume"
)

// linkTable joins the names of files that have several: the first that is seen
// is copied, the others become links to it. Files with one name never enter
// it, and an entry leaves it when all names were seen. It is safe for parallel
// use.
type linkTable struct {
	mu sync.Mutex
	m  map[linkKey]*linkEntry
}

type linkKey struct {
	fs volume.FileSystem
	id volume.ID
}

type linkEntry struct {
	left    uint32 // names not seen yet
	done    *job   // the name that is complete; nil while it is being copied
	waiting []job  // names seen meanwhile
}

func keyOf(j job) linkKey { return linkKey{j.place.fs, j.from.attr.ID} }

// enter takes note of a name and reports whether a worker is to have it now;
// j.same tells the worker the complete name to link to.
func (t *linkTable) enter(j *job) (now bool) {
	if j.from.attr.Links < 2 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.m[keyOf(*j)]
	if e == nil {
		t.put(*j)
		return true
	}
	e.left--
	if e.done == nil {
		e.waiting = append(e.waiting, *j)
		return false
	}
	j.same = e.done
	t.drop(*j, e)
	return true
}

func (t *linkTable) put(j job) {
	if t.m == nil {
		t.m = map[linkKey]*linkEntry{}
	}
	t.m[keyOf(j)] = &linkEntry{left: j.from.attr.Links - 1}
}

func (t *linkTable) drop(j job, e *linkEntry) {
	if int32(e.left) <= 0 {
		delete(t.m, keyOf(j))
	}
}

// finished says how copying the first name went and gives the names to serve
// next: all that waited, or after a failure one of them, to be copied instead.
func (t *linkTable) finished(j job, ok bool) []job {
	if j.from.attr.Links < 2 || j.same != nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.m[keyOf(j)]
	if ok {
		e.done = &j
		t.drop(j, e)
		return e.take(len(e.waiting), &j)
	}
	if len(e.waiting) == 0 {
		delete(t.m, keyOf(j))
	}
	return e.take(min(1, len(e.waiting)), nil)
}

func (e *linkEntry) take(n int, same *job) []job {
	next := e.waiting[:n:n]
	e.waiting = e.waiting[n:]
	for i := range next {
		next[i].same = same
	}
	return next
}
