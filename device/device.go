package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Info describes a disk or a plain file. Sizes are in bytes.
type Info struct {
	Path           string
	Block          bool  // a block device, not a plain file
	Size           int64 // 0 for a target that does not exist yet
	SectorSize     int   // logical; 0 for a plain file: unknown
	PhysicalSector int   // 0: unknown
	Model, Serial  string
	ReadOnly       bool  // the system would refuse to write
	Start          int64 // of a partition: its offset on the disk; -1: not a partition, or not known
}

// Device is a disk or plain file opened for reading.
type Device struct {
	info Info
	f    *os.File
	raw  *rawFile // for block devices: past the page cache

	parts   parts // ranges that are read elsewhere
	frozen  bool
	remarks []string
	after   func() error // after everything is closed
}

// Open opens a block device or plain file for reading. It is never locked or
// changed; see [Device.InUse] for who else works on it.
func Open(path string) (*Device, error) {
	f, info, err := openSource(path)
	if err != nil {
		return nil, err
	}
	d := &Device{info: info, f: f}
	if info.Block {
		d.raw = newRawFile(blockIO(f), info)
	}
	return d, nil
}

// ReadAt reads past the page cache where d is a block device. An error of the
// medium comes with the number of bytes that were read before it, and wraps
// the system's error number.
func (d *Device) ReadAt(p []byte, off int64) (int, error) {
	if len(d.parts) > 0 {
		return d.parts.readAt(d.base(), p, off)
	}
	return d.base().ReadAt(p, off)
}

// Info describes the device.
func (d *Device) Info() Info { return d.info }

// Path is the name under which the device was opened.
func (d *Device) Path() string { return d.info.Path }

// Size is the size in bytes when the device was opened.
func (d *Device) Size() int64 { return d.info.Size }

// SectorSize is the logical sector size in bytes; 0 for a plain file.
func (d *Device) SectorSize() int { return d.info.SectorSize }

// PhysicalSector is the physical sector size in bytes; 0 when not known.
func (d *Device) PhysicalSector() int { return d.info.PhysicalSector }

// Model is the maker's name for the disk, "" when not known.
func (d *Device) Model() string { return d.info.Model }

// Serial is the disk's serial number, "" when not known.
func (d *Device) Serial() string { return d.info.Serial }

// Stat tells of the file that was opened, as the system sees it now.
func (d *Device) Stat() (fs.FileInfo, error) { return d.f.Stat() }

// InUse says who else uses the device or a part of it, for a person ("" when
// nobody does, or a snapshot of it is read), and whether they can change it.
func (d *Device) InUse() (reason string, rw bool) {
	if d.frozen {
		return "", false
	}
	return inUse(d.info.Path)
}

// DataExtent gives the first range at or after off that may hold data; what
// lies before start is a hole of the file and reads as zeros. At the end both
// are the size. A block device has no holes.
func (d *Device) DataExtent(off int64) (start, end int64, err error) {
	if off >= d.info.Size {
		return d.info.Size, d.info.Size, nil
	}
	if d.info.Block {
		return off, d.info.Size, nil
	}
	start, end, err = dataExtent(d.f, off, d.info.Size)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: find holes: %w", d.info.Path, err)
	}
	return start, end, nil
}

// DropCache lets the system forget what it cached of a range that was read.
func (d *Device) DropCache(off, n int64) {
	if !d.info.Block {
		dropCache(d.f, off, n)
	}
}

// Close closes the device.
func (d *Device) Close() error {
	err := errors.Join(d.parts.close(), d.f.Close())
	if d.after != nil {
		err = errors.Join(err, d.after())
	}
	return err
}

// plainInfo describes a plain file.
func plainInfo(path string, f *os.File) (Info, error) {
	st, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	if !st.Mode().IsRegular() {
		return Info{}, refuse(path, ErrNotDisk, "is neither a disk nor a plain file")
	}
	return Info{Path: path, Size: st.Size(), Start: -1}, nil
}

var _ io.ReaderAt = (*Device)(nil)

// DropCache has the system forget what it cached of a range of a file, so that
// the next read comes from the medium. n 0 means up to the end. It does what it
// can.
func DropCache(f *os.File, off, n int64) { dropCache(f, off, n) }
