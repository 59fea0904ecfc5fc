package cli

import (
	"os/exec"
	"syscall"
)

// notAlone has the system end c when the thread that starts it ends, so that a
// killed vitrine leaves nothing running.
func notAlone(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
