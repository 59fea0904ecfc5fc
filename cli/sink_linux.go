package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openDirect opens f once more for direct writes; nil where that cannot be.
func openDirect(f *os.File) *os.File {
	d, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_WRONLY|unix.O_DIRECT, 0)
	if err != nil {
		return nil
	}
	return d
}
