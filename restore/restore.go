package restore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"vitrine/index"
	"vitrine/reader"
)

// Extent is a range of a view that has one kind.
type Extent = reader.Extent

// View is what a point holds of a disk or partition; *reader.View is one.
type View interface {
	Size() int64
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
	Extents(ctx context.Context, off, n int64, yield func(Extent) bool) error
}

// Source is what is restored.
type Source struct {
	Name string           // the image and point, for people
	Disk *index.Disk      // the disk it is, or is part of
	Part *index.Partition // nil: the whole disk
	View View             // of the disk, or of the partition
}

// Target is where it goes; *device.Target is one. Offsets and sizes are bytes.
type Target interface {
	io.ReaderAt // what is on the medium
	io.WriterAt
	Path() string
	Model() string
	Serial() string
	Size() int64
	SectorSize() int // 0: any
	Start() int64    // where a partition begins on its disk; -1: unknown
	Fixed() bool     // the size is given: a disk or partition
	Exists() bool    // there is something on it
	Free() int64     // space left for a plain file; -1: unknown
	SetSize(n int64, empty bool) error
	Sync() error
	Reserve(off, n int64) error // of a plain file: allocate the space
	WriteBehind(off, n int64)
	Discard(off, n int64) error
	Zero(off, n int64) error
	RereadTable() error
}

// Options of a restore. The zero value is what most want.
type Options struct {
	// TargetPartition restores one partition into the partition of the target
	// that has this number; 0 uses the target as a whole.
	TargetPartition int
	// Delta reads the target first and writes only what differs.
	Delta bool
	// Discard gives the space that is free in the image back to the target;
	// ZeroFree overwrites it with zeros.
	Discard, ZeroFree bool
	// KeepTable leaves the GPT as it was, although the target has another
	// size. By default its backup moves to the target's end.
	KeepTable bool
	// KeepStart leaves the place of the partition as it is recorded in boot
	// sectors, although the partition goes to another place.
	KeepStart bool
	// AnySector allows a target with another sector size than the source had.
	AnySector bool
	// SkipDamaged goes on where the image is damaged; zeros are written there.
	SkipDamaged bool
	// SkipProof leaves out reading back what was written.
	SkipProof bool
	// Workers read, decode and write at the same time; 0: two more than
	// there are processors, at most 8.
	Workers int
}

// Classes of refusals. A [RefusedError] wraps one of them.
var (
	ErrTooSmall    = errors.New("target too small")
	ErrSectorSize  = errors.New("sector sizes differ")
	ErrNoPartition = errors.New("no such partition")
	ErrNotCaptured = errors.New("not in the image")
	ErrNoSpace     = errors.New("not enough space for the file")
)

// RefusedError says why a restore cannot be planned. Nothing was changed.
type RefusedError struct {
	Path string
	Why  string
	Need int64 // with ErrTooSmall and ErrNoSpace: bytes
	Err  error // the class
}

func (e *RefusedError) Error() string { return e.Path + ": " + e.Why }

func (e *RefusedError) Unwrap() error { return e.Err }

// IncompleteError says that a restore stopped after it had begun to change the
// target.
type IncompleteError struct {
	Path  string
	Phase Phase
	Err   error
}

func (e *IncompleteError) Error() string {
	if e.Phase == Prove {
		return fmt.Sprintf("%s: everything is written, but it is not proven: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s: the target is incomplete: %v", e.Path, e.Err)
}

func (e *IncompleteError) Unwrap() error { return e.Err }

// ErrDiffers marks a target that reads back other than it was written.
var ErrDiffers = errors.New("the target does not hold what was written to it")

// DifferError names the ranges of the target that are not as written. It
// wraps [ErrDiffers].
type DifferError struct {
	Path   string
	Ranges []index.Range // the first ones, on the target
	More   bool          // there are others
}

func (e *DifferError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Path, ErrDiffers)
	if len(e.Ranges) > 0 {
		s += fmt.Sprintf(": first %d bytes at %d", e.Ranges[0].Len, e.Ranges[0].Off)
	}
	return s
}

func (e *DifferError) Unwrap() error { return ErrDiffers }

// Phase is what a restore is doing.
type Phase string

// The phases, in order.
const (
	Prepare Phase = "prepare" // wipe the old table; discard or zero free space
	Write   Phase = "write"
	Flush   Phase = "flush"
	Prove   Phase = "prove"
	Done    Phase = "done"
)

// Progress is how far a restore is. Total is known before and does not change;
// Done reaches it only when everything is flushed and proven.
type Progress struct {
	Phase       Phase
	Done, Total int64 // bytes of work, written and read back
	Off         int64 // where on the target
}

// Report is what a restore did. Sizes are bytes.
type Report struct {
	Written    int64         // written, zeros included
	Same       int64         // found on the target already (Delta)
	Sparse     int64         // zeros that a new file need not store
	Proven     int64         // read back and found right
	Discarded  int64         // given back or zeroed
	Unreadable []index.Range // on the target: zeros, since the source could not be read
	Damaged    []Damage      // zeros, since the image is damaged (SkipDamaged)
	Notes      []string
}

// Complete reports whether all that was in use came back.
func (r *Report) Complete() bool { return len(r.Unreadable) == 0 && len(r.Damaged) == 0 }

// Damage is a range of the target for which the image had nothing good.
type Damage struct {
	index.Range
	Err error
}
