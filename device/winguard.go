package device

import (
	"fmt"
	"slices"
	"strings"
)

// winVol is a volume of Windows.
type winVol struct {
	name    string       // \\?\Volume{…}\ ; "" when it has none
	paths   []string     // where it is mounted: C:\ …
	extents []diskExtent // nil: not known
}

// label names the volume for a person.
func (v *winVol) label() string {
	if len(v.paths) > 0 {
		return strings.TrimSuffix(v.paths[0], `\`)
	}
	return strings.TrimSuffix(v.name, `\`)
}

// isAt reports whether the volume is mounted at path, or is what path opens.
func (v *winVol) isAt(open string) bool {
	same := func(name string) bool {
		rest, _ := cutDevicePrefix(strings.TrimSuffix(name, `\`))
		want, _ := cutDevicePrefix(open)
		return strings.EqualFold(rest, want)
	}
	return v.name != "" && same(v.name) || slices.ContainsFunc(v.paths, same)
}

// on reports whether a part of the volume lies on a disk.
func (v *winVol) on(disk int) bool {
	return slices.ContainsFunc(v.extents, func(e diskExtent) bool { return e.Disk == disk })
}

// winTarget is what is to be overwritten: a disk, or a volume.
type winTarget struct {
	disk int     // -1: it is a volume
	vol  *winVol // nil: it is a disk
}

// need is a volume that must not be overwritten, and why.
type need struct {
	vol winVol
	why string // "holds …"
}

// refusal says why a need forbids the target; "" when it does not.
func (t *winTarget) refusal(n need) string {
	switch {
	case t.vol != nil && t.clashes(&n.vol):
		return n.why
	case t.vol == nil && n.vol.extents == nil:
		return fmt.Sprintf("may be a disk that is needed: it is not known on which disk %s is, which %s", n.vol.label(), n.why)
	case t.vol == nil && n.vol.on(t.disk):
		return n.why
	}
	return ""
}

// clashes reports whether two volumes are one, or overlap.
func (t *winTarget) clashes(v *winVol) bool {
	if t.vol.name != "" && strings.EqualFold(t.vol.name, v.name) {
		return true
	}
	for _, p := range t.vol.paths {
		if slices.ContainsFunc(v.paths, func(q string) bool { return strings.EqualFold(p, q) }) {
			return true
		}
	}
	for _, e := range t.vol.extents {
		if slices.ContainsFunc(v.extents, e.overlaps) {
			return true
		}
	}
	return false
}

// pageFilePaths takes the files out of the registry's list of page files in
// use, \??\C:\pagefile.sys each.
func pageFilePaths(list []string) (files []string) {
	for _, f := range list {
		f = strings.TrimPrefix(f, `\??\`)
		if len(f) > 3 && f[1] == ':' {
			files = append(files, f)
		}
	}
	return files
}

// unsubstituted follows letters that SUBST has made of folders, to a path on the
// volume that holds them. device tells what a letter stands for: \??\C:\folder, or
// \Device\… for a letter of its own.
func unsubstituted(path string, device func(letter string) string) string {
	const letters = 26 // more steps go in a circle
	for range letters {
		rest, _ := cutDevicePrefix(path)
		if len(rest) < 2 || rest[1] != ':' {
			break
		}
		folder, ok := strings.CutPrefix(device(rest[:2]), `\??\`)
		if !ok {
			break
		}
		if share, ok := cutFold(folder, `UNC\`); ok {
			return `\\` + share + rest[2:]
		}
		if len(folder) < 2 || folder[1] != ':' {
			break
		}
		path = strings.TrimSuffix(folder, `\`) + rest[2:]
	}
	return path
}

// cutFold is [strings.CutPrefix] without regard to case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// inUseText says where volumes are mounted; "" when nowhere.
func inUseText(vols []winVol, whole bool) string {
	var at []string
	for _, v := range vols {
		if len(v.paths) > 0 {
			at = append(at, v.label())
		}
	}
	switch {
	case len(at) == 0:
		return ""
	case whole:
		return "volumes of it are mounted: " + strings.Join(at, ", ")
	}
	return "is mounted as " + at[0]
}
