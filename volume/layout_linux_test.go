package volume

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"syscall"
	"testing"
)

// sfdisk's own words about a disk.
type sfdiskTable struct {
	Label, ID  string
	SectorSize int64
	Partitions []struct {
		Node, Type, UUID, Name, Attrs string
		Start, Size                   int64
		Bootable                      bool
	}
}

func sfdisk(t *testing.T, path string) sfdiskTable {
	t.Helper()
	var v struct{ PartitionTable sfdiskTable }
	if err := json.Unmarshal([]byte(tool(t, "", "sfdisk", "-J", path)), &v); err != nil {
		t.Fatal(err)
	}
	return v.PartitionTable
}

// want turns sfdisk's answer into our words; extended partitions are dropped.
func (s sfdiskTable) want(path string) []Partition {
	var ps []Partition
	for _, p := range s.Partitions {
		var n int
		fmt.Sscanf(strings.TrimPrefix(strings.TrimPrefix(p.Node, path), "p"), "%d", &n)
		q := Partition{Number: n, Off: p.Start * s.SectorSize, Len: p.Size * s.SectorSize, Type: strings.ToLower(p.Type), Name: p.Name,
			UniqueID: strings.ToLower(p.UUID), Bootable: p.Bootable || strings.Contains(p.Attrs, "LegacyBIOSBootable")}
		if s.Label == "dos" {
			q.Type = fmt.Sprintf("%02s", q.Type)
			q.UniqueID = fmt.Sprintf("%s-%02x", strings.TrimPrefix(s.ID, "0x"), n)
			q.Logical = n > 4
		}
		if q.Type != "05" && q.Type != "0f" && q.Type != "85" {
			ps = append(ps, q)
		}
	}
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].Off < ps[j].Off })
	return ps
}

func TestLayoutAgreesWithSfdisk(t *testing.T) {
	for _, c := range []struct {
		name, script string
		sector       int
	}{
		{"mbr", "label: dos\n2048,20000,7,*\n,30000,83\n,,c\n", 512},
		{"mbr out of order", "label: dos\n60000,20000,7\n2048,1000,83\n", 512},
		{"mbr logical", "label: dos\n2048,2000,7\n,,5\n,4000,83\n,3000,82\n,,7\n", 512},
		{"mbr many logical", "label: dos\n2048,2000,7\n,,f\n" + strings.Repeat(",100,83\n", 40), 512},
		{"mbr 4k", "label: dos\n256,2000,7\n,,5\n,1000,83\n,1000,7\n", 4096},
		{"mbr empty", "label: dos\n", 512},
		{"gpt", "label: gpt\nsize=10M,type=U,name=\"EFI system\"\nsize=1M,attrs=\"LegacyBIOSBootable\"\ntype=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7,name=\"Bäsic 数据\"\n", 512},
		{"gpt 4k", "label: gpt\n,10M,U\n,,L\n", 4096},
		{"gpt 256 entries", "label: gpt\ntable-length: 256\n,10M,U\n,,L\n", 512},
		{"gpt 4 entries", "label: gpt\ntable-length: 4\n,10M,U\n,,L\n", 512},
		{"gpt empty", "label: gpt\n", 512},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := blank(t, 128<<20)
			path := img
			if c.sector != 512 {
				path = loop(t, img, c.sector)
			}
			tool(t, c.script, "sfdisk", "-q", "--no-reread", path)
			s := sfdisk(t, path)
			l := layoutOf(t, path, c.sector)
			checkLayout(t, l, s.want(path), c.sector)
			if strings.TrimPrefix(strings.ToLower(s.ID), "0x") != l.DiskID {
				t.Errorf("disk id %q, sfdisk says %q", l.DiskID, s.ID)
			}
			if l.Table == TableGPT {
				checkLayout(t, layoutOf(t, img, 0), s.want(path), c.sector)
			}
		})
	}
}

func checkLayout(t *testing.T, l *Layout, want []Partition, sector int) {
	t.Helper()
	if len(l.Problems) != 0 {
		t.Errorf("problems %q", l.Problems)
	}
	if l.SectorSize != sector {
		t.Errorf("sector size %d, want %d", l.SectorSize, sector)
	}
	if len(l.Partitions) != len(want) {
		t.Fatalf("got  %+v\nwant %+v", l.Partitions, want)
	}
	for i, p := range l.Partitions {
		p.Attrs = 0
		if p != want[i] {
			t.Errorf("partition %d\ngot  %+v\nwant %+v", i, p, want[i])
		}
	}
}

