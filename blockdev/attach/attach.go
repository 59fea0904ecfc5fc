package attach

import "errors"

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

// Device is what [Attached] tells of a loop device.
type Device struct {
	Path     string // /dev/loop3
	File     string // what lies under it, as the kernel names it
	ReadOnly bool
}
