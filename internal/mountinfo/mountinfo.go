// Package mountinfo reads Linux's list of mounts.
package mountinfo

import (
	"os"
	"strconv"
	"strings"
)

// Own is the list of the mounts that this process sees.
const Own = "/proc/self/mountinfo"

// Mount is one line of the list.
type Mount struct {
	Device  string // its number, "8:1"
	Dir     string // where it is mounted
	Type    string // of the file system, such as "fuse.vitrine"
	Source  string
	Options []string // of the file system, not of the mount
}

// Read gives the mounts in a list, oldest first.
func Read(path string) ([]Mount, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []Mount
	for line := range strings.Lines(string(b)) {
		if m, ok := parse(line); ok {
			list = append(list, m)
		}
	}
	return list, nil
}

// parse reads a line; the words before the dash may be more (source:
// proc_pid_mountinfo(5)):
//
//	36 35 98:0 /root /mnt/point rw,noatime master:1 - ext3 /dev/root rw
func parse(line string) (Mount, bool) {
	left, right, ok := strings.Cut(line, " - ")
	a, b := strings.Fields(left), strings.Fields(right)
	if !ok || len(a) < 6 || len(b) < 3 {
		return Mount{}, false
	}
	return Mount{Device: a[2], Dir: Unescape(a[4]), Type: b[0], Source: Unescape(b[1]), Options: strings.Split(b[2], ",")}, true
}

// Unescape undoes the octal escapes of space, tab, newline and backslash in the
// kernel's lists.
func Unescape(s string) string {
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
