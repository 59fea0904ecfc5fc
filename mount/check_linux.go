package mount

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// checkPoint makes sure that dir can be mounted on and returns its real path. A
// dead mount that a killed Vitrine left behind is taken away, and said.
func checkPoint(dir string, o *Options) (string, error) {
	real, err := realDir(dir)
	if err != nil {
		return "", pointError(dir, err)
	}
	if err := clearDead(real, o); err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return "", pointError(dir, err)
	case !info.IsDir():
		return "", &PointError{dir, ErrNotFolder}
	}
	if m, ok := mountAt(real); ok && ours(m) {
		return "", &PointError{dir, ErrMounted}
	}
	if hides(real, o.Image) {
		return "", &PointError{dir, ErrOverImage}
	}
	if !o.NonEmpty {
		return real, checkEmpty(dir, real)
	}
	return real, nil
}

func pointError(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = ErrMissing
	case errors.Is(err, unix.ENOTDIR):
		err = ErrNotFolder
	}
	return &PointError{dir, err}
}

// clearDead detaches a mount of ours whose process is gone.
func clearDead(dir string, o *Options) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != unix.ENOTCONN {
		return nil
	}
	m, ok := mountAt(dir)
	if !ok || !ours(m) {
		return &PointError{dir, unix.ENOTCONN}
	}
	if err := detach(dir, true); err != nil {
		return &PointError{dir, err}
	}
	o.log("%s: took away a mount of %s whose process had ended", dir, m.Source)
	return nil
}

// hides says that a mount on dir would hide the image.
func hides(dir, image string) bool {
	if image == "" {
		return false
	}
	real, err := filepath.Abs(image)
	if err != nil {
		return false
	}
	if r, err := filepath.EvalSymlinks(real); err == nil {
		real = r
	}
	return real == dir || strings.HasPrefix(real, strings.TrimSuffix(dir, "/")+"/")
}

func checkEmpty(dir, real string) error {
	f, err := os.Open(real)
	if err != nil {
		return pointError(dir, err)
	}
	defer f.Close()
	if _, err := f.Readdirnames(1); err != io.EOF {
		return &PointError{dir, ErrNotEmpty}
	}
	return nil
}
