package mount

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxRead is the largest read that the kernel may send, in bytes.
const maxRead = 1 << 20

// attach mounts a new FUSE file system on dir and returns its device. Root does
// it by itself, others through fusermount3.
func attach(dir string, o *Options) (fd int, err error) {
	if os.Geteuid() == 0 {
		fd, err = attachDirectly(dir, o)
		if err != unix.EPERM {
			return fd, attachError(err)
		}
	}
	return attachByHelper(dir, o)
}

func attachDirectly(dir string, o *Options) (int, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	if o.NoExec {
		flags |= unix.MS_NOEXEC
	}
	data := fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d,max_read=%d",
		fd, unix.S_IFDIR, os.Geteuid(), os.Getegid(), maxRead)
	if o.AllowOther {
		data += ",allow_other,default_permissions"
	}
	if err := unix.Mount(sourceName(o), dir, fsType, flags, data); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// sourceName is what df and findmnt show as the device.
func sourceName(o *Options) string {
	if name := o.shownName(); name != "" {
		return name
	}
	return fsSubtype
}

func attachError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return &DriverError{ErrNoDriver, "this system has no FUSE (/dev/fuse): " + err.Error()}
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &DriverError{ErrNoRight, err.Error()}
	}
	return fmt.Errorf("mount: %w", err)
}

// helperNames are tried in this order.
var helperNames = []string{"fusermount3", "fusermount"}

func findHelper() (string, error) {
	for _, name := range helperNames {
		for _, place := range []string{name, "/bin/" + name, "/usr/bin/" + name} {
			if path, err := exec.LookPath(place); err == nil {
				return path, nil
			}
		}
	}
	return "", &DriverError{ErrNoDriver, "fusermount3 is not installed (package fuse3); without it only root can mount"}
}

// attachByHelper has fusermount3 mount and takes the device from it through a
// socket (fusermount's _FUSE_COMMFD protocol).
func attachByHelper(dir string, o *Options) (int, error) {
	helper, err := findHelper()
	if err != nil {
		return -1, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "helper"), os.NewFile(uintptr(pair[1]), "helper")
	defer mine.Close()
	defer theirs.Close()

	var said bytes.Buffer
	cmd := exec.Command(helper, "-o", helperOptions(o), "--", dir)
	cmd.Env = append(os.Environ(), "_FUSE_COMMFD=3", "LC_ALL=C")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return -1, helperError(said.String(), err)
	}
	return receiveFD(pair[0])
}

func helperOptions(o *Options) string {
	opts := []string{"ro", "nosuid", "nodev", "subtype=" + fsSubtype,
		"fsname=" + escapeOption(sourceName(o)), "max_read=" + strconv.Itoa(maxRead)}
	if o.NoExec {
		opts = append(opts, "noexec")
	}
	if o.AllowOther {
		opts = append(opts, "allow_other", "default_permissions")
	}
	return strings.Join(opts, ",")
}

func escapeOption(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(s)
}

func helperError(said string, err error) error {
	said = strings.TrimSpace(said)
	if said == "" {
		said = err.Error()
	}
	if strings.Contains(said, "device not found") || strings.Contains(said, "/dev/fuse") &&
		!strings.Contains(said, "ermission") {
		return &DriverError{ErrNoDriver, said}
	}
	return &DriverError{ErrNoRight, said}
}

func receiveFD(socket int) (int, error) {
	data, control := make([]byte, 4), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, data, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fusermount: %w", err)
	}
	msgs, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(msgs) == 0 {
		return -1, errors.New("fusermount sent no device")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.New("fusermount sent no device")
	}
	return fds[0], nil
}

// detach unmounts dir: at once, or with lazy as soon as nobody uses it any more
// (it vanishes from the folder at once).
func detach(dir string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(dir, flags)
	if err != unix.EPERM {
		return detachError(dir, err)
	}
	return detachByHelper(dir, lazy)
}

func detachError(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY):
		return &BusyError{Dir: dir, Users: usersOf(dir)}
	case errors.Is(err, unix.EINVAL):
		return &PointError{dir, ErrNotMounted}
	}
	return &PointError{dir, err}
}

func detachByHelper(dir string, lazy bool) error {
	helper, err := findHelper()
	if err != nil {
		return err
	}
	flags := "-u"
	if lazy {
		flags = "-uz"
	}
	cmd := exec.Command(helper, flags, "--", dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case bytes.Contains(out, []byte("busy")):
		return &BusyError{Dir: dir, Users: usersOf(dir)}
	case bytes.Contains(out, []byte("not found in")), bytes.Contains(out, []byte("not mounted")):
		return &PointError{dir, ErrNotMounted}
	}
	return &DriverError{ErrNoRight, strings.TrimSpace(string(out))}
}
