package device

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"vitrine/internal/mountinfo"
)

// devNum is a block device's number.
type devNum struct{ major, minor uint32 }

func (d devNum) String() string { return fmt.Sprintf("%d:%d", d.major, d.minor) }

func devFrom(n uint64) devNum { return devNum{unix.Major(n), unix.Minor(n)} }

func parseDev(s string) (d devNum, ok bool) {
	a, b, ok := strings.Cut(strings.TrimSpace(s), ":")
	major, err1 := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	return devNum{uint32(major), uint32(minor)}, ok && err1 == nil && err2 == nil
}

// devOf is the number of the block device that path names.
func devOf(path string) (devNum, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return devNum{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return devNum{}, refuse(path, ErrNotDisk, "is not a block device")
	}
	return devFrom(st.Rdev), nil
}

// system is where the kernel tells about its devices.
type system struct{ sys, proc, dev string }

// live is the running system.
var live = system{"/sys", "/proc", "/dev"}

func (s system) dir(d devNum) string { return filepath.Join(s.sys, "dev/block", d.String()) }

// file is the trimmed contents of one of a device's files in sysfs.
func (s system) file(d devNum, name string) string {
	b, _ := os.ReadFile(filepath.Join(s.dir(d), name))
	return strings.TrimSpace(string(b))
}

// node is a device's name for a person.
func (s system) node(d devNum) string {
	if link, err := filepath.EvalSymlinks(s.dir(d)); err == nil {
		if dm := s.file(d, "dm/name"); dm != "" {
			return filepath.Join(s.dev, "mapper", dm)
		}
		return filepath.Join(s.dev, strings.ReplaceAll(filepath.Base(link), "!", "/"))
	}
	return d.String()
}

// isPartition reports whether d is a part of a disk.
func (s system) isPartition(d devNum) bool { return s.file(d, "partition") != "" }

// disk is the device that a partition is part of, or d itself.
func (s system) disk(d devNum) devNum {
	if s.isPartition(d) {
		if p, ok := s.numAt(filepath.Join(s.realDir(d), "..")); ok {
			return p
		}
	}
	return d
}

func (s system) realDir(d devNum) string {
	dir, err := filepath.EvalSymlinks(s.dir(d))
	if err != nil {
		return s.dir(d)
	}
	return dir
}

// numAt reads the number of the device whose sysfs folder is dir.
func (s system) numAt(dir string) (devNum, bool) {
	b, err := os.ReadFile(filepath.Join(dir, "dev"))
	if err != nil {
		return devNum{}, false
	}
	return parseDev(string(b))
}

// listed are the devices linked in one of a device's sysfs folders.
func (s system) listed(d devNum, folder string) (devs []devNum) {
	names, _ := filepath.Glob(filepath.Join(s.realDir(d), folder, "*"))
	for _, n := range names {
		if q, ok := s.numAt(n); ok {
			devs = append(devs, q)
		}
	}
	return devs
}

// describe gives the model and serial number of the disk that d is on.
func (s system) describe(d devNum) (model, serial string) {
	d = s.disk(d)
	model = strings.TrimSpace(s.file(d, "device/vendor") + " " + s.file(d, "device/model"))
	if strings.HasPrefix(model, "0x") { // virtio gives a number
		model = ""
	}
	for _, f := range []string{"device/serial", "serial", "wwid", "device/wwid"} {
		if serial = s.file(d, f); serial != "" {
			break
		}
	}
	return model, serial
}

// start is the offset of a partition in bytes, -1 for other devices. The
// kernel counts in 512 bytes, whatever the disk's sectors are.
func (s system) start(d devNum) int64 {
	n, err := strconv.ParseInt(s.file(d, "start"), 10, 64)
	if err != nil || !s.isPartition(d) || n > 1<<53 {
		return -1
	}
	return n * 512
}

// mount is one line of mountinfo.
type mount struct {
	mountinfo.Mount
	dev devNum
}

func (m mount) rw() bool { return slices.Contains(m.Options, "rw") }

// fromFile reports whether a file system in user space was mounted from a plain
// file itself, without a loop device.
func (m mount) fromFile(file medium) bool {
	var st unix.Stat_t
	return m.dev.major == 0 && strings.HasPrefix(m.Source, "/") && unix.Stat(m.Source, &st) == nil &&
		st.Mode&unix.S_IFMT == unix.S_IFREG && mediumOf(st.Dev, st.Ino, 0) == file
}

