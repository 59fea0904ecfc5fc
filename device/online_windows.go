package device

import (
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// Volumes says where the volumes of a disk are mounted, C:\ for example, in the
// order in which they lie on it; one that has no place is named \\?\Volume{…}\.
func Volumes(disk string) (at []string) {
	for _, v := range volumesOn(parseWinName(disk).disk) {
		if len(v.paths) > 0 {
			at = append(at, v.paths[0])
		} else {
			at = append(at, v.name)
		}
	}
	return at
}

func volumesOn(disk int) []winVol {
	on := slices.DeleteFunc(volumes(), func(v winVol) bool { return !v.on(disk) })
	slices.SortFunc(on, func(a, b winVol) int { return int(min(max(a.extents[0].Off-b.extents[0].Off, -1), 1)) })
	return on
}

// AwaitVolumes waits until the system has found the volumes of a disk that is
// new, most of all for the time given, and gives them as [Volumes] does.
func AwaitVolumes(disk string, most time.Duration) []string {
	for end := time.Now().Add(most); ; {
		if at := Volumes(disk); len(at) > 0 || time.Now().After(end) {
			return at
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// Online lets the system use a disk that it keeps offline, as server editions do
// with new ones, until it is plugged in anew. With writable it may write to it.
func Online(disk string, writable bool) error {
	f, err := openDevice(disk, parseWinName(disk), windows.GENERIC_READ|windows.GENERIC_WRITE)
	if err != nil {
		return err
	}
	defer f.Close()
	mask := uint64(diskOffline)
	if writable {
		mask |= diskReadOnly
	}
	b, err := ask(handleOf(f), ioctlDiskAttributes, nil)
	if err != nil {
		return nil // it does not know the word: then it is online
	}
	if a, err := decodeAttributes(b); err != nil || a&mask == 0 {
		return err
	}
	_, err = control(handleOf(f), ioctlDiskSetAttributes, encodeAttributes(0, mask), nil)
	return err
}

// HoldVolumes locks and dismounts the volumes of a disk, so that nothing of it
// is in use, until release is called. It fails with [ErrBusy].
func HoldVolumes(disk string) (release func() error, err error) {
	h := &windowsHold{disk: parseWinName(disk).disk}
	for _, v := range volumesOn(h.disk) {
		if err := h.lock(strings.TrimSuffix(disk, `\`), &v); err != nil {
			return nil, errors.Join(err, h.release())
		}
	}
	return h.release, nil
}
