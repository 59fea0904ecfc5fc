package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openIn opens a folder of dir. A handle holds its path, which is longer in each folder:
// of one that no system call takes any more the handle's number is the beginning.
func openIn(dir *os.Root, name string) (*os.Root, error) {
	if len(dir.Name())+1+len(name) < unix.PathMax {
		return dir.OpenRoot(name)
	}
	d, err := dir.OpenFile(name, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", d.Fd())); err == nil {
		return root, nil
	}
	return dir.OpenRoot(name) // there is no /proc
}
