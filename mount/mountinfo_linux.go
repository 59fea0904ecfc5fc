package mount

import (
	"os"
	"path/filepath"
	"slices"

	"vitrine/internal/mountinfo"
)

// fsSubtype is what Vitrine's mounts are called in the system's list: the file
// system's type is "fuse.vitrine".
const (
	fsSubtype = "vitrine"
	fsType    = "fuse." + fsSubtype
)

// mountAt finds what is mounted on dir, the newest if several are stacked.
func mountAt(dir string) (mountinfo.Mount, bool) {
	list, _ := mountinfo.Read(mountinfo.Own)
	for _, m := range slices.Backward(list) {
		if m.Dir == dir {
			return m, true
		}
	}
	return mountinfo.Mount{}, false
}

func ours(m mountinfo.Mount) bool { return m.Type == fsType }

// realDir gives the absolute path of dir without links. The last name is not
// looked at, because a dead mount cannot be.
func realDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	last := filepath.Join(parent, filepath.Base(abs))
	if target, err := os.Readlink(last); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(parent, target)
		}
		return filepath.EvalSymlinks(target)
	}
	return last, nil
}
