package attach

import (
	"errors"
	"strings"
)

// Errors of attaching.
var (
	// ErrUnavailable says that a driver or a right is missing.
	ErrUnavailable = errors.New("block devices cannot be made here")
	// ErrBusy says that somebody still uses the device.
	ErrBusy = errors.New("device is in use")
)

// LoopOptions of a loop device. The zero value works.
type LoopOptions struct {
	ReadOnly bool
	// SectorSize of the device in bytes. 0: 512.
	SectorSize int
	// Buffered reads the file through the page cache. By default it is read
	// directly where its file system can: the device has a cache of its own.
	Buffered bool
	// NoPartitions leaves the partition table alone.
	NoPartitions bool
	// Partitions are what the caller knows of the table. They are told to a
	// kernel that finds none by itself, because it was built without that
	// table's format.
	Partitions []Partition
}

// Partition is a range of a disk.
type Partition struct {
	Number   int   // as Linux counts, from 1
	Off, Len int64 // bytes, multiples of 512
}

// DiskOptions of [Attach]. The zero value works.
type DiskOptions struct {
	// Name is how the system's list of loop devices calls what lies under the
	// device; a '/' in it becomes '_'. "": disk.
	Name string
	// Partitions of the disk; none: the kernel does not look for any.
	Partitions []Partition
	// Dir is where a copy of the disk may be put, when there is no other way: on
	// Windows. "": the folder for temporary files.
	Dir string
	// Guard are arguments with which this program calls [Guard]: a process of its
	// own that undoes what a killed one leaves, where that takes one (Windows).
	// None: there is no guard.
	Guard []string
	// Log takes a line about each request that failed; nil: dropped. It may be
	// called in parallel.
	Log func(line string)
}

// maxName is what a file may be called on Linux, in bytes.
const maxName = 255

func (o *DiskOptions) name() string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == 0 {
			return '_'
		}
		return r
	}, o.Name)
	if name == "" || name == "." || name == ".." {
		return "disk"
	}
	return name[max(0, len(name)-maxName):]
}

func (o *DiskOptions) log(line string) {
	if o.Log != nil {
		o.Log(line)
	}
}

// Device is what [Attached] tells of a loop device.
type Device struct {
	Path     string // /dev/loop3
	File     string // what lies under it, as the kernel names it
	ReadOnly bool
}
