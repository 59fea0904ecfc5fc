//go:build unix

package mount

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// inherit gives the child the pipe and a session of its own.
func inherit(cmd *exec.Cmd, pipe *os.File) error {
	cmd.ExtraFiles = []*os.File{pipe}
	cmd.Env = append(os.Environ(), readyEnv+"="+strconv.Itoa(3))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return nil
}

func inherited(fd int) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "starter")
}
