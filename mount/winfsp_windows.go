package mount

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// oldestWinFsp is the oldest version that works: before 2.0, names are limited
// to 255 bytes.
const oldestWinFsp = 2

const winfspHome = "https://winfsp.dev"

// loadWinFsp loads WinFsp's library from the folder that its installer has
// registered, by its full path. cgofuse later asks for it by name alone and gets
// this one, so that none that lies in the current folder is ever loaded.
var loadWinFsp = sync.OnceValue(func() error {
	dir, err := winfspDir()
	if err != nil {
		return &DriverError{ErrNoDriver, "WinFsp is not installed; get it from " + winfspHome}
	}
	path := filepath.Join(dir, "bin", winfspLibrary())
	const how = windows.LOAD_LIBRARY_SEARCH_SYSTEM32 | windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR
	lib, err := windows.LoadLibraryEx(path, 0, how)
	if err != nil {
		return &DriverError{ErrNoDriver, fmt.Sprintf("WinFsp is damaged (%s: %v); install it again from %s", path, err, winfspHome)}
	}
	return checkWinFsp(lib)
})

// winfspDir is where the installer says it is; it writes to the 32-bit view.
func winfspDir() (string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\WinFsp`, registry.QUERY_VALUE|registry.WOW64_32KEY)
	if err != nil {
		return "", err
	}
	defer k.Close()
	dir, _, err := k.GetStringValue("InstallDir")
	return dir, err
}

func winfspLibrary() string {
	switch runtime.GOARCH {
	case "arm64":
		return "winfsp-a64.dll"
	case "386":
		return "winfsp-x86.dll"
	}
	return "winfsp-x64.dll"
}

// winfspDevice is the driver's device for disks, as against network drives.
const winfspDevice = "WinFsp.Disk"

// checkWinFsp asks for the version, and whether the driver itself runs; WinFsp
// starts it for that.
func checkWinFsp(lib windows.Handle) error {
	version := uint32(0) // major in the upper half
	if _, err := call(lib, "FspVersion", unsafe.Pointer(&version)); err != nil || version>>16 < oldestWinFsp {
		return &DriverError{ErrNoDriver, fmt.Sprintf("WinFsp %d.%d is too old; get a newer one from %s", version>>16, version&0xffff, winfspHome)}
	}
	device, _ := windows.UTF16PtrFromString(winfspDevice)
	if status, err := call(lib, "FspFsctlPreflight", unsafe.Pointer(device)); err == nil && int32(status) < 0 {
		return &DriverError{ErrNoDriver, fmt.Sprintf("WinFsp is installed, but its driver does not run (status %#x); "+
			"restart Windows, and see whether Secure Boot or a policy blocks the driver", status)}
	}
	return nil
}

// call calls a function of WinFsp's library with a pointer; it returns an
// NTSTATUS.
func call(lib windows.Handle, name string, arg unsafe.Pointer) (status uint32, err error) {
	proc, err := windows.GetProcAddress(lib, name)
	if err != nil {
		return 0, err
	}
	r, _, _ := syscall.SyscallN(proc, uintptr(arg))
	return uint32(r), nil
}
