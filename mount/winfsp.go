package mount

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"vitrine/volume"
)

// WinFspNotice is what WinFsp's licence asks programs that use it to show.
const WinFspNotice = "WinFsp - Windows File System Proxy, Copyright (C) Bill Zissimopoulos, https://github.com/winfsp/winfsp"

// vitrineFSName is what a drive calls its file system unless told otherwise.
// "NTFS" would make chkdsk try its luck on it.
const vitrineFSName = "Vitrine"

// Limits of WinFsp, in UTF-16 units.
const (
	maxVolumeName = 32
	maxFSName     = 16
)

// winfspOptions are the arguments for WinFsp's FUSE layer.
func winfspOptions(o *Options, s volume.StatFS, created time.Time) []string {
	fsName, label := o.FSName, o.VolumeName
	if fsName == "" {
		fsName = vitrineFSName
	}
	if label == "" {
		label = s.Label
	}
	opts := []string{
		"uid=-1", "gid=-1", // files belong to whoever mounts
		"umask=0",            // what is refused is refused as write-protected, not for lack of rights
		"FileInfoTimeout=-1", // nothing changes: cache it for good
		"KeepFileCache=1",    // the value is needed, whatever WinFsp's help says
		"volname=" + winfspText(label, maxVolumeName),
		"ExactFileSystemName=" + winfspText(fsName, maxFSName),
		"VolumeSerialNumber=" + fmt.Sprintf("%08x", uint32(s.Serial)),
	}
	if !created.IsZero() {
		opts = append(opts, "VolumeCreationTime="+strconv.FormatInt(fileTime(created), 10))
	}
	opts = append(opts, sectorOptions(s.BlockSize)...)
	var args []string
	for _, opt := range opts {
		args = append(args, "-o", opt)
	}
	return args
}

// sectorOptions tell sectors and clusters; WinFsp takes sectors of 512 to 4096.
func sectorOptions(cluster int) []string {
	const sector = 512
	if cluster < sector || cluster > 128*sector {
		return nil
	}
	return []string{"SectorSize=" + strconv.Itoa(sector), "SectorsPerAllocationUnit=" + strconv.Itoa(cluster/sector)}
}

// winfspText cuts a text to a number of UTF-16 units and protects what WinFsp's
// parser would take for its own.
func winfspText(s string, most int) string {
	s = escapeSurrogates(s)
	units := 0
	for i, r := range s {
		if units += utf16.RuneLen(r); units > most {
			s = s[:i]
			break
		}
	}
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(s)
}

// fileTime counts units of 100 ns since 1601-01-01.
func fileTime(t time.Time) int64 {
	const from1601 = 11644473600
	return (t.Unix()+from1601)*1e7 + int64(t.Nanosecond())/100
}

// AbsPlace names a place to mount on so that it means the same in every folder: a
// drive letter and "*" on Windows as they are, folders absolutely.
func AbsPlace(dir string) (string, error) {
	if _, ok := driveLetter(dir); runtime.GOOS == "windows" && (ok || dir == "*") {
		return dir, nil
	}
	return filepath.Abs(dir)
}

// driveLetter takes "x:", "X:\", "X:\." or "X" for a drive; ok is false for
// folders.
func driveLetter(dir string) (letter byte, ok bool) {
	dir = strings.TrimRight(strings.TrimSuffix(dir, `\.`), `\/`)
	switch {
	case len(dir) == 2 && dir[1] == ':', len(dir) == 1:
		letter = dir[0] &^ 0x20
		return letter, 'A' <= letter && letter <= 'Z'
	}
	return 0, false
}

// freeLetter chooses a drive letter from those that the bits of used do not
// have: from Z down, as for network drives.
func freeLetter(used uint32) (letter byte, ok bool) {
	for l := byte('Z'); l >= 'D'; l-- {
		if used&(1<<(l-'A')) == 0 {
			return l, true
		}
	}
	return 0, false
}
