//go:build !windows

package overlay

import (
	"os"

	"golang.org/x/sys/unix"
)

// tempFile makes a file without a name: it is gone with the process.
func tempFile(dir string) (file, error) {
	f, err := os.CreateTemp(dir, "vitrine-overlay-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// lockFile keeps others from opening the overlay, as long as f is open.
func lockFile(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// syncFolder makes a new file's name durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
