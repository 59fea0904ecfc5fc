package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// Installation is a Windows that lies on a volume, and what starts it.
type Installation struct {
	Root   string // where its volume is mounted: E:\
	UEFI   bool
	system winVol // holds what the machine starts
	is     string // what boot records name its partition by now
}

// FindInstallation looks for a Windows on a volume that was restored, or on the
// partition of a disk that begins at off; nil when there is none, or nothing
// that could start it.
func FindInstallation(target string, off int64) (*Installation, error) {
	v := volumeOf(parseWinName(target), off)
	if len(v.paths) == 0 || len(v.extents) != 1 {
		return nil, nil
	}
	i := &Installation{Root: v.paths[0]}
	if _, err := os.Stat(filepath.Join(i.Root, `Windows\System32\winload.exe`)); err != nil {
		return nil, nil
	}
	disk := v.extents[0].Disk
	l, err := layoutOf(disk)
	if err != nil {
		return nil, err
	}
	p, sys := l.at(v.extents[0].Off), l.system()
	if p == nil || sys == nil {
		return nil, nil
	}
	i.UEFI, i.is = l.Style == styleGPT, l.identity(p)
	for _, q := range volumesOn(disk) {
		if q.extents[0].Off == sys.Off {
			i.system = q
			return i, nil
		}
	}
	return nil, nil
}

// volumeOf is the volume that n names, or that lies at off on the disk n.
func volumeOf(n winName, off int64) winVol {
	if n.kind != winDisk {
		return volumeAt(n.open)
	}
	for _, v := range volumesOn(n.disk) {
		if v.extents[0].Off == off {
			return v
		}
	}
	return winVol{}
}

// Same reports whether boot records made for a partition still find the
// installation: uniqueID is the partition's, diskID its disk's, off its place.
func (i *Installation) Same(uniqueID, diskID string, off int64) bool {
	if i.UEFI {
		return strings.EqualFold(i.is, uniqueID)
	}
	return strings.EqualFold(i.is, mbrIdentity(diskID, off))
}

// Repair has Windows' own bcdboot write what starts the installation.
func (i *Installation) Repair(ctx context.Context, out io.Writer) error {
	at, undo, err := placeFor(&i.system)
	if err != nil {
		return err
	}
	defer undo()
	firmware := "BIOS"
	if i.UEFI {
		firmware = "UEFI"
	}
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, filepath.Join(dir, "bcdboot.exe"), filepath.Join(i.Root, "Windows"), "/s", strings.TrimSuffix(at, `\`), "/f", firmware)
	c.Stdout, c.Stderr = out, out
	if err := c.Run(); err != nil {
		return fmt.Errorf("bcdboot: %w", err)
	}
	return nil
}

// placeFor gives a volume a letter for a while, unless it has one.
func placeFor(v *winVol) (at string, undo func(), err error) {
	if len(v.paths) > 0 {
		return v.paths[0], func() {}, nil
	}
	at, err = giveLetter(v)
	if err != nil {
		return "", nil, err
	}
	return at, func() {
		if p, err := windows.UTF16PtrFromString(at); err == nil {
			windows.DeleteVolumeMountPoint(p)
		}
	}, nil
}

var errNoLetter = errors.New("no drive letter is free")

// giveLetter mounts a volume on the first free letter from D: on.
func giveLetter(v *winVol) (at string, err error) {
	used, err := windows.GetLogicalDrives()
	if err != nil {
		return "", err
	}
	name, err := windows.UTF16PtrFromString(v.name)
	if err != nil {
		return "", err
	}
	for n := 3; n < 26; n++ {
		if used&(1<<n) != 0 {
			continue
		}
		at = string(rune('A'+n)) + `:\`
		p, _ := windows.UTF16PtrFromString(at)
		if err = windows.SetVolumeMountPoint(p, name); err == nil {
			return at, nil
		}
	}
	return "", errors.Join(errNoLetter, err)
}

// Letters waits for the volumes of a disk that was restored and gives letters to
// those that hold files and have none. It tells where all are.
func Letters(disk string, most time.Duration) (at []string, err error) {
	n := parseWinName(disk)
	if n.kind != winDisk {
		return nil, nil
	}
	AwaitVolumes(disk, most)
	l, err := layoutOf(n.disk)
	if err != nil {
		return nil, err
	}
	for _, v := range volumesOn(n.disk) {
		p := l.at(v.extents[0].Off)
		switch {
		case len(v.paths) > 0:
			at = append(at, v.paths[0])
		case p != nil && p.holdsFiles(l.Style):
			letter, lerr := giveLetter(&v)
			if lerr != nil {
				err = errors.Join(err, lerr)
				continue
			}
			at = append(at, letter)
		}
	}
	return at, err
}

func layoutOf(disk int) (diskLayout, error) {
	name := physicalDrive(disk)
	f, err := openDevice(name, winName{kind: winDisk, open: name, disk: disk}, windows.GENERIC_READ)
	if err != nil {
		return diskLayout{}, err
	}
	defer f.Close()
	b, err := ask(handleOf(f), ioctlDiskLayoutEx, nil)
	if err != nil {
		return diskLayout{}, &os.PathError{Op: "read partition table of", Path: name, Err: err}
	}
	return decodeLayout(b)
}
