package capture

import (
	"testing"

	"vitrine/index"
)

func TestCompareSources(t *testing.T) {
	type disk = index.Disk
	part := func(id, fs, serial string, size int64) index.Partition {
		return index.Partition{Number: 1, UniqueID: id, FS: fs, FSID: serial, Size: size}
	}
	disks := func(table, id string, size int64, p ...index.Partition) disk {
		return disk{Table: table, ID: id, Size: size, Partitions: p}
	}
	gpt := disks("gpt", "d1", 100, part("p1", "ntfs", "A", 50), part("p2", "ext4", "B", 40))
	bareExt := disks("none", "", 40, part("", "ext4", "B", 40))
	for _, c := range []struct {
		name     string
		was, is  disk
		ok, size bool
	}{
		{"the same", gpt, gpt, true, false},
		{"a volume onto its disk", gpt, bareExt, false, false},
		{"a disk onto one of its volumes", bareExt, gpt, false, false},
		{"a volume onto an MBR disk", disks("mbr", "1234abcd", 40, part("x", "ext4", "B", 30)), bareExt, false, false},
		{"a clone with new IDs", gpt, disks("gpt", "d2", 100, part("q1", "ntfs", "A", 50), part("q2", "ext4", "B", 40)), false, false},
		{"a partition made larger", gpt, disks("gpt", "d1", 120, part("p1", "ntfs", "A", 70), part("p2", "ext4", "B", 40)), true, false},
		{"a partition made new", gpt, disks("gpt", "d1", 100, part("p1", "ntfs", "Z", 50), part("p3", "", "", 40)), true, false},
		{"a new disk ID, the same partitions", gpt, disks("gpt", "d9", 100, part("p1", "ntfs", "A", 50)), true, false},
		{"MBR to GPT", disks("mbr", "1234abcd", 100, part("1234abcd-01", "ntfs", "A", 50)), disks("gpt", "d1", 100, part("p1", "ntfs", "A", 50)), false, false},
		{"MBR without a signature, by contents", disks("mbr", "00000000", 100, part("00000000-01", "ntfs", "A", 50)), disks("mbr", "00000000", 100, part("00000000-01", "ntfs", "A", 50)), true, false},
		{"MBR without a signature, other contents", disks("mbr", "00000000", 100, part("00000000-01", "ntfs", "A", 50)), disks("mbr", "00000000", 100, part("00000000-01", "ntfs", "B", 50)), false, false},
		{"MBR signed meanwhile", disks("mbr", "00000000", 100, part("00000000-01", "ntfs", "A", 50)), disks("mbr", "1234abcd", 100, part("1234abcd-01", "ntfs", "A", 50)), true, false},
		{"another volume", bareExt, disks("none", "", 40, part("", "ext4", "C", 40)), false, false},
		{"a volume formatted for the first time", disks("none", "", 40, part("", "", "", 40)), bareExt, false, false},
		{"a volume made larger", bareExt, disks("none", "", 80, part("", "ext4", "B", 80)), true, false},
		{"nothing known, equal size", disks("none", "", 40, part("", "", "", 40)), disks("none", "", 40, part("", "", "", 40)), true, true},
		{"nothing known, another size", disks("none", "", 40, part("", "", "", 40)), disks("none", "", 41, part("", "", "", 41)), false, false},
	} {
		diff, size := compareSources(&index.Meta{Disks: []index.Disk{c.was}}, &c.is)
		if (diff == nil) != c.ok || size != c.size {
			t.Errorf("%s: %v, by size %v", c.name, diff, size)
		}
	}
	if diff, _ := compareSources(&index.Meta{}, &gpt); diff == nil {
		t.Error("an image of nothing is accepted")
	}
}
