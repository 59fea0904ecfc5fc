package device

import (
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// volumes lists the volumes of the system.
func volumes() (list []winVol) {
	buf := make([]uint16, windows.MAX_PATH+1)
	h, err := windows.FindFirstVolume(&buf[0], uint32(len(buf)))
	if err != nil {
		return nil
	}
	defer windows.FindVolumeClose(h)
	for ; err == nil; err = windows.FindNextVolume(h, &buf[0], uint32(len(buf))) {
		list = append(list, volumeNamed(windows.UTF16ToString(buf)))
	}
	return list
}

// volumeNamed describes the volume \\?\Volume{…}\.
func volumeNamed(name string) winVol {
	v := winVol{name: name, paths: mountPaths(name)}
	v.extents = extentsOfVolume(strings.TrimSuffix(name, `\`))
	return v
}

// extentsOfVolume asks without the right to read, which needs no
// administrator.
func extentsOfVolume(open string) []diskExtent {
	f, err := openDevice(open, winName{kind: winDisk, open: open}, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	return extentsOf(handleOf(f))
}

func mountPaths(name string) (paths []string) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil
	}
	buf := make([]uint16, 4096)
	var n uint32
	if windows.GetVolumePathNamesForVolumeName(p, &buf[0], uint32(len(buf)), &n) != nil {
		return nil
	}
	return splitZeros(buf[:min(int(n), len(buf))])
}

// splitZeros takes strings apart of which each ends with a zero.
func splitZeros(b []uint16) (list []string) {
	for len(b) > 0 && b[0] != 0 {
		n := max(slices.Index(b, 0), 0)
		if n == 0 {
			n = len(b)
		}
		list = append(list, windows.UTF16ToString(b[:n]))
		b = b[min(n+1, len(b)):]
	}
	return list
}

// volumeAt is the volume that a name opens. One that the system does not list
// is known by that name alone.
func volumeAt(open string) winVol {
	for _, v := range volumes() {
		if v.isAt(open) {
			return v
		}
	}
	v := winVol{extents: extentsOfVolume(open)}
	if rest, _ := cutDevicePrefix(open); len(rest) == 2 {
		v.paths = []string{rest + `\`}
	} else {
		v.name = open + `\`
	}
	return v
}

// volumeHolding is the volume on which a file is or would be; false when it is
// not on one of this machine.
func volumeHolding(path string) (winVol, bool) {
	p, err := windows.UTF16PtrFromString(unsubstituted(path, dosDevice))
	if err != nil {
		return winVol{}, false
	}
	buf := make([]uint16, windows.MAX_LONG_PATH)
	if windows.GetVolumePathName(p, &buf[0], uint32(len(buf))) != nil {
		return winVol{}, false
	}
	at := windows.UTF16ToString(buf)
	if windows.GetDriveType(&buf[0]) == windows.DRIVE_REMOTE || strings.HasPrefix(at, `\\`) && parseWinName(at).kind == winFile {
		return winVol{}, false
	}
	var name [64]uint16
	if windows.GetVolumeNameForVolumeMountPoint(&buf[0], &name[0], uint32(len(name))) != nil {
		return volumeAt(parseWinName(at).open), true
	}
	v := volumeNamed(windows.UTF16ToString(name[:]))
	if len(v.paths) == 0 {
		v.paths = []string{at}
	}
	return v, true
}

// dosDevice is what a letter stands for in the system's own names; "" when it is
// not known.
func dosDevice(letter string) string {
	p, err := windows.UTF16PtrFromString(letter)
	if err != nil {
		return ""
	}
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.QueryDosDevice(p, &buf[0], uint32(len(buf)))
	if err != nil {
		return ""
	}
	return windows.UTF16ToString(buf[:n])
}

// inUse says where a disk or volume is mounted.
func inUse(path string) (reason string, rw bool) {
	n := parseWinName(path)
	switch n.kind {
	case winVolume:
		v := volumeAt(n.open)
		return inUseText([]winVol{v}, false), v.writable()
	case winDisk:
		on := slices.DeleteFunc(volumes(), func(v winVol) bool { return !v.on(n.disk) })
		return inUseText(on, true), slices.ContainsFunc(on, func(v winVol) bool { return v.writable() })
	}
	return "", false
}

// writable reports whether somebody can change the volume: it is mounted, and
// not read-only.
func (v *winVol) writable() bool {
	if len(v.paths) == 0 {
		return false
	}
	root, err := windows.UTF16PtrFromString(v.paths[0])
	if err != nil {
		return true
	}
	var flags uint32
	if windows.GetVolumeInformation(root, nil, 0, nil, nil, &flags, nil, 0) != nil {
		return false // nothing is mounted: no file system that Windows knows, or no medium
	}
	return flags&windows.FILE_READ_ONLY_VOLUME == 0
}

// needs are the volumes without which the system, or the restore, cannot go on.
func needs(protect []string) (list []need) {
	add := func(path, why string) {
		v, ok := volumeHolding(path)
		if ok && !slices.ContainsFunc(list, func(n need) bool { return n.vol.name != "" && n.vol.name == v.name && n.why == why }) {
			list = append(list, need{v, why})
		}
	}
	if dir, err := windows.GetSystemWindowsDirectory(); err == nil {
		add(dir, "holds the running system")
	}
	for _, f := range pageFiles() {
		add(f, "holds the page file "+f)
	}
	if open := bootVolume(); open != "" {
		list = append(list, need{volumeAt(open), "holds what starts the running system"})
	}
	for _, f := range protect {
		add(f, "holds the image file "+f)
	}
	return list
}

// pageFiles are those in use now.
func pageFiles() []string {
	const key = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management`
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE)
	if err != nil {
		return nil
	}
	defer k.Close()
	list, _, err := k.GetStringsValue("ExistingPageFiles")
	if err != nil {
		return nil
	}
	return pageFilePaths(list)
}

// bootVolume opens the volume that the machine starts from, which Windows
// keeps as \Device\HarddiskVolume1; "" when it does not say.
func bootVolume() string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\Setup`, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close()
	s, _, err := k.GetStringValue("SystemPartition")
	if err != nil || s == "" {
		return ""
	}
	return `\\?\GLOBALROOT` + s
}

// guard refuses a target that is needed.
func guard(path string, t *winTarget, protect []string) error {
	for _, n := range needs(protect) {
		if why := t.refusal(n); why != "" {
			return refuse(path, ErrProtected, "%s", why)
		}
	}
	return nil
}
