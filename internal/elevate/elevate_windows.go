package elevate

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// ErrDeclined says that the user did not agree.
var ErrDeclined = errors.New("not agreed to")

// Possible reports whether more rights can be had: this process has not those of
// an administrator.
func Possible() bool { return !windows.GetCurrentProcessToken().IsElevated() }

var shellExecuteEx = windows.NewLazySystemDLL("shell32.dll").NewProc("ShellExecuteExW")

// executeInfo is SHELLEXECUTEINFOW.
type executeInfo struct {
	size       uint32
	mask       uint32
	window     windows.Handle
	verb       *uint16
	file       *uint16
	parameters *uint16
	directory  *uint16
	show       int32
	instance   windows.Handle
	idList     uintptr
	class      *uint16
	classKey   windows.Handle
	hotKey     uint32
	icon       windows.Handle
	process    windows.Handle
}

// Restart runs this program with the arguments args (without its name), in a
// window of its own and in the same folder, and waits until it ends.
func Restart(args []string) (exitCode int, err error) {
	const noCloseProcess, noAsync, showNormal = 0x40, 0x100, 1
	info := executeInfo{mask: noCloseProcess | noAsync, show: showNormal}
	info.size = uint32(unsafe.Sizeof(info))
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir, _ := os.Getwd()
	for _, s := range []struct {
		to   **uint16
		text string
	}{{&info.verb, "runas"}, {&info.file, exe}, {&info.parameters, commandLine(args)}, {&info.directory, dir}} {
		if *s.to, err = windows.UTF16PtrFromString(s.text); err != nil {
			return 0, fmt.Errorf("%q: %w", s.text, err)
		}
	}
	if r, _, err := shellExecuteEx.Call(uintptr(unsafe.Pointer(&info))); r == 0 {
		if errors.Is(err, windows.ERROR_CANCELLED) {
			return 0, ErrDeclined
		}
		return 0, fmt.Errorf("start with more rights: %w", err)
	}
	return wait(info.process)
}

func wait(process windows.Handle) (exitCode int, err error) {
	defer windows.CloseHandle(process)
	if _, err := windows.WaitForSingleObject(process, windows.INFINITE); err != nil {
		return 0, err
	}
	var code uint32
	err = windows.GetExitCodeProcess(process, &code)
	return int(code), err
}

// commandLine quotes arguments so that they arrive as they are.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = windows.EscapeArg(a)
	}
	return strings.Join(quoted, " ")
}
