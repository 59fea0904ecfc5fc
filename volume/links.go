package volume

import (
	"path"
	"strings"

	"vitrine/ntfsparse"
)

// LinkPlace is where the target of a link leads to.
type LinkPlace int

// Places of links.
const (
	LinkFolder LinkPlace = iota // a path from the folder of the link
	LinkRoot                    // a path from the volume's root
	LinkDrive                   // a path from the root of a drive, this volume or another: which letter it had is not known
	LinkAway                    // nowhere on the volume: on a server, or in the file system of WSL or of an NFS client
)

// PlaceOf tells where the target of a link leads to that has the reparse tag tag and
// lies in folder dir, and gives the path in it that the target names.
//
// "//server/share" is a server's. In WSL "/mnt/c" is a drive and "/" the root of the
// Linux system; that of WSL 1 is a folder named rootfs.
func PlaceOf(target string, tag uint32, dir string) (p string, place LinkPlace) {
	if !strings.HasPrefix(target, "/") {
		if rest, ok := CutDrive(target); ok {
			return path.Clean("/" + rest), LinkDrive
		}
		return target, LinkFolder
	}
	if tag == ntfsparse.TagLXSymlink {
		return placeWSL(path.Clean(target), dir)
	}
	if strings.HasPrefix(target, "//") || tag == ntfsparse.TagNFS {
		return target, LinkAway
	}
	return target, LinkRoot
}

func placeWSL(target, dir string) (string, LinkPlace) {
	if drive, ok := strings.CutPrefix(target, "/mnt/"); ok && (len(drive) == 1 || strings.HasPrefix(drive[1:], "/")) && isLetter(drive[0]) {
		return path.Clean("/" + drive[1:]), LinkDrive
	}
	before, _, ok := strings.Cut(dir+"/", "/rootfs/")
	if !ok {
		return target, LinkAway
	}
	return before + "/rootfs" + target, LinkRoot
}

// CutDrive takes a leading drive letter off a link's target.
func CutDrive(target string) (rest string, ok bool) {
	if len(target) < 2 || target[1] != ':' || !isLetter(target[0]) || len(target) > 2 && target[2] != '/' {
		return target, false
	}
	return target[2:], true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
