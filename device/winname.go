package device

import (
	"strconv"
	"strings"
)

// winKind is what a name means on Windows.
type winKind uint8

const (
	winFile   winKind = iota // a plain file, by any spelling
	winDisk                  // a whole disk
	winVolume                // what has a file system: a letter, a volume, a snapshot
	winOther                 // another device: a pipe, a port
)

// winName is a name of Windows, sorted out.
type winName struct {
	kind winKind
	open string // to open it with; for a file as it was given
	disk int    // number of a disk
}

// parseWinName sorts a name out:
//
//	X:  X:\  \\.\X:  \\?\X:\                      the volume with that letter
//	\\?\Volume{…}  \\?\Volume{…}\                  a volume, with or without a letter
//	\\.\HarddiskVolume3  \\?\GLOBALROOT\Device\…   a volume, a snapshot
//	\\.\PhysicalDrive0                            a disk
//	everything else, \\?\C:\file among it         a file
//
// Source: "Naming Files, Paths, and Namespaces" in Microsoft's documentation.
func parseWinName(s string) winName {
	if letter, ok := driveOnly(s); ok {
		return winName{kind: winVolume, open: `\\.\` + letter}
	}
	rest, ok := cutDevicePrefix(s)
	if !ok {
		return winName{kind: winFile, open: s}
	}
	if letter, ok := driveOnly(rest); ok {
		return winName{kind: winVolume, open: `\\.\` + letter}
	}
	return parseDeviceName(s, rest)
}

// cutDevicePrefix takes \\.\ or \\?\ off, also when written with '/'.
func cutDevicePrefix(s string) (string, bool) {
	if len(s) < 4 {
		return s, false
	}
	switch strings.ReplaceAll(s[:4], "/", `\`) {
	case `\\.\`, `\\?\`, `\??\`:
		return strings.ReplaceAll(s[4:], "/", `\`), true
	}
	return s, false
}

// driveOnly gives "X:" for X: and X:\ alone.
func driveOnly(s string) (string, bool) {
	if len(s) == 3 && (s[2] == '\\' || s[2] == '/') {
		s = s[:2]
	}
	if len(s) != 2 || s[1] != ':' {
		return "", false
	}
	c := s[0] &^ 0x20
	return string(c) + ":", c >= 'A' && c <= 'Z'
}

// parseDeviceName sorts out what comes after the prefix.
func parseDeviceName(s, rest string) winName {
	low := strings.ToLower(rest)
	name, tail, _ := strings.Cut(low, `\`)
	switch {
	case len(low) > 2 && low[1] == ':', name == "unc":
		return winName{kind: winFile, open: s}
	case strings.HasPrefix(name, "volume{"):
		if tail != "" {
			return winName{kind: winFile, open: s}
		}
		return winName{kind: winVolume, open: `\\?\` + strings.TrimSuffix(rest, `\`)}
	case name == "globalroot":
		return winName{kind: winVolume, open: `\\?\` + strings.TrimSuffix(rest, `\`)}
	case strings.HasPrefix(name, "physicaldrive") && tail == "":
		return diskName(s, name[len("physicaldrive"):])
	case strings.HasPrefix(name, "harddisk") && tail == "":
		return winName{kind: winVolume, open: `\\.\` + strings.TrimSuffix(rest, `\`)}
	}
	return winName{kind: winOther, open: s}
}

func diskName(s, number string) winName {
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return winName{kind: winOther, open: s}
	}
	return winName{kind: winDisk, open: physicalDrive(int(n)), disk: int(n)}
}

// physicalDrive is the name of a disk.
func physicalDrive(n int) string { return `\\.\PhysicalDrive` + strconv.Itoa(n) }
