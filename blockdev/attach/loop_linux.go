package attach

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"vitrine/internal/mountinfo"
)

const (
	maxTries      = 32 // devices that others may snatch away from us
	partitionTime = 2 * time.Second
)

// LoopDevice is an attached loop device.
type LoopDevice struct {
	f *os.File // keeps the device: it clears itself when the last user is gone
}

// Loop attaches a file to a free loop device. It needs the rights of root.
func Loop(path string, o LoopOptions) (*LoopDevice, error) {
	mode := os.O_RDWR
	if o.ReadOnly {
		mode = os.O_RDONLY
	}
	file, err := openUnpolled(path, mode)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the kernel holds its own reference
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer control.Close()
	for range maxTries {
		f, err := take(control, file, mode, o)
		if err == nil {
			l := &LoopDevice{f}
			return l, l.tell(o)
		}
		if !errors.Is(err, unix.EBUSY) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: every free loop device was taken by others", ErrUnavailable)
}

// openUnpolled opens a file without asking whether it can be polled, as
// os.OpenFile does: the runtime asks without letting go of its processor, and
// waits for ever if this very process is to answer, as its FUSE server.
func openUnpolled(path string, mode int) (*os.File, error) {
	fd, err := unix.Open(path, mode|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// take configures the next free device.
func take(control, file *os.File, mode int, o LoopOptions) (*os.File, error) {
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return nil, fmt.Errorf("%w: no free loop device: %w", ErrUnavailable, err)
	}
	dev, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), mode, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	err = configure(dev, file, o, !o.Buffered)
	if errors.Is(err, unix.EINVAL) && !o.Buffered { // a file system without direct reading
		err = configure(dev, file, o, false)
	}
	if err != nil {
		dev.Close()
		return nil, fmt.Errorf("%s: %w", dev.Name(), err)
	}
	return dev, nil
}

func configure(dev, file *os.File, o LoopOptions, direct bool) error {
	c := unix.LoopConfig{Fd: uint32(file.Fd()), Size: uint32(o.SectorSize)}
	c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	copy(c.Info.File_name[:unix.LO_NAME_SIZE-1], file.Name())
	if o.ReadOnly {
		c.Info.Flags |= unix.LO_FLAGS_READ_ONLY
	}
	if !o.NoPartitions {
		c.Info.Flags |= unix.LO_FLAGS_PARTSCAN
	}
	if direct {
		c.Info.Flags |= unix.LO_FLAGS_DIRECT_IO
	}
	return unix.IoctlLoopConfigure(int(dev.Fd()), &c)
}

// tell adds the partitions that the caller knows if the kernel found none.
func (l *LoopDevice) tell(o LoopOptions) error {
	if o.NoPartitions {
		return nil
	}
	err := addPartitions(l.f, o.Partitions)
	if err != nil {
		l.f.Close()
	}
	return err
}

// addPartitions tells the kernel of partitions if it found none by itself.
func addPartitions(dev *os.File, table []Partition) error {
	if len(nodes(dev.Name())) > 0 {
		return nil
	}
	for _, p := range table {
		b := unix.BlkpgPartition{Start: p.Off, Length: p.Len, Pno: int32(p.Number)}
		if err := blkpg(dev, unix.BLKPG_ADD_PARTITION, b); err != nil {
			return fmt.Errorf("%s: partition %d: %w", dev.Name(), p.Number, err)
		}
	}
	return nil
}

func blkpg(dev *os.File, op int32, b unix.BlkpgPartition) error {
	arg := unix.BlkpgIoctlArg{Op: op, Datalen: int32(unsafe.Sizeof(b)), Data: (*byte)(unsafe.Pointer(&b))}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dev.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

// nodes lists a device's partitions in /sys.
func nodes(path string) []string {
	name := filepath.Base(path)
	found, _ := filepath.Glob("/sys/block/" + name + "/" + name + "p*")
	return found
}

// Path is the device's name: /dev/loop3.
func (l *LoopDevice) Path() string { return l.f.Name() }

// Partitions waits until the nodes of all partitions that the kernel found are
// there and returns their names in order of their numbers.
func (l *LoopDevice) Partitions() ([]string, error) { return Partitions(l.Path()) }

// Partitions is [LoopDevice.Partitions] for a device that may be another
// process's.
func Partitions(path string) ([]string, error) {
	found := nodes(path)
	slices.SortFunc(found, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	deadline := time.Now().Add(partitionTime)
	for i, p := range found {
		found[i] = "/dev/" + filepath.Base(p)
		for _, err := os.Stat(found[i]); err != nil; _, err = os.Stat(found[i]) {
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("%w: the node of a partition: %w", ErrUnavailable, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return found, nil
}

// Detach ends the device, unless somebody uses it or one of its partitions:
// then it fails with [ErrBusy] and the device stays.
func (l *LoopDevice) Detach() error {
	if user := l.user(); user != "" {
		return fmt.Errorf("%s: %w: by %s", l.Path(), ErrBusy, user)
	}
	if err := unix.IoctlSetInt(int(l.f.Fd()), unix.LOOP_CLR_FD, 0); err != nil && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("%s: %w", l.Path(), err)
	}
	return l.f.Close()
}

// Close lets go of the device: it ends as soon as nobody uses it.
func (l *LoopDevice) Close() error { return l.f.Close() }

func (l *LoopDevice) user() string { return User(l.Path()) }

// User returns a mount point of the device /dev/NAME or of one of its
// partitions, or what is laid over them; "" if there is none. Programs that have
// just opened it are not seen.
func User(path string) string {
	name := filepath.Base(path)
	above, _ := filepath.Glob("/sys/block/" + name + "/holders/*")
	more, _ := filepath.Glob("/sys/block/" + name + "/" + name + "p*/holders/*")
	if above = append(above, more...); len(above) > 0 {
		return "/dev/" + filepath.Base(above[0])
	}
	numbers := map[string]bool{}
	nodes, _ := filepath.Glob("/sys/block/" + name + "/" + name + "p*/dev")
	for _, n := range append(nodes, "/sys/block/"+name+"/dev") {
		b, _ := os.ReadFile(n)
		numbers[strings.TrimSpace(string(b))] = true
	}
	mounts, _ := mountinfo.Read(mountinfo.Own)
	for _, m := range mounts {
		if numbers[m.Device] {
			return m.Dir
		}
	}
	return ""
}

// Attached lists the loop devices in use.
func Attached() ([]Device, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var all []Device
	for _, f := range files {
		name, err := os.ReadFile(f)
		if err != nil {
			continue // it was detached just now
		}
		block := filepath.Dir(filepath.Dir(f))
		ro, _ := os.ReadFile(block + "/ro")
		all = append(all, Device{Path: "/dev/" + filepath.Base(block), File: string(bytes.TrimRight(name, "\n")), ReadOnly: len(ro) > 0 && ro[0] == '1'})
	}
	return all, nil
}
