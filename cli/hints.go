package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"vitrine/blockdev/attach"
	"vitrine/blockdev/nbd"
	"vitrine/blockdev/overlay"
	"vitrine/capture"
	"vitrine/device"
	"vitrine/device/vss"
	"vitrine/index"
	"vitrine/mount"
	"vitrine/reader"
	"vitrine/restore"
	"vitrine/shellext"
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
	told, ok := errors.AsType[*problem](err)
	if ok && (told.code == exitInterrupted || errors.Is(told, errLost)) { // an interrupt is how servers end
		return told
	}
	return &problem{exitInterrupted, "interrupted", "nothing that existed before was changed", err}
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
	{is[*capture.OptionError], exitUsage, "'vitrine capture --help' shows what it takes; nothing was written"},
	{isAny(capture.ErrWrongParent), exitFailed, "nothing was written; name the image of this disk with --onto, or leave --onto away for a full (--other-source takes it all the same)"},
	{is[*capture.ParentMissingError], exitMissing, "put that member beside the unfinished file or name its folder with --search; nothing was changed"},
	{isAny(capture.ErrNothing), exitFailed, "earlier points are untouched; no whole block of the disk was found in this file: it can be deleted"},
	{isAny(capture.ErrWriting), exitFailed, "a capture is under way: wait until it ends; only if it fails is there something to rescue"},
	{isAny(capture.ErrFinished), exitFailed, "there is nothing to rescue; use it as it is"},
	{isAny(device.ErrSnapshotFull), exitFailed, "earlier points are untouched; capture again when less is written, or with more free space in the volume group"},
	{isAny(device.ErrNoSnapshot), exitFailed, "nothing was written; --snapshot auto captures it as it is, while it is in use"},
	{isAny(capture.ErrSourceGone), exitFailed, "earlier points are untouched; connect the disk again and capture again"},
	{is[*reader.MissingError], exitMissing, missingHint},
	{is[*reader.PointSyntaxError], exitUsage, "give a number, \"latest\" or a time, like @3 or @2026-11-02T14:00"},
	{is[*reader.NoPointError], exitFailed, "'vitrine list' shows the points of the set; nothing was changed"},
	{is[*reader.SeveralSetsError], exitFailed, severalHint},
	{is[*reader.BrokenPointError], exitDamage, brokenHint},
	{is[*reader.UnfinishedError], exitFailed, unfinishedHint},
	{isAny(reader.ErrUnreadable), exitIncomplete, "what is in the image is safe; 'vitrine info' lists such places, an earlier point may have these bytes"},
	{is[*reader.DamageError], exitDamage, "the image is damaged there; other files and points may be fine, 'vitrine verify' tells; a second copy of this file helps"},
	{isAny(restore.ErrTooSmall, restore.ErrNoSpace), exitFailed, "nothing was written; choose a larger target"},
	{isAny(restore.ErrSectorSize), exitFailed, "nothing was written; choose another disk, or --any-sector for a target that is only to be read"},
	{isAny(restore.ErrNoPartition), exitFailed, "nothing was written; 'vitrine restore --dry-run' shows what is on the target"},
	{isAny(restore.ErrNotCaptured), exitFailed, "nothing was written; 'vitrine info' tells what the image holds"},
	{isAny(restore.ErrDiffers), exitDamage, "the image is untouched; the target is not to be trusted: its disk or cable may be failing"},
	{isAny(device.ErrNotDisk), exitFailed, "name a disk, a partition or a raw image file"},
	{isAny(device.ErrUnsupported), exitDriver, "this takes another system; nothing was changed"},
	{isAny(device.ErrTooSmall), exitFailed, "nothing was written; choose a larger target"},
	{isAny(device.ErrExists), exitFailed, "nothing was written; choose another name, or --overwrite"},
	{isAny(device.ErrProtected), exitFailed, "nothing was written; choose another target"},
	{isAny(device.ErrReadOnly), exitDriver, "nothing was written; the system does not let this target be written"},
	{isAny(vss.ErrNone), exitFailed, "nothing was written; --snapshot auto takes such disks as they are"},
	{is[*vss.StepError], exitFailed, "nothing was written; 'vssadmin list writers' tells how applications are, --snapshot none does without"},
	{isAny(device.ErrBusy), exitFailed, "nothing was written; unmount or detach it first, or choose another target"},
	{is[*mount.OptionError], exitUsage, "'vitrine mount --help' lists options"},
	{is[*mount.PointError], exitFailed, pointHint},
	{is[*mount.DriverError], exitDriver, driverHint},
	{isAny(mount.ErrBusy), exitFailed, busyHint},
	{isAny(attach.ErrBusy), exitFailed, "unmount it first and close what uses it; the disk stays attached"},
	{isAny(overlay.ErrOtherBase), exitFailed, "name the point and partition that it was made over, served the same way, or a new file; image and overlay are as they were"},
	{isAny(overlay.ErrNotOverlay), exitFailed, "name a new file, or one that --overlay-file made; this one was not changed"},
	{isAny(overlay.ErrInUse), exitFailed, "end what has it open, or name another file"},
	{isAny(overlay.ErrCorrupt), exitDamage, "the image is safe; begin again with a new overlay file, and keep this one if what was written matters"},
	{is[*nbd.TLSFileError], exitFailed, "certificates and keys are PEM files, keys without a password; 'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem' makes both"},
	{isAny(shellext.ErrUnsupported), exitDriver, "start vitrine from a terminal; nothing was changed"},
	{isAny(attach.ErrUnavailable), exitDriver, onSystem("attaching needs the rights of an administrator ('Run as administrator'), and Windows' iSCSI initiator or room for a copy beside the image; 'vitrine mount' shows the files without", "attaching needs root, and the kernel's NBD client ('modprobe nbd') or FUSE (/dev/fuse) with loop devices; 'vitrine serve nbd' needs none of them")},
	{isAny(context.Canceled), exitInterrupted, "nothing that existed before was changed"},
	{isAny(index.ErrUnfinished), exitFailed, "this capture was cut off; earlier points are safe, and 'vitrine rescue' salvages what this one holds"},
	{isAny(index.ErrNotMember), exitFailed, "IMAGE is a .vtr file, an Image ID or a folder with one set; for a raw image or a disk add --device"},
	{isAny(index.ErrUnsupported), exitFailed, "the image is fine; a newer Vitrine reads it"},
	{isAny(index.ErrCorrupt), exitDamage, "what can be read elsewhere in the image stays readable; 'vitrine verify' tells how much is damaged"},
	{isAny(volume.ErrEncrypted), exitFailed, "the image is fine; these contents need a key that it does not hold; 'vitrine cat --raw' gives them as they are stored"},
	{isAny(volume.ErrNotCaptured), exitIncomplete, "the contents were left out of the image on purpose or never were on this disk; 'vitrine info' of the image lists what was left out"},
	{isAny(volume.ErrLocked), exitFailed, "the data is safe: attach or restore it where BitLocker can unlock it, and read the files there"},
	{isAny(volume.ErrUnsupported), exitFailed, "the data is safe: it can be restored, verified and read as a disk, only not as files"},
	{isAny(volume.ErrCorrupt), exitDamage, "the file system is damaged here; 'vitrine check' tells where, other files may be fine"},
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

