package cli

import (
	"errors"
	"fmt"
	"sync"
)

// problemItem is one thing that a command could not do while it went on.
type problemItem struct {
	Path  string `json:"path"`
	Error string `json:"error"`
	Lost  []gap  `json:"missing,omitempty"` // of a file that was copied without them
}

// tally counts and lists what is missing from a result. It is safe for
// parallel use.
type tally struct {
	mu    sync.Mutex
	n     int
	first error

	salvageable bool // some of what is missing could be had in part
}

// add lists path as missing because of err.
func (t *tally) add(e *env, path string, err error) {
	t.mu.Lock()
	t.n++
	if t.first == nil {
		t.first = err
	}
	t.mu.Unlock()
	item := problemItem{Path: path, Error: oneLine(plain(err))}
	if g, ok := errors.AsType[*gaps](err); ok {
		item.Lost = g.list
	}
	if e.json {
		e.tell("problem", item)
		return
	}
	e.meter.above(func() { fmt.Fprintf(e.Err, "problem: %s: %s\n", printable(path), item.Error) })
}

// canSalvage notes that some of what is missing could be had in part.
func (t *tally) canSalvage() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.salvageable = true
}

func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// nothing is the error when all that was tried failed.
func (t *tally) nothing(what string) error {
	code := explain(t.first).code
	if code == exitIncomplete {
		return t.err(what)
	}
	return failed(code, explain(t.first).hint, "nothing was done: %s %s", plural(int64(t.count()), "item"), what)
}

// err is nil when nothing is missing.
func (t *tally) err(what string) error {
	n := t.count()
	if n == 0 {
		return nil
	}
	hint := "the rest is complete; each is listed above with its reason"
	if t.salvageable {
		hint += "; --salvage copies what is readable of damaged files"
	}
	return failed(exitIncomplete, hint, "done but incomplete: %s %s", plural(n, "item"), what)
}
