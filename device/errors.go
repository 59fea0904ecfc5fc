package device

import (
	"errors"
	"fmt"
)

// Classes of errors. A [RefusedError] wraps one of them.
var (
	ErrUnsupported = errors.New("not supported on this system")
	ErrNotDisk     = errors.New("neither a disk nor a plain file")
	ErrBusy        = errors.New("in use")
	ErrProtected   = errors.New("protected")
	ErrReadOnly    = errors.New("read-only")
	ErrTooSmall    = errors.New("too small")
	ErrExists      = errors.New("exists already")
	// ErrNoSnapshot: the source cannot be held still in the way that was asked for.
	ErrNoSnapshot = errors.New("no snapshot can be taken")
	// ErrSnapshotFull: more was written to the source, while it was captured,
	// than its snapshot holds.
	ErrSnapshotFull = errors.New("the snapshot is full")
	// ErrNoDiscard says that the target cannot give space back.
	ErrNoDiscard = errors.New("cannot discard")
)

// RefusedError says why something cannot be a target.
type RefusedError struct {
	Path string
	Why  string // the reason, for a person
	Err  error  // the class
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Why) }

func (e *RefusedError) Unwrap() error { return e.Err }

func refuse(path string, class error, why string, a ...any) error {
	return &RefusedError{path, fmt.Sprintf(why, a...), class}
}
