package mount

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fsSubtype is what Vitrine's mounts are called in the system's list: the file
// system's type is "fuse.vitrine".
const (
	fsSubtype = "vitrine"
	fsType    = "fuse." + fsSubtype
)

// mounted is one line of the system's list of mounts.
type mounted struct {
	dir    string
	fsType string
	source string
	device string // "0:52"
}

// mounts reads the list of this process's mounts, oldest first.
func mounts() ([]mounted, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []mounted
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m, ok := parseMount(lines.Text()); ok {
			list = append(list, m)
		}
	}
	return list, lines.Err()
}

// parseMount reads a line of mountinfo (proc_pid_mountinfo(5)):
//
//	36 35 98:0 /root /mnt/point rw,noatime master:1 - ext3 /dev/root rw
func parseMount(line string) (mounted, bool) {
	left, right, ok := strings.Cut(line, " - ")
	a, b := strings.Fields(left), strings.Fields(right)
	if !ok || len(a) < 6 || len(b) < 2 {
		return mounted{}, false
	}
	return mounted{dir: unescape(a[4]), device: a[2], fsType: b[0], source: unescape(b[1])}, true
}

// unescape undoes the kernel's octal escapes of space, tab, newline, backslash.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountAt finds what is mounted on dir, the newest if several are stacked.
func mountAt(dir string) (mounted, bool) {
	list, _ := mounts()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].dir == dir {
			return list[i], true
		}
	}
	return mounted{}, false
}

func ours(m mounted) bool { return m.fsType == fsType }

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
