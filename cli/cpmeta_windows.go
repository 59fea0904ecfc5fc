package cli

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"vitrine/volume"
)

// errQuota is the target's "not enough quota".
const errQuota = windows.ERROR_NOT_ENOUGH_QUOTA

// streamsByName says whether this system itself takes "file:stream" for a
// stream of the file.
const streamsByName = true

// createStream opens a stream by its full name: names were checked when the
// file was made.
func createStream(dir *os.Root, name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir.Name(), name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
}

// holdPart does nothing: nobody can remove a file that is open here.
func holdPart(*os.File) {}

// abandoned leaves it to the removal to fail where a file is in use.
func abandoned(dir *os.Root, name string, _ int) bool {
	info, err := dir.Lstat(name)
	return err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > partGrace
}

func setXattr(*os.File, string, []byte) error { return errors.ErrUnsupported }

func setBirth(dir *os.Root, name string, a volume.Attr) error {
	if a.BirthTime == volume.NoTime {
		return nil
	}
	return withHandle(dir, name, func(h windows.Handle) error {
		t := windows.NsecToFiletime(a.BirthTime)
		return windows.SetFileTime(h, &t, nil, nil)
	})
}

// setLinkTimes does nothing: links keep the time of their making here.
func setLinkTimes(*os.Root, string, volume.Attr) error { return nil }

func withHandle(dir *os.Root, name string, do func(windows.Handle) error) error {
	p, err := windows.UTF16PtrFromString(filepath.Join(dir.Name(), name))
	if err != nil {
		return err
	}
	h, err := windows.CreateFile(p, windows.FILE_WRITE_ATTRIBUTES, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return do(h)
}

// keptAttributes are those that can be set from outside: read-only, hidden,
// system, archive, not indexed.
const keptAttributes = 0x1 | 0x2 | 0x4 | 0x20 | 0x2000

func setAttributes(dir *os.Root, name string, a volume.Attr, wanted bool) error {
	if !wanted || a.Win&keptAttributes == 0 {
		return nil
	}
	p, err := windows.UTF16PtrFromString(filepath.Join(dir.Name(), name))
	if err != nil {
		return err
	}
	return windows.SetFileAttributes(p, a.Win&keptAttributes)
}

// syncDest does nothing: the system writes behind on its own.
func syncDest(*os.Root) error { return nil }
