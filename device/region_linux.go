package device

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// medium is where bytes lie in the end: a file, or a device that is neither a
// partition nor a loop device.
type medium struct {
	dev     devNum // zero for a file
	fs, ino uint64 // of a file
}

func (m medium) isFile() bool { return m.dev == devNum{} }

// region is the part of a medium that a device shows, in bytes.
type region struct {
	base     medium
	off, end int64
}

func (r region) meets(q region) bool { return r.base == q.base && r.off < q.end && q.off < r.end }

// maxNested bounds the partitions and loop devices that one lies in.
const maxNested = 64

// region follows d through partitions and loop devices.
func (s system) region(d devNum) region {
	size, off := s.number(d, "size")*512, int64(0)
	for range maxNested {
		switch {
		case s.isPartition(d) && s.disk(d) != d:
			off += max(s.start(d), 0)
			d = s.disk(d)
		case s.file(d, "loop/backing_file") != "":
			off += s.number(d, "loop/offset")
			m, ok := s.backing(d)
			if !ok {
				return region{}
			}
			if m.isFile() {
				return region{m, off, off + size}
			}
			d = m.dev
		default:
			return region{medium{dev: d}, off, off + size}
		}
	}
	return region{}
}

// number reads one of a device's files in sysfs; 0 when it holds no number.
func (s system) number(d devNum, name string) int64 {
	n, err := strconv.ParseInt(s.file(d, name), 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return 0
	}
	return n
}

// backing is what is behind a loop device. The kernel is asked first: the name
// in sysfs may have been given to another file meanwhile.
func (s system) backing(d devNum) (medium, bool) {
	if f, err := os.OpenFile(s.node(d), os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
		defer f.Close()
		if i, err := unix.IoctlLoopGetStatus64(int(f.Fd())); err == nil {
			return mediumOf(i.Device, i.Inode, i.Rdevice), true
		}
	}
	var st unix.Stat_t
	if unix.Stat(s.file(d, "loop/backing_file"), &st) != nil {
		return medium{}, false
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		st.Rdev = 0
	}
	return mediumOf(st.Dev, st.Ino, st.Rdev), true
}

func mediumOf(fs, ino, device uint64) medium {
	if device != 0 {
		return medium{dev: devFrom(device)}
	}
	return medium{fs: fs, ino: ino}
}

// placed is a device and what it shows.
type placed struct {
	dev devNum
	region
}

// regions are all devices of the system.
type regions []placed

func (s system) regions() (rs regions) {
	names, _ := filepath.Glob(filepath.Join(s.sys, "dev/block/*"))
	for _, n := range names {
		if d, ok := parseDev(filepath.Base(n)); ok {
			rs = append(rs, placed{d, s.region(d)})
		}
	}
	return rs
}

// common are d and the devices that show some of the same bytes: the disk it
// is part of, its partitions, loop devices over it and over the same file.
func (rs regions) common(d devNum) []devNum {
	devs := []devNum{d}
	i := slices.IndexFunc(rs, func(p placed) bool { return p.dev == d })
	for _, q := range rs {
		if i >= 0 && q.dev != d && q.meets(rs[i].region) {
			devs = append(devs, q.dev)
		}
	}
	return devs
}
