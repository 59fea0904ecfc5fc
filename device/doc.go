// Package device opens the operating system's disks and plain files that stand
// for disks: as a source that is only read ([Open]) and as a target that is
// written ([OpenTarget]).
//
//	d, err := device.Open("/dev/sda")
//	if why, rw := d.InUse(); rw { … } // mounted for writing on /home
//	n, err := d.ReadAt(buf, 0)        // past the page cache
//
// A source is never changed. A target is opened exclusively, after it has been
// made sure that it is not in use, does not hold the image that is restored
// and does not carry the running system.
//
// [OpenSource] opens a source that is to be captured and can hold it still
// meanwhile. On Windows it puts a disk together from shadow copies of its volumes
// and what lies outside them.
//
// Disks are supported on Linux and Windows; elsewhere only plain files, and
// everything else says so with [ErrUnsupported]. Devices and targets are safe
// for parallel use, but for Close.
package device