func (s system) mounts() (ms []mount) {
	list, _ := mountinfo.Read(filepath.Join(s.proc, "self/mountinfo"))
	for _, m := range list {
		dev, _ := parseDev(m.Device)
		ms = append(ms, mount{m, dev})
	}
	return ms
}

// devices are those that a mounted file system lies on. File systems over
// several devices have a number of their own and name one device.
func (s system) devices(m mount) []devNum {
	devs := []devNum{m.dev}
	if m.dev.major != 0 || !strings.HasPrefix(m.Source, "/") {
		return devs
	}
	d, err := devOf(m.Source)
	if err != nil {
		return devs
	}
	devs = append(devs, d)
	if m.Type == "btrfs" {
		devs = append(devs, s.btrfs(d)...)
	}
	return devs
}

// btrfs are all devices of the btrfs that d belongs to.
func (s system) btrfs(d devNum) (devs []devNum) {
	sets, _ := filepath.Glob(filepath.Join(s.sys, "fs/btrfs/*/devices"))
	for _, set := range sets {
		devs = devs[:0]
		names, _ := filepath.Glob(filepath.Join(set, "*"))
		for _, n := range names {
			if q, ok := s.numAt(n); ok {
				devs = append(devs, q)
			}
		}
		if slices.Contains(devs, d) {
			return devs
		}
	}
	return nil
}

// swaps are the devices that are swapped to.
func (s system) swaps() (devs []devNum) {
	b, _ := os.ReadFile(filepath.Join(s.proc, "swaps"))
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "partition" {
			if d, err := devOf(mountinfo.Unescape(f[0])); err == nil {
				devs = append(devs, d)
			}
		}
	}
	return devs
}

// maxStack bounds the walk through devices over devices.
const maxStack = 4096

// above are d, what has bytes in common with it, and all that is built on them.
func (s system) above(d devNum) []devNum {
	rs := s.regions()
	devs := rs.common(d)
	var todo []devNum
	for _, q := range devs {
		todo = append(todo, s.listed(q, "holders")...)
	}
	for _, q := range s.walk(todo, func(q devNum) []devNum { return append(rs.common(q), s.listed(q, "holders")...) }) {
		if !slices.Contains(devs, q) {
			devs = append(devs, q)
		}
	}
	return devs
}

// below are d, the disk it is part of, and all that it is built on.
func (s system) below(d devNum) []devNum {
	return s.walk([]devNum{d}, func(q devNum) []devNum {
		devs := append([]devNum{s.disk(q)}, s.listed(q, "slaves")...)
		if file := s.file(q, "loop/backing_file"); file != "" {
			devs = append(devs, s.under(file)...)
		}
		return devs
	})
}

func (s system) walk(todo []devNum, next func(devNum) []devNum) []devNum {
	var seen []devNum
	for len(todo) > 0 && len(seen) < maxStack {
		d := todo[0]
		todo = todo[1:]
		if !slices.Contains(seen, d) {
			seen = append(seen, d)
			todo = append(todo, next(d)...)
		}
	}
	return seen
}

// under are the devices that the file system of a file lies on, without what
// is below them.
func (s system) under(file string) []devNum {
	var st unix.Stat_t
	if unix.Stat(file, &st) != nil {
		return nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		return []devNum{devFrom(st.Rdev)}
	}
	d := devFrom(st.Dev)
	devs := []devNum{d}
	for _, m := range s.mounts() {
		if m.dev == d {
			devs = append(devs, s.devices(m)...)
			devs = append(devs, s.upper(m)...)
		}
	}
	return devs
}

// upper are the devices that an overlay writes to.
func (s system) upper(m mount) (devs []devNum) {
	if m.Type != "overlay" {
		return nil
	}
	for _, o := range m.Options {
		if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
			var st unix.Stat_t
			if unix.Stat(mountinfo.Unescape(dir), &st) == nil && devFrom(st.Dev) != m.dev {
				devs = append(devs, devFrom(st.Dev))
			}
		}
	}
	return devs
}

// holding are all devices that hold a file, or would hold it if it were made.
func (s system) holding(file string) []devNum {
	file, err := filepath.Abs(file)
	for err == nil {
		if _, e := os.Stat(file); e == nil || file == "/" {
			break
		}
		file = filepath.Dir(file)
	}
	var devs []devNum
	for _, d := range s.under(file) {
		for _, q := range s.below(d) {
			if q.major != 0 && !slices.Contains(devs, q) {
				devs = append(devs, q)
			}
		}
	}
	return devs
}

