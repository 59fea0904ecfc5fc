//go:build unix

package mount

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func runtimeDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "vitrine")
	}
	if os.Geteuid() == 0 {
		return "/run/vitrine"
	}
	return filepath.Join(os.TempDir(), "vitrine-"+strconv.Itoa(os.Geteuid()))
}

// checkPrivate refuses a folder that somebody else could have prepared.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s belongs to somebody else", dir)
	}
	return nil
}

// inUse marks a log as used for as long as this process or one that inherits
// the file has it open.
func inUse(log *os.File) { syscall.Flock(int(log.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// removeUnused removes a log that nobody uses.
func removeUnused(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		os.Remove(path)
	}
}
