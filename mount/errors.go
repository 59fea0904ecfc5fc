package mount

import (
	"context"
	"errors"
	"io/fs"

	"vitrine/volume"
)

// Why a mount point cannot be used; wrapped in [*PointError].
var (
	// ErrMissing: there is no such folder.
	ErrMissing = errors.New("there is no such folder")
	// ErrNotFolder: it is something else.
	ErrNotFolder = errors.New("it is not a folder")
	// ErrNotEmpty: the folder has entries, which the mount would hide.
	ErrNotEmpty = errors.New("the folder is not empty")
	// ErrMounted: something is mounted there already.
	ErrMounted = errors.New("something is mounted there already")
	// ErrOverImage: the mount would hide the image's own files.
	ErrOverImage = errors.New("the image itself lies in there")
	// ErrNotMounted: nothing of Vitrine's is mounted there.
	ErrNotMounted = errors.New("no image is mounted there")
	// ErrBusy: the mount is in use; see [*BusyError].
	ErrBusy = errors.New("the mount is in use")
)

// Why there is no driver; wrapped in [*DriverError].
var (
	// ErrNoDriver: the system's driver is absent or does not work.
	ErrNoDriver = errors.New("no driver for mounting")
	// ErrNoRight: the user may not mount, or not like this.
	ErrNoRight = errors.New("no right to mount")
)

// PointError says what is wrong with a mount point.
type PointError struct {
	Dir string
	Err error
}

func (e *PointError) Error() string { return e.Dir + ": " + e.Err.Error() }
func (e *PointError) Unwrap() error { return e.Err }

// DriverError says why the system cannot mount. Detail is in the words of the
// system or its helper.
type DriverError struct {
	Err    error // ErrNoDriver or ErrNoRight
	Detail string
}

func (e *DriverError) Error() string { return e.Err.Error() + ": " + e.Detail }
func (e *DriverError) Unwrap() error { return e.Err }

// BusyError says who uses a mount.
type BusyError struct {
	Dir   string
	Users []string // "bash (1234)", "/dev/loop0"; as far as this user may see them
}

func (e *BusyError) Error() string {
	s := e.Dir + ": " + ErrBusy.Error()
	for i, u := range e.Users {
		if i == 0 {
			s += ": "
		} else {
			s += ", "
		}
		s += u
	}
	return s
}

func (e *BusyError) Unwrap() error { return ErrBusy }

// class is what a driver can tell a system about an error.
type class uint8

const (
	classIO class = iota // all that is not listed
	classNotExist
	classNotDir
	classIsDir
	classPermission
	classInvalid
	classUnsupported
	classEncrypted
	classNotCaptured
	classCanceled
	classTimeout
)

// classes is the one table from errors to what systems are told, in the order
// in which they are tried.
var classes = []struct {
	err   error
	class class
}{
	{fs.ErrNotExist, classNotExist},
	{volume.ErrNotDir, classNotDir},
	{volume.ErrIsDir, classIsDir},
	{volume.ErrEncrypted, classEncrypted},
	{volume.ErrNotCaptured, classNotCaptured},
	{volume.ErrUnsupported, classUnsupported},
	{volume.ErrCorrupt, classIO},
	{fs.ErrPermission, classPermission},
	{fs.ErrInvalid, classInvalid},
	{context.Canceled, classCanceled},
	{context.DeadlineExceeded, classTimeout},
}

func classOf(err error) class {
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.class
		}
	}
	return classIO
}
