package device

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// namesDisk reports whether path names a disk or volume, not a file.
func namesDisk(path string) bool { return parseWinName(path).kind != winFile }

// openSource opens a plain file, a disk or a volume. Disks and volumes are
// read past the cache.
func openSource(path string) (*os.File, Info, error) {
	n := parseWinName(path)
	switch n.kind {
	case winFile:
		return openPlain(path)
	case winOther:
		return nil, Info{}, refuse(path, ErrNotDisk, "is neither a disk nor a plain file")
	}
	f, err := openDevice(path, n, windows.GENERIC_READ)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := blockInfo(path, n, f)
	if err != nil {
		f.Close()
	}
	return f, info, err
}

func openPlain(path string) (*os.File, Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := plainInfo(path, f)
	if err != nil {
		f.Close()
	}
	return f, info, err
}

// openDevice opens a disk or volume, beside all others that use it. A volume is
// opened to its very end, behind the last cluster of its file system.
func openDevice(path string, n winName, access uint32) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(n.open)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	flags := uint32(windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_NO_BUFFERING)
	if access&windows.GENERIC_WRITE != 0 {
		flags |= windows.FILE_FLAG_WRITE_THROUGH
	}
	h, err := windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING, flags, 0)
	if what := noVolume(n); err != nil && what != "" {
		return nil, refuse(path, ErrNotDisk, "%s", what)
	}
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, refuse(path, os.ErrPermission, "disks and volumes are open to administrators only")
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if n.kind == winVolume {
		control(h, fsctlExtendedDASD, nil, nil) // file systems that do not know it do not need it
	}
	return os.NewFile(uintptr(h), path), nil
}