// gptDisk is a 64 MiB disk with two partitions.
func gptDisk(t *testing.T) string {
	img := blank(t, 64<<20)
	tool(t, "label: gpt\n2048,20480,U\n,,L\n", "sfdisk", "-q", img)
	return img
}

func TestGPTDamage(t *testing.T) {
	zero := make([]byte, 512)
	for _, c := range []struct {
		name    string
		harm    func(t *testing.T, img string)
		table   string
		parts   int
		problem string
	}{
		{"sound", func(t *testing.T, img string) {}, TableGPT, 2, ""},
		{"primary header", func(t *testing.T, img string) { patch(t, img, 512+60, []byte{1, 2, 3}) }, TableGPT, 2, "first copy of the GPT is damaged"},
		{"primary wiped", func(t *testing.T, img string) { patch(t, img, 512, zero) }, TableGPT, 2, "first copy of the GPT is damaged"},
		{"primary entries", func(t *testing.T, img string) { patch(t, img, 1024+40, []byte{9}) }, TableGPT, 2, "do not match their checksum"},
		{"backup", func(t *testing.T, img string) { patch(t, img, 64<<20-512, zero) }, TableGPT, 2, "backup GPT"},
		{"both", func(t *testing.T, img string) { patch(t, img, 512, zero); patch(t, img, 64<<20-512, zero) }, TableNone, 1, "neither copy"},
		{"protective MBR wiped", func(t *testing.T, img string) { patch(t, img, 0, zero) }, TableGPT, 2, "protective MBR is missing"},
		{"grown", func(t *testing.T, img string) { os.Truncate(img, 80<<20) }, TableGPT, 2, "not at the end"},
		{"cut", func(t *testing.T, img string) { os.Truncate(img, 40<<20) }, TableGPT, 2, "larger disk"},
		{"cut hard", func(t *testing.T, img string) { os.Truncate(img, 4<<20) }, TableGPT, 1, "starts beyond the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := gptDisk(t)
			c.harm(t, img)
			l := layoutOf(t, img, 0)
			if l.Table != c.table || len(l.Partitions) != c.parts {
				t.Errorf("table %q, %d partitions, want %q, %d", l.Table, len(l.Partitions), c.table, c.parts)
			}
			if said := strings.Join(l.Problems, "; "); !strings.Contains(said, c.problem) || c.problem == "" && said != "" {
				t.Errorf("problems %q, want %q", said, c.problem)
			}
		})
	}
}

func TestGPTOtherSectorSize(t *testing.T) {
	img := blank(t, 64<<20)
	dev := loop(t, img, 4096)
	tool(t, "label: gpt\n,10M,U\n,,L\n", "sfdisk", "-q", "--no-reread", dev)
	l := layoutOf(t, img, 512)
	if l.Table != TableGPT || l.SectorSize != 4096 || len(l.Problems) != 1 {
		t.Errorf("%+v", l)
	}
}

func TestHybridMBR(t *testing.T) {
	img := gptDisk(t)
	tool(t, "", "sgdisk", "-h", "1", img)
	l := layoutOf(t, img, 0)
	if l.Table != TableGPT || !l.Hybrid || len(l.Partitions) != 2 {
		t.Errorf("%+v", l)
	}
}

// A stale GPT under a newer MBR does not count, as for the kernel.
func TestStaleGPT(t *testing.T) {
	img := gptDisk(t)
	other := blank(t, 64<<20)
	tool(t, "label: dos\n2048,4000,7\n", "sfdisk", "-q", other)
	b, _ := os.ReadFile(other)
	patch(t, img, 0, b[:512])
	if l := layoutOf(t, img, 0); l.Table != TableMBR || len(l.Partitions) != 1 {
		t.Errorf("%+v", l)
	}
}

func TestBareFileSystems(t *testing.T) {
	for _, c := range []struct {
		kind, tool string
		args       []string
		sector     int
	}{
		{"ntfs", "mkntfs", []string{"-qFf"}, 512},
		{"ntfs", "mkntfs", []string{"-qFf", "-s", "4096"}, 4096},
		{"fat16", "mkfs.vfat", nil, 512},
		{"exfat", "mkfs.exfat", nil, 512},
		{"ext4", "mkfs.ext4", []string{"-qF"}, 512},
	} {
		t.Run(c.kind, func(t *testing.T) {
			img := blank(t, 64<<20)
			tool(t, "", c.tool, append(c.args, img)...)
			l := layoutOf(t, img, 0)
			want := []Partition{{Number: 1, Len: 64 << 20}}
			if l.Table != TableNone || len(l.Partitions) != 1 || l.Partitions[0] != want[0] || l.SectorSize != c.sector {
				t.Errorf("%+v", l)
			}
		})
	}
}

