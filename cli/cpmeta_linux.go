package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"vitrine/volume"
)

// errQuota is the target's "disk quota exceeded".
const errQuota = unix.EDQUOT

// streamsByName says whether this system itself takes "file:stream" for a
// stream of the file.
const streamsByName = false

func createStream(dir *os.Root, name string) (*os.File, error) {
	return createPart(dir, name)
}

// holdPart locks a temporary file for as long as it is open.
func holdPart(f *os.File) { unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// abandoned says whether nobody writes a temporary file any more: it is not
// locked, and its process is gone, or long had the time to lock it.
func abandoned(dir *os.Root, name string, pid int) bool {
	f, err := dir.OpenFile(name, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	return unix.Kill(pid, 0) == unix.ESRCH || time.Since(time.Unix(st.Ctim.Unix())) > partGrace
}

func setXattr(f *os.File, name string, value []byte) error {
	return unix.Fsetxattr(int(f.Fd()), name, value, 0)
}

// writeTimes is not [os.Root.Chtimes], which knows the years 1677 to 2262 only. Linux
// keeps its own birth times.
func writeTimes(dir *os.Root, name string, a volume.Attr) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	for i, t := range []time.Time{a.AccessTime, a.ModTime} {
		if t.IsZero() {
			continue
		}
		if ts[i], err = unix.TimeToTimespec(t); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(int(d.Fd()), name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// setLinkTimes sets the times of a link itself.
func setLinkTimes(dir *os.Root, name string, a volume.Attr) error { return writeTimes(dir, name, a) }

// setAttributes keeps the Windows attributes where Samba looks for them, and
// the owner if we may.
func setAttributes(dir *os.Root, name string, a volume.Attr, wanted bool) error {
	if !wanted {
		return nil
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if a.HasPOSIX && os.Geteuid() == 0 {
		f.Chown(int(a.UID), int(a.GID))
	}
	if a.Win == 0 {
		return nil
	}
	return setXattr(f, "user.DOSATTRIB", []byte(fmt.Sprintf("0x%x", a.Win)))
}

// syncDest waits until all that was written is on the disk.
func syncDest(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// setSDDL is not for this system; the command says so.
func setSDDL(*os.Root, string, string) error { return errors.ErrUnsupported }
