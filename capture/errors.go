package capture

import (
	"errors"
	"fmt"
	"time"

	"vitrine/index"
)

// Classes of errors, for errors.Is.
var (
	// ErrSourceGone: the device left while it was read.
	ErrSourceGone = errors.New("the source is gone")
	// ErrWrongParent: see ParentError.
	ErrWrongParent = errors.New("the parent shows another source")
	// ErrNothing: an unfinished member holds nothing that could be rescued.
	ErrNothing = errors.New("nothing to rescue")
	// ErrFinished: the member that should be rescued is complete.
	ErrFinished = errors.New("the image is finished")
	// ErrWriting: the member that should be rescued is still being captured.
	ErrWriting = errors.New("it is being written by another process")
)

// OptionError is an option that cannot be followed.
type OptionError struct {
	Option, Value, Why string
}

func (e *OptionError) Error() string { return fmt.Sprintf("%s %q: %s", e.Option, e.Value, e.Why) }

// ParentError refuses a parent that was captured from another source.
type ParentError struct {
	Set     index.ImageID
	Number  uint32
	Created time.Time
	Differs []string // what differs, a phrase each
}

func (e *ParentError) Error() string {
	s := fmt.Sprintf("member %04d of set %s, captured %s, shows another source", e.Number, e.Set, e.Created.Format("2006-01-02 15:04:05"))
	for i, d := range e.Differs {
		s += [...]string{": ", "; "}[min(i, 1)] + d
	}
	return s
}

func (e *ParentError) Unwrap() error { return ErrWrongParent }

// VanishedError: the file that is written is no longer where it was made: it
// was deleted, or its file system was unmounted.
type VanishedError struct{ Path string }

func (e *VanishedError) Error() string {
	return e.Path + " is no longer there: it was deleted, or the disk that it is on was unmounted"
}

// StoppedError ends a capture that had begun to write. Members captured before
// are untouched.
type StoppedError struct {
	Path   string // the unfinished file; "": nothing was kept
	Kept   int64  // plain bytes of the source that it holds at most: the last ones may not have come to be written
	Output bool   // writing failed, not reading
	Err    error
}

func (e *StoppedError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("capture stopped, nothing was kept: %v", e.Err)
	}
	return fmt.Sprintf("capture stopped: %v; up to %d bytes of the source are kept in the unfinished image %s", e.Err, e.Kept, e.Path)
}

func (e *StoppedError) Unwrap() error { return e.Err }