// Protects names the disks and partitions that hold a file (or would, if it
// were made), through partitions, RAID, device mapper and loop devices.
func Protects(path string) (devs []string, err error) {
	if _, err := filepath.Abs(path); err != nil {
		return nil, err
	}
	for _, d := range live.holding(path) {
		devs = append(devs, live.node(d))
	}
	return devs, nil
}

// inUse looks for mounts, swap and holders of a device or plain file.
func inUse(path string) (reason string, rw bool) {
	d, err := devOf(path)
	if err != nil {
		return live.fileInUse(path)
	}
	return live.inUse(d)
}

// inUse gives the weightiest reason: what can change the device comes first.
func (s system) inUse(d devNum) (reason string, rw bool) {
	devs, base := s.above(d), s.region(d).base
	for _, m := range s.mounts() {
		if base.isFile() && m.fromFile(base) && !rw {
			reason, rw = "is over a file that is mounted on "+m.Dir, m.rw()
		}
		for _, q := range s.devices(m) {
			if slices.Contains(devs, q) && (reason == "" || m.rw() && !rw) {
				reason, rw = s.named(d, q)+"is mounted on "+m.Dir, m.rw()
				if !rw {
					reason += " (read-only)"
				}
			}
		}
	}
	for _, q := range s.swaps() {
		if slices.Contains(devs, q) && !rw {
			reason, rw = s.named(d, q)+"is used as swap space", true
		}
	}
	if reason != "" {
		return reason, rw
	}
	return s.held(d, devs)
}

// held names what is built on d, mounted or not.
func (s system) held(d devNum, devs []devNum) (reason string, rw bool) {
	below := s.below(d)
	for _, q := range devs {
		if h := s.listed(q, "holders"); len(h) > 0 {
			return s.named(d, q) + "is part of " + s.node(h[0]), true
		}
		if s.file(q, "loop/backing_file") == "" || slices.Contains(below, q) {
			continue
		}
		if slices.Contains(s.below(q), d) {
			return "is attached as " + s.node(q), true
		}
		return "shares bytes of its file with " + s.node(q), false
	}
	return "", false
}

// named begins a sentence about q, which d is used through, when it is not d
// itself.
func (s system) named(d, q devNum) string {
	switch {
	case d == q:
		return ""
	case s.disk(d) != s.disk(q) && s.region(d).base.isFile() && s.region(d).base == s.region(q).base:
		return s.node(q) + ", over the same file, "
	}
	return s.node(q) + " "
}

// fileInUse looks for a loop device behind which a plain file is.
func (s system) fileInUse(path string) (reason string, rw bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "", false
	}
	file := mediumOf(st.Dev, st.Ino, 0)
	for _, m := range s.mounts() {
		if m.fromFile(file) {
			return "is mounted on " + m.Dir, m.rw()
		}
	}
	for _, p := range s.regions() {
		if p.base != file || s.isPartition(p.dev) {
			continue
		}
		if why, rw := s.inUse(p.dev); why != "" {
			return s.sentence(p.dev, why), rw
		}
		return "is attached as " + s.node(p.dev), s.file(p.dev, "ro") == "0"
	}
	return "", false
}

// sentence makes d the subject, where the reason has none.
func (s system) sentence(d devNum, why string) string {
	if strings.HasPrefix(why, "is ") || strings.HasPrefix(why, "shares ") {
		return "its " + s.node(d) + " " + why
	}
	return why
}

// systemPaths lie on the running system's disks.
var systemPaths = []string{"/", "/usr", "/boot", "/boot/efi", "/home"}

// guard refuses a target that is needed: by the image, by the system.
func (s system) guard(path string, d devNum, protect []string) error {
	seen := map[uint64]bool{} // file systems: a chain has many files on few
	for _, p := range protect {
		if fs := fileSystemOf(p); !seen[fs] && slices.Contains(s.holding(p), d) {
			return refuse(path, ErrProtected, "holds the image file %s", p)
		} else if fs != 0 {
			seen[fs] = true
		}
		if file := s.file(d, "loop/backing_file"); file != "" && same(file, p) {
			return refuse(path, ErrProtected, "is the image file %s", p)
		}
	}
	for _, p := range systemPaths {
		if slices.Contains(s.holding(p), d) {
			return refuse(path, ErrProtected, "is a disk of the running system: it holds %s", p)
		}
	}
	if s.file(d, "ro") == "1" {
		return refuse(path, ErrReadOnly, "is write-protected")
	}
	return nil
}

// fileSystemOf is the number of the file system that a plain file is on; 0
// when it is none or is not there.
func fileSystemOf(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0
	}
	return st.Dev
}

func same(a, b string) bool {
	as, err1 := os.Stat(a)
	bs, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(as, bs)
}