// onSystem chooses what to say on Windows and elsewhere.
func onSystem(windows, other string) string {
	if onWindows {
		return windows
	}
	return other
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

// missingHint tells where a member was looked for, and what to do.
func missingHint(err error) string {
	m, _ := errors.AsType[*reader.MissingError](err)
	return fmt.Sprintf("put %s beside the others or name its folder with --search; points that do not need it stay usable, 'vitrine list' shows them", m.Name)
}

func severalHint(err error) string {
	s, _ := errors.AsType[*reader.SeveralSetsError](err)
	ids := make([]string, len(s.Sets))
	for i, set := range s.Sets {
		ids[i] = filepath.Join(s.Dir, set.ID.String())
	}
	return fmt.Sprintf("name one by the file of a member or by its Image ID: %s", strings.Join(ids, " or "))
}

func brokenHint(err error) string {
	b, _ := errors.AsType[*reader.BrokenPointError](err)
	return fmt.Sprintf("earlier points are safe: name the one to take, like %s@%d; 'vitrine list' shows them", b.Image, b.Earlier)
}

func unfinishedHint(err error) string {
	u, _ := errors.AsType[*reader.UnfinishedError](err)
	if u.Writing {
		return "this capture is still under way: wait until it ends; earlier points can be read meanwhile"
	}
	return fmt.Sprintf("this capture was cut off; earlier points are safe, and 'vitrine rescue %s' saves what it holds", u.Path)
}

// plain is the text of err without the name of the system call that failed.
func plain(err error) string {
	text := err.Error()
	for e := err; e != nil; e = errors.Unwrap(e) {
		var long, short string
		switch pe := e.(type) {
		case *fs.PathError:
			long, short = pe.Error(), pe.Path+": "+systemWords(pe.Err)
		default:
			continue
		}
		text = strings.Replace(text, long, short, 1)
	}
	return text
}

// systemWords is the text of a system's error. Windows gives it in the language
// of the user, unlike everything around it; the frequent ones have words here.
func systemWords(err error) string {
	switch {
	case !onWindows:
	case errors.Is(err, fs.ErrNotExist):
		return "no such file or directory"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.Is(err, fs.ErrExist):
		return "file exists"
	}
	return err.Error()
}

// afterLetter is the second colon where a drive is named before a message: "X:: in use".
var afterLetter = regexp.MustCompile(`\b([A-Za-z]:): `)

// oneLine keeps a message to its one line, whatever names are in it.
func oneLine(s string) string {
	if onWindows {
		s = afterLetter.ReplaceAllString(s, "$1 ")
	}
	return printable(strings.ReplaceAll(strings.TrimSpace(s), "\n", " "))
}