// A damaged NTFS boot sector that still has the mark of an MBR is no empty table:
// the backup at the end tells.
func TestDamagedBareNTFS(t *testing.T) {
	for _, sector := range []string{"512", "4096"} {
		for _, damage := range []struct {
			off int64
			b   []byte
		}{{3, []byte("XXXX")}, {13, []byte{0}}, {11, []byte{0, 0}}} {
			img := blank(t, 64<<20)
			tool(t, "", "mkntfs", "-qFf", "-s", sector, img)
			patch(t, img, damage.off, damage.b)
			l := layoutOf(t, img, 0)
			if l.Table != TableNone || len(l.Partitions) != 1 || l.Partitions[0].Len != 64<<20 {
				t.Errorf("sector %s, %q at %d: %+v", sector, damage.b, damage.off, l)
			}
			openImage(t, img)
		}
	}
}

// A file system in the first partition does not hide the table, and one that
// has the mark of an MBR in its boot code is no table.
func TestTableBesideFileSystem(t *testing.T) {
	img := blank(t, 64<<20)
	tool(t, "label: dos\n2048,,c\n", "sfdisk", "-q", img)
	tool(t, "", "mkfs.vfat", "--offset", "2048", img)
	if l := layoutOf(t, img, 0); l.Table != TableMBR || len(l.Partitions) != 1 {
		t.Errorf("%+v", l)
	}
	ext := blank(t, 64<<20)
	tool(t, "", "mkfs.ext4", "-qF", ext)
	patch(t, ext, 510, []byte{0x55, 0xaa})
	if l := layoutOf(t, ext, 0); l.Table != TableNone {
		t.Errorf("ext4 with boot code: %+v", l)
	}
}

func TestMBRSectorSizeOfFile(t *testing.T) {
	img := blank(t, 64<<20)
	dev := loop(t, img, 4096)
	tool(t, "label: dos\n256,,83\n", "sfdisk", "-q", "--no-reread", dev)
	tool(t, "", "mkfs.ext4", "-qF", "-E", "offset=1048576", img, "32M")
	if l := layoutOf(t, img, 0); l.SectorSize != 4096 || l.Partitions[0].Off != 1<<20 {
		t.Errorf("%+v", l)
	}
}

func TestEBRCircle(t *testing.T) {
	img := blank(t, 64<<20)
	tool(t, "label: dos\n2048,,5\n,4000,83\n,4000,83\n,4000,83\n", "sfdisk", "-q", img)
	b, _ := os.ReadFile(img)
	// Aim the link in the second EBR back at itself.
	first := 2048 * 512
	second := first + int(b[first+446+16+8])*512 + int(b[first+446+16+9])<<8*512
	circle := bytes.Clone(b)
	copy(circle[second+446+32-8:second+446+32-4], circle[first+446+16+8:])
	l, err := ReadLayout(bytes.NewReader(circle), int64(len(circle)), 0)
	if err != nil || len(l.Partitions) != 2 || !strings.Contains(strings.Join(l.Problems, ""), "circle") {
		t.Errorf("%+v, %v", l, err)
	}
	outside := bytes.Clone(b)
	outside[second+446+16+11] = 0x7f
	l, err = ReadLayout(bytes.NewReader(outside), int64(len(outside)), 0)
	if err != nil || len(l.Partitions) != 2 || !strings.Contains(strings.Join(l.Problems, ""), "leads out") {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestUnreadableFront: where the first sectors cannot be read, the backup GPT
// still tells the partitions, and without one the disk is taken as it is.
func TestUnreadableFront(t *testing.T) {
	gpt, err := os.ReadFile(gptDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{512, 4096, 64 << 10} {
		l, err := ReadLayout(badFront{bytes.NewReader(gpt), n, syscall.EIO}, int64(len(gpt)), 512)
		if err != nil || l.Table != TableGPT || len(l.Partitions) != 2 || len(l.Problems) == 0 || !strings.Contains(l.Problems[0], "could not be read") {
			t.Errorf("%d bytes: %+v, %v", n, l, err)
		}
		l, err = ReadLayout(badFront{bytes.NewReader(make([]byte, 1<<20)), n, syscall.EIO}, 1<<20, 0)
		if err != nil || l.Table != TableNone || len(l.Partitions) != 1 || len(l.Problems) != 1 {
			t.Errorf("%d bytes of nothing: %+v, %v", n, l, err)
		}
	}
	if _, err := ReadLayout(badFront{bytes.NewReader(gpt), 1, syscall.ENXIO}, int64(len(gpt)), 512); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a device that is gone: %v", err)
	}
}
