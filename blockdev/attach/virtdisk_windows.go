package attach

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"vitrine/blockdev"
	"vitrine/blockdev/vhdx"
)

// Functions of Windows' virtual disks. Source: virtdisk.h of the SDK.
var (
	virtdisk      = windows.NewLazySystemDLL("virtdisk.dll")
	openVirtual   = virtdisk.NewProc("OpenVirtualDisk")
	attachVirtual = virtdisk.NewProc("AttachVirtualDisk")
	detachVirtual = virtdisk.NewProc("DetachVirtualDisk")
	physicalPath  = virtdisk.NewProc("GetVirtualDiskPhysicalPath")
)

// storageType is VIRTUAL_STORAGE_TYPE.
type storageType struct {
	device uint32
	vendor windows.GUID
}

// vhdxOfMicrosoft is a VHDX.
var vhdxOfMicrosoft = storageType{3, windows.GUID{Data1: 0xEC984AEC, Data2: 0xA0F9, Data3: 0x47E9,
	Data4: [8]byte{0x90, 0x1F, 0x71, 0x41, 0x5A, 0x66, 0x34, 0x5B}}}

// virtual is a copy of a disk in a file that the system has attached. It ends
// when the handle is closed.
type virtual struct {
	file   string
	handle windows.Handle
	name   [260]uint16
	size   uint32
}

// copyPrefix begins the names of the files.
const copyPrefix = ".vitrine-attached-"

// attachCopy writes the disk to a file in dir and attaches that.
func attachCopy(ctx context.Context, dev blockdev.Device, dir string, progress func(done, total int64)) (*virtual, error) {
	if err := attachVirtual.Find(); err != nil {
		return nil, fmt.Errorf("%w: Windows' virtual disks: %w", ErrUnavailable, err)
	}
	sweepCopies(dir)
	file, err := writeCopy(ctx, dev, dir, progress)
	if err != nil {
		return nil, err
	}
	v := &virtual{file: file}
	_, writable := dev.(blockdev.Writable)
	if err := v.attach(writable); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), v.detach())
	}
	return v, nil
}

func writeCopy(ctx context.Context, dev blockdev.Device, dir string, progress func(done, total int64)) (string, error) {
	f, err := os.CreateTemp(dir, copyPrefix+"*.vhdx")
	if err != nil {
		return "", err
	}
	err = vhdx.Write(ctx, f, dev, vhdx.Options{Seed: []byte(f.Name()), Progress: progress})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return filepath.Abs(f.Name())
}

// sweepCopies removes files that killed processes left; those in use stay.
func sweepCopies(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, copyPrefix+"*.vhdx"))
	for _, f := range files {
		os.Remove(f)
	}
}

func win32Err(what string, r uintptr) error {
	if r == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", what, syscall.Errno(r))
}

func (v *virtual) attach(writable bool) error {
	name, err := windows.UTF16PtrFromString(v.file)
	if err != nil {
		return err
	}
	const accessReadOnly, accessWritable, accessDetach, accessInfo = 0x10000, 0x20000, 0x40000, 0x80000
	access, flags := uintptr(accessReadOnly|accessDetach|accessInfo), uintptr(1)
	if writable {
		access, flags = accessReadOnly|accessWritable|accessDetach|accessInfo, 0
	}
	r, _, _ := openVirtual.Call(uintptr(unsafe.Pointer(&vhdxOfMicrosoft)), uintptr(unsafe.Pointer(name)), access, 0, 0, uintptr(unsafe.Pointer(&v.handle)))
	if err := win32Err("OpenVirtualDisk", r); err != nil {
		return err
	}
	r, _, _ = attachVirtual.Call(uintptr(v.handle), 0, flags, 0, 0, 0)
	return win32Err("AttachVirtualDisk", r)
}

// disk gives the number of the disk that the system made.
func (v *virtual) disk() (int, error) {
	v.size = uint32(len(v.name) * 2)
	r, _, _ := physicalPath.Call(uintptr(v.handle), uintptr(unsafe.Pointer(&v.size)), uintptr(unsafe.Pointer(&v.name)))
	if err := win32Err("GetVirtualDiskPhysicalPath", r); err != nil {
		return 0, err
	}
	path := windows.UTF16ToString(v.name[:])
	n, err := strconv.Atoi(path[strings.LastIndexAny(path, "eE")+1:]) // \\.\PhysicalDrive3
	if err != nil {
		return 0, fmt.Errorf("the system calls the disk %q", path)
	}
	return n, nil
}

// detach undoes what attach did, as far as it came, and removes the file.
func (v *virtual) detach() error {
	if v.handle != 0 {
		detachVirtual.Call(uintptr(v.handle), 0, 0) // closing the handle does it too
		windows.CloseHandle(v.handle)
		v.handle = 0
	}
	return os.Remove(v.file)
}
