package capture

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// clean starts writing new bytes back, waits for the batch before, and drops
// it from the page cache. Errors are left for Sync.
func (f *osFile) clean(upto int64) {
	fd := int(f.Fd())
	unix.SyncFileRange(fd, f.begun, upto-f.begun, unix.SYNC_FILE_RANGE_WRITE)
	if f.begun > f.clear {
		n := f.begun - f.clear
		unix.SyncFileRange(fd, f.clear, n, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
		unix.Fadvise(fd, f.clear, n, unix.FADV_DONTNEED)
	}
	f.begun, f.clear = upto, f.begun
}

// settles: after two cleans of the same length all is on the medium.
const settles = true

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch err {
	case nil:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.ENOTSUP:
		return renamePlain(from, to)
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
