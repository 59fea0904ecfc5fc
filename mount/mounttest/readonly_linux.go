package mounttest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// ReadOnly tries everything that changes a file system in dir, which must hold
// the named file and folder, and wants "read-only file system" each time.
func ReadOnly(t *testing.T, dir, file, folder string) {
	t.Helper()
	f, d, new := filepath.Join(dir, file), filepath.Join(dir, folder), filepath.Join(dir, "new name")
	open := func(flags int) func() error {
		return func() error {
			fd, err := unix.Open(f, flags, 0o666)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}
	}
	times := []unix.Timespec{{Sec: 1}, {Sec: 1}}
	for what, try := range map[string]func() error{
		"open to write":      open(unix.O_WRONLY),
		"open to read+write": open(unix.O_RDWR),
		"open to append":     open(unix.O_WRONLY | unix.O_APPEND),
		"truncate at open":   open(unix.O_RDONLY | unix.O_TRUNC),
		"create":             func() error { _, err := os.Create(new); return err },
		"nameless file":      func() error { _, err := unix.Open(d, unix.O_TMPFILE|unix.O_RDWR, 0o666); return err },
		"truncate":           func() error { return unix.Truncate(f, 0) },
		"mkdir":              func() error { return unix.Mkdir(new, 0o777) },
		"mkfifo":             func() error { return unix.Mkfifo(new, 0o666) },
		"unlink":             func() error { return unix.Unlink(f) },
		"rmdir":              func() error { return unix.Rmdir(d) },
		"rename":             func() error { return unix.Rename(f, new) },
		"rename onto":        func() error { return unix.Renameat2(unix.AT_FDCWD, f, unix.AT_FDCWD, d, unix.RENAME_EXCHANGE) },
		"link":               func() error { return unix.Link(f, new) },
		"symlink":            func() error { return unix.Symlink("x", new) },
		"chmod":              func() error { return unix.Chmod(f, 0o600) },
		"chown":              func() error { return unix.Lchown(f, 1, 1) },
		"times":              func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, f, times, 0) },
		"set xattr":          func() error { return unix.Setxattr(f, "user.new", []byte("x"), 0) },
		"remove xattr":       func() error { return unix.Removexattr(f, "user.Zone.Identifier") },
	} {
		err := try()
		if Driver() == "cgofuse" && (err == unix.EINVAL || err == unix.EOPNOTSUPP) {
			continue // libfuse 2 refuses by itself what it does not know
		}
		if err != unix.EROFS && !isROFS(err) {
			t.Errorf("%s: %v, want %v", what, err, unix.EROFS)
		}
	}
	opened(t, f)
}

func isROFS(err error) bool {
	pe, ok := err.(*os.PathError)
	return ok && pe.Err == unix.EROFS
}

// opened tries to change a file through a descriptor opened to read.
func opened(t *testing.T, path string) {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	for what, try := range map[string]func() error{
		"write":     func() error { _, err := unix.Write(fd, []byte("x")); return err },
		"ftruncate": func() error { return unix.Ftruncate(fd, 0) },
		"fallocate": func() error { return unix.Fallocate(fd, 0, 0, 4096) },
		"punch":     func() error { return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096) },
		"fchmod":    func() error { return unix.Fchmod(fd, 0o600) },
		"fsetxattr": func() error { return unix.Fsetxattr(fd, "user.x", nil, 0) },
	} {
		if err := try(); err == nil {
			t.Errorf("%s on a file opened to read was accepted", what)
		}
	}
	if _, err := unix.Mmap(fd, 0, 4096, unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		t.Error("mapping to write was accepted")
	}
}
