package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"vitrine/index"
	"vitrine/mount"
	"vitrine/volume"
)

// problem is an error with all that its two lines need. Commands make one
// where they know more than the class of an error tells; explain makes one of
// everything else.
type problem struct {
	code exitCode
	msg  string // what and where, one line
	hint string // is the data safe, what to do next, one line
	err  error
}

func (p *problem) Error() string { return p.msg }
func (p *problem) Unwrap() error { return p.err }

// usage is a mistake on the command line.
func usage(hint, format string, a ...any) error {
	return &problem{code: exitUsage, msg: fmt.Sprintf(format, a...), hint: hint}
}

// failed is a failure that the command has the words for.
func failed(code exitCode, hint, format string, a ...any) error {
	return &problem{code: code, msg: fmt.Sprintf(format, a...), hint: hint}
}

// at puts what was being done in front of an error.
func at(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func interrupted(err error) error {
	p := &problem{code: exitInterrupted, msg: "interrupted", hint: "nothing that existed before was changed", err: err}
	if told, ok := errors.AsType[*problem](err); ok && told.code == exitInterrupted {
		return told
	}
	return p
}

// explain finds the two lines and the exit code for err.
func explain(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return &problem{p.code, oneLine(p.msg), oneLine(p.hint), err}
	}
	for _, r := range hintTable {
		if r.is(err) {
			return &problem{r.code, oneLine(plain(err)), oneLine(r.text(err)), err}
		}
	}
	return &problem{exitFailed, oneLine(plain(err)), "nothing that existed before was changed; 'vitrine help' tells what each command needs", err}
}

// hintRule is what to say of a class of errors.
type hintRule struct {
	is   func(error) bool
	code exitCode
	hint any // string, or func(error) string
}

// hintTable is searched from the top; the first class that fits speaks.
var hintTable = []hintRule{
	{is[*mount.PointError], exitFailed, pointHint},
	{is[*mount.DriverError], exitDriver, driverHint},
	{isAny(mount.ErrBusy), exitFailed, busyHint},
	{isAny(context.Canceled), exitInterrupted, "nothing that existed before was changed"},
	{isAny(index.ErrUnfinished), exitFailed, "this capture was cut off; earlier points are safe, and 'vitrine rescue' salvages what this one holds"},
	{isAny(index.ErrNotMember), exitFailed, "IMAGE is a .vtr file, an Image ID or a folder with one set; for a raw image or a disk add --device"},
	{isAny(index.ErrUnsupported), exitFailed, "the image is fine; a newer Vitrine reads it"},
	{isAny(index.ErrCorrupt), exitDamage, "what can be read elsewhere in the image stays readable; 'vitrine verify' tells how much is damaged"},
	{isAny(volume.ErrEncrypted), exitFailed, "the image is fine; these contents need a key that it does not hold"},
	{isAny(volume.ErrNotCaptured), exitIncomplete, "the contents were left out of the image on purpose or never were on this disk; 'vitrine info' lists what was left out"},
	{isAny(volume.ErrUnsupported), exitFailed, "the data is safe: it can be restored, verified and read as a disk, only not as files"},
	{isAny(volume.ErrCorrupt), exitDamage, "the file system was damaged when it was captured; 'vitrine check' tells where, other files may be fine"},
	{isAny(volume.ErrNotDir), exitFailed, "look at the folder above it with 'vitrine ls'"},
	{isAny(volume.ErrIsDir), exitFailed, "'vitrine cp' copies whole folders, 'vitrine ls' lists them"},
	{isAny(syscall.ENOSPC), exitFailed, "free some space there or choose another place; what existed before is untouched"},
	{isAny(syscall.EROFS), exitFailed, "this place is read-only; choose another"},
	{isAny(fs.ErrPermission), exitDriver, "run it again with the rights to do so (sudo, or 'Run as administrator')"},
	{isAny(fs.ErrNotExist), exitFailed, "check the spelling; nothing was changed"},
	{isAny(fs.ErrExist), exitFailed, "nothing was overwritten; choose another name"},
	{isAny(syscall.ENOTDIR), exitFailed, "a part of this path is a file; check the spelling"},
	{isAny(syscall.EISDIR), exitFailed, "this is a folder; name a file"},
	{isAny(syscall.EBUSY), exitFailed, "something still uses it; close programs that do and try again"},
}

func (r *hintRule) text(err error) string {
	if f, ok := r.hint.(func(error) string); ok {
		return f(err)
	}
	return r.hint.(string)
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

func isAny(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

// plain is the text of err without the name of the system call that failed.
func plain(err error) string {
	text := err.Error()
	for e := err; e != nil; e = errors.Unwrap(e) {
		var long, short string
		switch pe := e.(type) {
		case *fs.PathError:
			long, short = pe.Error(), pe.Path+": "+pe.Err.Error()
		default:
			continue
		}
		text = strings.Replace(text, long, short, 1)
	}
	return text
}

// oneLine keeps a message to its one line, whatever names are in it.
func oneLine(s string) string {
	return printable(strings.ReplaceAll(strings.TrimSpace(s), "\n", " "))
}
