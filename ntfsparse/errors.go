package ntfsparse

import (
	"errors"
	"fmt"
)

// Classes of errors; every error of this package wraps one of them, or
// fs.ErrNotExist for a name that is not there, or the error of the reader
// below.
var (
	// ErrCorrupt marks structures that contradict themselves or the volume.
	ErrCorrupt = errors.New("NTFS structure is damaged")
	// ErrUnsupported marks what is recognised but cannot be read.
	ErrUnsupported = errors.New("not supported")
	// ErrEncrypted marks EFS contents; their raw bytes can be read.
	ErrEncrypted = errors.New("contents are encrypted (EFS)")
	// ErrNotCaptured marks contents that are not on the volume, as those of a
	// cloud placeholder that was not downloaded.
	ErrNotCaptured = errors.New("contents are not on this volume")
	// ErrNotDir marks a folder operation on something else.
	ErrNotDir = errors.New("not a folder")
	// ErrIsDir marks a file operation on a folder.
	ErrIsDir = errors.New("is a folder")
	// ErrDeleted marks a file record that is not in use.
	ErrDeleted = errors.New("file record is not in use")
)

// NoRecord stands in [Error.Record] for what belongs to no file record.
const NoRecord = ^uint64(0)

// Error says what is wrong and where.
type Error struct {
	Class  error  // one of this package's classes, or fs.ErrNotExist
	What   string // the finding, in a few words
	Record uint64 // file record number, or NoRecord
	Off    int64  // byte offset inside the structure, -1 when it says nothing
	Err    error  // cause below, or nil
}

// Error is one line: class, finding, place, cause.
func (e *Error) Error() string {
	s := e.Class.Error() + ": " + e.What
	if e.Record != NoRecord {
		s += fmt.Sprintf(", file record %d", e.Record)
	}
	if e.Off >= 0 {
		s += fmt.Sprintf(", offset %#x", e.Off)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

func corrupt(what string, off int) error {
	return &Error{Class: ErrCorrupt, What: what, Record: NoRecord, Off: int64(off)}
}

func corruptf(format string, args ...any) error {
	return corrupt(fmt.Sprintf(format, args...), -1)
}

// inRecord names the file record in an error that does not yet name one.
func inRecord(err error, n uint64) error {
	if err == nil {
		return nil // without e, which is allocated
	}
	var e *Error
	if errors.As(err, &e) && e.Record == NoRecord {
		c := *e
		c.Record = n
		return &c
	}
	return err
}

func classf(class error, n uint64, format string, args ...any) error {
	return &Error{Class: class, What: fmt.Sprintf(format, args...), Record: n, Off: -1}
}