// noVolume says what a letter stands for that has no volume of its own; "" when
// it has, or is no letter.
func noVolume(n winName) string {
	letter, _ := cutDevicePrefix(n.open)
	if n.kind != winVolume || len(letter) != 2 {
		return ""
	}
	if folder := unsubstituted(letter, dosDevice); folder != letter {
		return "stands for the folder " + folder
	}
	if root, err := windows.UTF16PtrFromString(letter + `\`); err == nil && windows.GetDriveType(root) == windows.DRIVE_REMOTE {
		return "is a folder of another machine"
	}
	return ""
}

// control asks a driver and gives the number of bytes of its answer.
func control(h windows.Handle, code uint32, in, out []byte) (int, error) {
	var n uint32
	err := windows.DeviceIoControl(h, code, unsafe.SliceData(in), uint32(len(in)), unsafe.SliceData(out), uint32(len(out)), &n, nil)
	return int(n), err
}

// ask is control with an answer of at most most bytes, for which it makes room
// as the driver wants it.
func ask(h windows.Handle, code uint32, in []byte) ([]byte, error) {
	const first, most = 1 << 10, 1 << 20
	for size := first; ; size *= 4 {
		out := make([]byte, size)
		n, err := control(h, code, in, out)
		more := errors.Is(err, windows.ERROR_MORE_DATA) || errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER)
		if !more || size >= most {
			return out[:min(n, size)], err
		}
	}
}

func handleOf(f *os.File) windows.Handle { return windows.Handle(f.Fd()) }

// blockInfo asks the drivers about an open disk or volume.
func blockInfo(path string, n winName, f *os.File) (Info, error) {
	h := handleOf(f)
	info := Info{Path: path, Block: true, Start: -1}
	sector, size := sizes(h)
	if size <= 0 {
		end, err := f.Seek(0, io.SeekEnd)
		if err != nil || end <= 0 {
			return info, &os.PathError{Op: "size", Path: path, Err: errors.Join(errNoSize, err)}
		}
		size = end
	}
	info.Size, info.SectorSize = size, sector
	if b, err := ask(h, ioctlStorageQuery, propertyQuery(propertyAlignment)); err == nil {
		if _, physical, err := decodeAlignment(b); err == nil && physical >= sector {
			info.PhysicalSector = physical
		}
	}
	info.Model, info.Serial = describeDisk(h)
	_, err := control(h, ioctlDiskIsWritable, nil, nil)
	info.ReadOnly = errors.Is(err, windows.ERROR_WRITE_PROTECT)
	if n.kind == winVolume {
		if e := extentsOf(h); len(e) == 1 {
			info.Start = e[0].Off
		}
	}
	return info, nil
}

var errNoSize = errors.New("its size is not known")

// sizes gives the bytes of a sector and of the whole; 512 and 0 when not known.
func sizes(h windows.Handle) (sector int, size int64) {
	sector = 512
	if b, err := ask(h, ioctlDiskGeometryEx, nil); err == nil {
		if s, n, err := decodeGeometry(b); err == nil && s >= 512 && s <= 1<<16 && s&(s-1) == 0 {
			sector, size = s, n
		}
	}
	if b, err := ask(h, ioctlDiskLength, nil); err == nil {
		if n, err := decodeLength(b); err == nil {
			return sector, n
		}
	}
	if extentsOf(h) != nil {
		size = 0 // of a volume, the geometry is that of its disk
	}
	return sector, size
}

func describeDisk(h windows.Handle) (model, serial string) {
	b, err := ask(h, ioctlStorageQuery, propertyQuery(propertyDevice))
	if err != nil {
		return "", ""
	}
	model, serial, _, err = decodeDescriptor(b)
	if err != nil {
		return "", ""
	}
	return model, serial
}

func extentsOf(h windows.Handle) []diskExtent {
	b, err := ask(h, ioctlVolumeExtents, nil)
	if err != nil {
		return nil
	}
	list, _ := decodeExtents(b)
	return list
}

// allocatedRange is FILE_ALLOCATED_RANGE_BUFFER: offset and length.
func allocatedRange(off, n int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(off))
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}

// dataExtent asks the file system for the next data of a sparse file.
func dataExtent(f *os.File, off, size int64) (start, end int64, err error) {
	out := make([]byte, 16)
	n, err := control(handleOf(f), windows.FSCTL_QUERY_ALLOCATED_RANGES, allocatedRange(off, size-off), out)
	switch {
	case err != nil && !errors.Is(err, windows.ERROR_MORE_DATA): // cannot tell
		return off, size, nil
	case n == 0: // no data up to the end
		return size, size, nil
	case n < len(out):
		return off, size, nil
	}
	a := answer{b: out}
	start = min(max(a.i64(0), off), size)
	return start, max(start, min(a.i64(0)+a.i64(8), size)), nil
}

// dropCache does nothing: disks are read past the cache, and of files Windows
// itself keeps little.
func dropCache(*os.File, int64, int64) {}

func reserve(*os.File, int64, int64) error { return nil }

func writeBehind(*os.File, int64, int64) {}

func freeSpace(dir string) int64 {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) != nil {
		return -1
	}
	return int64(min(free, 1<<62))
}

// makeSparse lets a new file have holes, where the file system can.
func makeSparse(f *os.File) { control(handleOf(f), windows.FSCTL_SET_SPARSE, nil, nil) }

// discard makes a hole in a file, and tells a disk or volume that a range of it
// is free.
func discard(f *os.File, block bool, off, n int64) error {
	if block {
		return noDiscard(control(handleOf(f), ioctlStorageManage, encodeTrim(off, n), nil))
	}
	return punch(f, off, n)
}

func noDiscard(_ int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNoDiscard, err)
}

func punch(f *os.File, off, n int64) error {
	makeSparse(f)
	b := binary.LittleEndian.AppendUint64(nil, uint64(off))
	b = binary.LittleEndian.AppendUint64(b, uint64(off+n))
	return noDiscard(control(handleOf(f), windows.FSCTL_SET_ZERO_DATA, b, nil))
}

// zeroOut makes a hole in a file. What a disk was told is free need not read as
// zeros.
func zeroOut(f *os.File, block bool, off, n int64) error {
	if block {
		return ErrNoDiscard
	}
	return punch(f, off, n)
}

// bePolite asks for a low priority of all that goes through f. The system may
// decline.
func bePolite(f *os.File) {
	const priorityHintInfo, low = 12, 1
	hint := int64(low) // must be aligned to 8 bytes
	windows.SetFileInformationByHandle(handleOf(f), priorityHintInfo, (*byte)(unsafe.Pointer(&hint)), 8)
}

// Protects names the volume and the disks that hold a file, or would, if it
// were made.
func Protects(path string) (devs []string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	v, ok := volumeHolding(abs)
	if !ok {
		return nil, nil // on a network share
	}
	devs = append(devs, v.label())
	for _, e := range v.extents {
		devs = append(devs, physicalDrive(e.Disk))
	}
	return devs, nil
}
