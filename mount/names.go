package mount

import (
	"fmt"
	"strings"
)

// A damaged or hostile volume can hold names that no system can show: with a
// slash or a zero in them, "." or "..", or none at all. They appear with look-alikes, and can be
// opened by these.
const (
	likeSlash  = "\u2215" // ∕
	likeZero   = "\u2400" // ␀
	likeDot    = "\u2024" // ․
	likeDotDot = "\u2025" // ‥
	likeEmpty  = "\u2422" // ␢
)

var (
	nameShower   = strings.NewReplacer("/", likeSlash, "\x00", likeZero)
	nameRecaller = strings.NewReplacer(likeSlash, "/", likeZero, "\x00")
)

// showName spells a volume's name so that systems can take it.
func showName(name string) string {
	switch name {
	case "":
		return likeEmpty
	case ".":
		return likeDot
	case "..":
		return likeDotDot
	}
	if strings.IndexByte(name, '/') >= 0 || strings.IndexByte(name, 0) >= 0 {
		return nameShower.Replace(name)
	}
	return name
}

// recallName undoes showName; ok is false when there is nothing to undo.
func recallName(shown string) (name string, ok bool) {
	switch shown {
	case likeDot:
		return ".", true
	case likeDotDot:
		return "..", true
	case likeEmpty:
		return "", true
	}
	name = nameRecaller.Replace(shown)
	return name, name != shown
}

// PartitionName names the folder of a partition: "partition-2", with the label
// behind it where there is one ("partition-2-Windows"). When an image has
// several disks, disk (from 1) comes first: "disk-1-partition-2-Windows"; 0
// leaves it out. The look-up of the name without its label works as well.
func PartitionName(disk, number int, label string) string {
	name := partitionBase(disk, number)
	if l := plainLabel(label); l != "" {
		name += "-" + l
	}
	return name
}

func partitionBase(disk, number int) string {
	if disk > 0 {
		return fmt.Sprintf("disk-%d-partition-%d", disk, number)
	}
	return fmt.Sprintf("partition-%d", number)
}

// RawName names the raw file of a partition, or of the whole disk for number 0;
// disk as in [PartitionName].
func RawName(disk, number int) string {
	switch {
	case number > 0:
		return partitionBase(disk, number) + ".img"
	case disk > 0:
		return fmt.Sprintf("disk-%d.img", disk)
	}
	return "disk.img"
}

// plainLabel keeps of a volume label what is harmless in a file name on every
// system.
func plainLabel(label string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, label)
	const most = 64
	if r := []rune(plain); len(r) > most {
		plain = string(r[:most])
	}
	return strings.Trim(plain, " .")
}
