package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"vitrine/index"
)

// Classes of errors, for errors.Is.
var (
	// ErrMissing: a member, or a part of one, is not where it was looked for.
	ErrMissing = errors.New("a file of the image set is missing")
	// ErrUnreadable: the source could not be read there when it was captured, or,
	// in a salvage, the capture had stopped before.
	ErrUnreadable = errors.New("not in the image: the source could not be read here, or the capture did not get here")
)

// MissingError says which file is needed and was not found. It wraps
// ErrMissing.
type MissingError struct {
	Set     index.ImageID
	Number  uint32
	UID     index.UID
	Created time.Time
	Part    int      // number of the missing part; -1: the whole member
	Name    string   // the file name that it should have
	Dirs    []string // folders that were searched
	Found   string   // what was found in its place, if anything
}

func (e *MissingError) Error() string {
	what := fmt.Sprintf("member %d", e.Number)
	if e.Part >= 0 {
		what = fmt.Sprintf("part %d of member %d", e.Part, e.Number)
	}
	s := fmt.Sprintf("%s of image %s, captured %s, UID %s, is missing: no %s in %s", what, e.Set,
		e.Created.Format("2006-01-02 15:04:05"), e.UID, e.Name, strings.Join(e.Dirs, ", "))
	if e.Found != "" {
		s += " (" + e.Found + ")"
	}
	return s
}

func (e *MissingError) Unwrap() error { return ErrMissing }

// DamageError says which stored bytes are damaged. It wraps
// index.ErrCorrupt, or the error of the file system that refused the bytes.
type DamageError struct {
	Path   string // the file
	Off    int64  // byte of the file where the damaged object begins
	Member uint32
	Stream int   // of the block that cannot be read; -1: unknown, or no block
	Block  int64 // -1: unknown
	Err    error
}

func (e *DamageError) Error() string {
	s := fmt.Sprintf("%s: byte %d: ", e.Path, e.Off)
	if e.Block >= 0 {
		s += fmt.Sprintf("stream %d block %d: ", e.Stream, e.Block)
	}
	return s + e.Err.Error()
}

func (e *DamageError) Unwrap() error { return e.Err }

// UnreadableError says which bytes of a view the source did not give up when it
// was captured. It wraps ErrUnreadable.
type UnreadableError struct {
	Off, Len int64 // in the view
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%d bytes at %d: %v", e.Len, e.Off, ErrUnreadable)
}

func (e *UnreadableError) Unwrap() error { return ErrUnreadable }

// UnfinishedError says that a file is a capture that did not finish. It wraps
// index.ErrUnfinished.
type UnfinishedError struct {
	Path    string
	Number  uint32
	Created time.Time
	Writing bool // another process is writing it
}

func (e *UnfinishedError) Error() string {
	if e.Writing {
		return fmt.Sprintf("%s: member %d, begun %s, is being written by another process", e.Path, e.Number, e.Created.Format("2006-01-02 15:04:05"))
	}
	return fmt.Sprintf("%s: member %d, begun %s: %v", e.Path, e.Number, e.Created.Format("2006-01-02 15:04:05"), index.ErrUnfinished)
}

func (e *UnfinishedError) Unwrap() error { return index.ErrUnfinished }

// PointSyntaxError says that what stands behind an @ names no point. It wraps
// fs.ErrInvalid.
type PointSyntaxError struct{ Text string }

func (e *PointSyntaxError) Error() string { return fmt.Sprintf("%q is not a point", e.Text) }

func (e *PointSyntaxError) Unwrap() error { return fs.ErrInvalid }

// BrokenPointError says that the point that is asked for, or one that may be it,
// cannot be opened, and which earlier one can. It wraps the reason.
type BrokenPointError struct {
	Image   string
	Path    string // the member's file
	Number  uint32
	Earlier uint32 // the newest point before it that is whole
	Err     error
}

func (e *BrokenPointError) Error() string {
	return fmt.Sprintf("%s: its newest point, %d, cannot be opened: %v", e.Image, e.Number, e.Err)
}

func (e *BrokenPointError) Unwrap() error { return e.Err }

// SeveralSetsError says that a folder holds more than one image set. It wraps
// fs.ErrInvalid.
type SeveralSetsError struct {
	Dir  string
	Sets []*Set
}

func (e *SeveralSetsError) Error() string {
	ids := make([]string, len(e.Sets))
	for i, s := range e.Sets {
		ids[i] = s.Prefix + s.ID.String()
	}
	return fmt.Sprintf("%s holds %d image sets: %s", e.Dir, len(e.Sets), strings.Join(ids, ", "))
}

func (e *SeveralSetsError) Unwrap() error { return fs.ErrInvalid }

// NoPointError says that a set has no such point, and which it has. It wraps
// fs.ErrNotExist.
type NoPointError struct {
	Image string
	Point string // as it was asked for
	Have  []Member
}

func (e *NoPointError) Error() string {
	have := make([]string, len(e.Have))
	for i, m := range e.Have {
		have[i] = fmt.Sprintf("%d (%s)", m.Number, m.Time().Format("2006-01-02T15:04:05"))
	}
	if len(have) > 8 {
		have = append(append(have[:4:4], "…"), have[len(have)-3:]...)
	}
	if len(have) == 0 {
		return fmt.Sprintf("%s has no point %q", e.Image, e.Point)
	}
	return fmt.Sprintf("%s has no point %q; it has %s", e.Image, e.Point, strings.Join(have, ", "))
}

func (e *NoPointError) Unwrap() error { return fs.ErrNotExist }

// PathError names the file that an error of package index is about.
func pathError(path string, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
