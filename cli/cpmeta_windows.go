package cli

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
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

// writeTimes is not [os.Root.Chtimes], which knows the years 1677 to 2262 only.
func writeTimes(dir *os.Root, name string, a volume.Attr) error {
	return withHandle(dir, name, func(h windows.Handle) error {
		return windows.SetFileTime(h, filetime(a.BirthTime), filetime(a.AccessTime), filetime(a.ModTime))
	})
}

// filetime is nil, which leaves a time as it is, for one that there is not.
func filetime(t time.Time) *windows.Filetime {
	if t.IsZero() {
		return nil
	}
	const from1601 = 11644473600
	steps := uint64((t.Unix()+from1601)*1e7 + int64(t.Nanosecond())/100)
	return &windows.Filetime{LowDateTime: uint32(steps), HighDateTime: uint32(steps >> 32)}
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

// setSDDL sets permissions and, with the privilege of restoring, owner and group.
func setSDDL(dir *os.Root, name, sddl string) error {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return err
	}
	path := filepath.Join(dir.Name(), name)
	if acl, _, err := sd.DACL(); err == nil {
		inherits := windows.SECURITY_INFORMATION(windows.UNPROTECTED_DACL_SECURITY_INFORMATION)
		if control, _, err := sd.Control(); err == nil && control&windows.SE_DACL_PROTECTED != 0 {
			inherits = windows.PROTECTED_DACL_SECURITY_INFORMATION
		}
		if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|inherits, nil, nil, acl, nil); err != nil {
			return err
		}
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return nil // it names none
	}
	group, _, _ := sd.Group()
	mayRestore()
	return windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.GROUP_SECURITY_INFORMATION, owner, group, nil, nil)
}

// mayRestore takes up the privilege to give files away, where this process has
// it; setting an owner fails without.
var mayRestore = sync.OnceFunc(func() {
	var token windows.Token
	if windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ADJUST_PRIVILEGES|windows.TOKEN_QUERY, &token) != nil {
		return
	}
	defer token.Close()
	name, _ := windows.UTF16PtrFromString("SeRestorePrivilege")
	state := windows.Tokenprivileges{PrivilegeCount: 1}
	if windows.LookupPrivilegeValue(nil, name, &state.Privileges[0].Luid) == nil {
		state.Privileges[0].Attributes = windows.SE_PRIVILEGE_ENABLED
		windows.AdjustTokenPrivileges(token, false, &state, 0, nil, nil)
	}
})
