package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// A file is written under a temporary name in its folder. Of a copy that was
// killed the one at hand is left; the next copy into the folder removes it.

// partName is the n-th temporary name of this process.
func partName(n int64) string { return fmt.Sprintf(".vitrine-%d-%d.part", os.Getpid(), n) }

// partPID gives the process whose temporary file name is; ok is false for the
// names of other files.
func partPID(name string) (pid int, ok bool) {
	var n int64
	_, err := fmt.Sscanf(name, ".vitrine-%d-%d.part", &pid, &n)
	return pid, err == nil && pid > 0 && name == fmt.Sprintf(".vitrine-%d-%d.part", pid, n)
}

// realName has an error speak of the file that was to be written, not of its
// temporary name.
func realName(err error, temp, name string) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok && path.Base(pe.Path) == temp {
		pe.Path = path.Join(path.Dir(pe.Path), name)
	}
	return err
}

// createPart makes a temporary file and marks it as being written.
func createPart(dir *os.Root, name string) (*os.File, error) {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err == nil {
		holdPart(f)
	}
	return f, err
}

// sweep removes what copies that were killed have left in a folder.
func (c *copier) sweep(f *folder) {
	d, err := f.root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(folderBatch)
		for _, name := range names {
			pid, ok := partPID(name)
			if ok && abandoned(f.root, name, pid) && f.root.Remove(name) == nil {
				c.e.say("removed %s, left by a copy that was cut off", printable(path.Join(c.o.dir, f.rel(), name)))
			}
		}
		if err == io.EOF || err != nil || len(names) == 0 {
			return
		}
	}
}

// partGrace is how old a temporary file is before it counts as left over: its
// writer may just not have marked it yet.
const partGrace = 5 * time.Second
