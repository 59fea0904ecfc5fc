package device

import (
	"errors"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openSource opens a plain file, or a block device with O_DIRECT where the
// device takes it.
func openSource(path string) (*os.File, Info, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, Info{}, err
	}
	if st.Mode()&os.ModeDevice == 0 || st.Mode()&os.ModeCharDevice != 0 {
		return openPlain(path)
	}
	f, err := openDirect(path)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := blockInfo(path, f)
	if err != nil {
		f.Close()
	}
	return f, info, err
}

func openPlain(path string) (*os.File, Info, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := plainInfo(path, f)
	if err != nil {
		f.Close()
	}
	return f, info, err
}

// openDirect falls back to buffered reading, with the buffers dropped first.
func openDirect(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if !errors.Is(err, unix.EINVAL) {
		return f, err
	}
	f, err = os.OpenFile(path, os.O_RDONLY, 0)
	if err == nil {
		dropCache(f, 0, 0)
	}
	return f, err
}

// blockInfo asks the kernel about an open block device.
func blockInfo(path string, f *os.File) (Info, error) {
	info := Info{Path: path, Block: true, Start: -1}
	var size uint64
	if err := ioctlPtr(f, unix.BLKGETSIZE64, unsafe.Pointer(&size)); err != nil {
		return info, &os.PathError{Op: "size", Path: path, Err: err}
	}
	info.Size = int64(size)
	info.SectorSize = ioctlInt(f, unix.BLKSSZGET)
	info.PhysicalSector = ioctlInt(f, unix.BLKPBSZGET)
	info.ReadOnly = ioctlInt(f, unix.BLKROGET) != 0
	if dev, err := devOf(path); err == nil {
		info.Model, info.Serial = live.describe(dev)
		info.Start = live.start(dev)
	}
	return info, nil
}

func ioctlPtr(f *os.File, req uintptr, p unsafe.Pointer) error {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), req, uintptr(p))
	runtime.KeepAlive(f)
	if e != 0 {
		return e
	}
	return nil
}

// ioctlInt gives 0 when the device does not say.
func ioctlInt(f *os.File, req uintptr) int {
	var v int32
	if ioctlPtr(f, req, unsafe.Pointer(&v)) != nil {
		return 0
	}
	return int(v)
}

// dataExtent asks the file system for the next data of a sparse file.
func dataExtent(f *os.File, off, size int64) (start, end int64, err error) {
	start, err = f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // no data up to the end
		return size, size, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP): // cannot tell
		return off, size, nil
	case err != nil:
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, err
	}
	return min(start, size), min(end, size), nil
}

func dropCache(f *os.File, off, n int64) {
	unix.Fadvise(int(f.Fd()), off, n, unix.FADV_DONTNEED)
	runtime.KeepAlive(f)
}

// writeBehind waits for the range to be written, without asking the disk to
// flush its own cache, and drops it.
func writeBehind(f *os.File, off, n int64) {
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	unix.SyncFileRange(int(f.Fd()), off, n, all)
	dropCache(f, off, n)
}

func reserve(f *os.File, off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
	runtime.KeepAlive(f)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return &os.PathError{Op: "allocate", Path: f.Name(), Err: err}
	}
	return nil // where it cannot be done, writing does it
}

func freeSpace(dir string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return -1
	}
	return int64(st.Bavail) * st.Bsize
}

// namesDisk: on Linux only the file itself tells.
func namesDisk(string) bool { return false }

// makeSparse: every file may have holes.
func makeSparse(*os.File) {}

// bePolite: the priority is that of the process.
func bePolite(*os.File) {}

func blockIO(f *os.File) readWriterAt { return f }

// openDiskTarget opens a disk or partition for us alone. The kernel refuses
// that by itself for everything mounted, swapped to or under device mapper or
// RAID. It does not know of loop devices that show the same bytes: /proc and
// /sys tell.
func openDiskTarget(path string, o TargetOptions) (*Target, error) {
	dev, err := devOf(path)
	if err != nil {
		return nil, err
	}
	if err := live.guard(path, dev, o.Protect); err != nil {
		return nil, err
	}
	if why, _ := live.inUse(dev); why != "" {
		return nil, refuse(path, ErrBusy, "%s", why)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		return nil, explain(path, err)
	}
	t := &Target{f: f}
	if t.info, err = blockInfo(path, f); err == nil && t.info.ReadOnly {
		err = refuse(path, ErrReadOnly, "is write-protected")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	t.goDirect()
	return t, nil
}

// goDirect adds direct I/O, where the device takes it.
func (t *Target) goDirect() {
	d, err := os.OpenFile(t.info.Path, os.O_RDWR|unix.O_DIRECT, 0)
	if err == nil {
		t.direct, t.raw = d, newRawFile(d, t.info)
	}
}

// explain turns the kernel's refusal into a reason.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		why, _ := inUse(path)
		if why == "" {
			why = "is held by another program or driver"
		}
		return refuse(path, ErrBusy, "%s", why)
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES) && os.Geteuid() == 0:
		return refuse(path, ErrReadOnly, "is write-protected")
	}
	return err
}

// discard: BLKDISCARD for disks, a hole for files.
func discard(f *os.File, block bool, off, n int64) error {
	if !block {
		return noDiscard(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n))
	}
	r := [2]uint64{uint64(off), uint64(n)}
	return noDiscard(ioctlPtr(f, unix.BLKDISCARD, unsafe.Pointer(&r)))
}

// zeroOut: BLKZEROOUT for disks, a hole for files.
func zeroOut(f *os.File, block bool, off, n int64) error {
	if !block {
		return discard(f, block, off, n)
	}
	r := [2]uint64{uint64(off), uint64(n)}
	return noDiscard(ioctlPtr(f, unix.BLKZEROOUT, unsafe.Pointer(&r)))
}

func noDiscard(err error) error {
	for _, e := range []error{unix.EOPNOTSUPP, unix.ENOTTY, unix.EINVAL, unix.ENOSYS} {
		if errors.Is(err, e) {
			return ErrNoDiscard
		}
	}
	return err
}

// rereadTable retries, since others may look at the disk just then; devices
// without partitions answer EINVAL.
func (t *Target) rereadTable() (err error) {
	f := t.f
	for i := range 10 {
		err = ioctlPtr(f, unix.BLKRRPART, nil)
		if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(time.Duration(i+1) * 20 * time.Millisecond)
	}
	return &os.PathError{Op: "read partition table of", Path: f.Name(), Err: err}
}

var _ io.ReaderAt = (*Target)(nil)
