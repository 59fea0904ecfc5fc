package device

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// How long programs are given to let go of a volume.
const (
	lockTries = 20
	lockPause = 500 * time.Millisecond
)

// openDiskTarget opens a disk or volume for us alone. Every volume on it is
// locked, which fails while a file on it is open, and dismounted; both end when
// the target is closed, or this process is.
func openDiskTarget(path string, o TargetOptions) (*Target, error) {
	n := parseWinName(path)
	if n.kind == winOther {
		return nil, refuse(path, ErrNotDisk, "is neither a disk nor a plain file")
	}
	wt := &winTarget{disk: n.disk}
	if n.kind == winVolume {
		v := volumeAt(n.open)
		wt.disk, wt.vol = -1, &v
	}
	if err := guard(path, wt, o.Protect); err != nil {
		return nil, err
	}
	f, err := openDevice(path, n, windows.GENERIC_READ|windows.GENERIC_WRITE)
	if err != nil {
		return nil, explain(path, err)
	}
	t := &Target{f: f}
	if t.info, err = blockInfo(path, n, f); err == nil && t.info.ReadOnly {
		err = refuse(path, ErrReadOnly, "is write-protected")
	}
	if err == nil {
		t.hold, err = holdAll(path, n, f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	t.raw = newRawFile(blockIO(f), t.info)
	return t, nil
}

func explain(path string, err error) error {
	switch {
	case errors.Is(err, windows.ERROR_WRITE_PROTECT):
		return refuse(path, ErrReadOnly, "is write-protected")
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return refuse(path, ErrBusy, "is held by another program")
	}
	return err
}

// windowsHold holds a target's volumes.
type windowsHold struct {
	f       *os.File
	disk    int        // -1: the target is a volume, f itself
	volumes []*os.File // of a disk, locked
	begun   bool
	offline bool // we took the disk offline
}

func holdAll(path string, n winName, f *os.File) (holder, error) {
	h := &windowsHold{f: f, disk: -1}
	if n.kind == winVolume {
		return h, lockVolume(path, f)
	}
	h.disk = n.disk
	for _, v := range volumes() {
		if !v.on(n.disk) {
			continue
		}
		if err := h.lock(path, &v); err != nil {
			h.release()
			return nil, err
		}
	}
	return h, nil
}

func (h *windowsHold) lock(path string, v *winVol) error {
	open := strings.TrimSuffix(v.name, `\`)
	n := winName{kind: winVolume, open: open}
	f, err := openDevice(open, n, windows.GENERIC_READ|windows.GENERIC_WRITE)
	if errors.Is(err, windows.ERROR_WRITE_PROTECT) {
		f, err = openDevice(open, n, windows.GENERIC_READ) // an attached image; it can be locked all the same
	}
	if err != nil {
		return explain(path, err)
	}
	h.volumes = append(h.volumes, f)
	if err := lockVolume(v.label(), f); errors.Is(err, ErrBusy) {
		return refuse(path, ErrBusy, "its volume %s is in use: close the programs and windows that show it", v.label())
	} else if err != nil {
		return err
	}
	return nil
}

// lockVolume locks a volume, with patience, and dismounts it: from then on its
// file system does not touch it.
func lockVolume(name string, f *os.File) (err error) {
	for i := range lockTries {
		if i > 0 {
			time.Sleep(lockPause)
		}
		if _, err = control(handleOf(f), fsctlLock, nil, nil); !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			break
		}
	}
	if err != nil && !noFileSystem(err) {
		return refuse(name, ErrBusy, "is in use: close the programs and windows that show it (%v)", err)
	}
	if _, err = control(handleOf(f), fsctlDismount, nil, nil); err != nil && !noFileSystem(err) {
		return &os.PathError{Op: "dismount", Path: name, Err: err}
	}
	return nil
}

// noFileSystem reports answers of a volume that nothing is mounted on.
func noFileSystem(err error) bool {
	for _, e := range []error{windows.ERROR_INVALID_FUNCTION, windows.ERROR_NOT_SUPPORTED, windows.ERROR_INVALID_PARAMETER, windows.ERROR_UNRECOGNIZED_VOLUME} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// begin takes a disk offline, so that nothing mounts it half-way. Disks that
// cannot be, as USB sticks, stay held by their volumes' locks.
func (h *windowsHold) begin() error {
	if h.begun {
		return nil
	}
	h.begun = true
	if h.disk < 0 {
		return nil
	}
	if b, err := ask(handleOf(h.f), ioctlDiskAttributes, nil); err == nil {
		if a, err := decodeAttributes(b); err == nil && a&diskOffline != 0 {
			return nil // it was before; it stays so
		}
	}
	if _, err := control(handleOf(h.f), ioctlDiskSetAttributes, encodeAttributes(diskOffline, diskOffline), nil); err == nil {
		h.offline = true
		h.release()
	}
	return nil
}

// end lets the system have the disk again and look at it anew.
func (h *windowsHold) end() error {
	var err error
	if h.offline {
		_, err = control(handleOf(h.f), ioctlDiskSetAttributes, encodeAttributes(0, diskOffline), nil)
		if err != nil {
			err = fmt.Errorf("the disk stays offline; bring it online in Disk Management: %w", err)
		}
	}
	if h.disk >= 0 && h.begun {
		control(handleOf(h.f), ioctlDiskUpdate, nil, nil)
	}
	return errors.Join(err, h.release())
}

func (h *windowsHold) release() (err error) {
	for _, f := range h.volumes {
		err = errors.Join(err, f.Close())
	}
	h.volumes = nil
	return err
}

// rereadTable has the system look at the disk's table. While the disk is
// offline nothing on it is mounted; that comes when the target is closed.
func (t *Target) rereadTable() error {
	h, ok := t.hold.(*windowsHold)
	if !ok || h.disk < 0 {
		return nil
	}
	if _, err := control(handleOf(t.f), ioctlDiskUpdate, nil, nil); err != nil {
		return &os.PathError{Op: "read partition table of", Path: t.info.Path, Err: err}
	}
	return nil
}
