package mount

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// inherit gives the child the pipe and no console.
func inherit(cmd *exec.Cmd, pipe *os.File) error {
	h := syscall.Handle(pipe.Fd())
	if err := syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT); err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), readyEnv+"="+strconv.FormatUint(uint64(h), 10))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		AdditionalInheritedHandles: []syscall.Handle{h},
		CreationFlags:              windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP,
	}
	return nil
}

func inherited(fd int) *os.File { return os.NewFile(uintptr(fd), "starter") }
