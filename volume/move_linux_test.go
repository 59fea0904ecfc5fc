package volume

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

func writePieces(t *testing.T, img string, ps []Piece) {
	t.Helper()
	for _, p := range ps {
		patch(t, img, p.Off, p.Data)
	}
}

// A moved GPT is sound for sgdisk and has the same partitions and ids.
func TestMoveGPT(t *testing.T) {
	for _, c := range []struct {
		name    string
		newSize int64
		harm    func(img string)
	}{
		{"same", 64 << 20, func(string) {}},
		{"larger", 200 << 20, func(string) {}},
		{"smaller", 50 << 20, func(string) {}},
		{"from the backup", 90 << 20, func(img string) { patch(t, img, 512, make([]byte, 512)) }},
		{"hybrid", 90 << 20, func(img string) { tool(t, "", "sgdisk", "-h", "1", img) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := blank(t, 64<<20)
			tool(t, "label: gpt\n2048,20480,U\n,20M,L\n", "sfdisk", "-q", img)
			before := layoutOf(t, img, 0)
			c.harm(img)
			f, _ := os.Open(img)
			m, err := MoveGPT(f, 64<<20, 512, c.newSize)
			f.Close()
			if err != nil || m.Primary == nil {
				t.Fatalf("%+v, %v", m, err)
			}
			if m.Old != (Extent{64<<20 - 33*512, 33 * 512}) {
				t.Errorf("old backup %+v", m.Old)
			}
			os.Truncate(img, c.newSize)
			writePieces(t, img, append(m.Backup, m.Primary...))
			l := layoutOf(t, img, 0)
			if len(l.Problems) != 0 || l.DiskID != before.DiskID || len(l.Partitions) != 2 || l.Partitions[1] != before.Partitions[1] {
				t.Errorf("%+v", l)
			}
			if out := tool(t, "", "sgdisk", "-v", img); !strings.Contains(out, "No problems found") {
				t.Error(out)
			}
		})
	}
}

func TestMoveGPTNeed(t *testing.T) {
	img := blank(t, 64<<20)
	tool(t, "label: gpt\n2048,20480,U\n,20M,L\n", "sfdisk", "-q", img)
	l := layoutOf(t, img, 0)
	end := l.Partitions[1].Off + l.Partitions[1].Len
	f, _ := os.Open(img)
	defer f.Close()
	m, err := MoveGPT(f, 64<<20, 512, end)
	if err != nil || m.Need != end+33*512 || m.Primary != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if m, _ = MoveGPT(f, 64<<20, 512, m.Need); m.Primary == nil {
		t.Error("does not fit what it needs")
	}
}

func TestMoveStart(t *testing.T) {
	for _, c := range []struct {
		cmd    []string
		size   int64
		pieces int
	}{
		{[]string{"mkntfs", "-qFf"}, 20 << 20, 2},
		{[]string{"mkntfs", "-qFf", "-s", "4096"}, 20 << 20, 2},
		{[]string{"mkfs.vfat", "-F", "32"}, 512 << 20, 2},
		{[]string{"mkfs.vfat", "-F", "16"}, 20 << 20, 1},
		{[]string{"mkfs.ext4", "-qF"}, 20 << 20, 0},
	} {
		img := blank(t, c.size)
		tool(t, "", c.cmd[0], append(c.cmd[1:], img)...)
		f, _ := os.Open(img)
		defer f.Close()
		_, ps, err := MoveStart(f, c.size, 8<<20)
		if err != nil || len(ps) != c.pieces {
			t.Fatalf("%v: %d pieces, %v", c.cmd, len(ps), err)
		}
		writePieces(t, img, ps)
		for _, p := range ps {
			if got := binary.LittleEndian.Uint32(p.Data[28:]); int64(got)*int64(len(p.Data)) != 8<<20 {
				t.Errorf("%v: %d sectors of %d", c.cmd, got, len(p.Data))
			}
		}
		if was, ps, _ := MoveStart(f, c.size, 8<<20); len(ps) != 0 || c.pieces > 0 && was == 0 {
			t.Errorf("%v: not settled: %d, %d pieces", c.cmd, was, len(ps))
		}
	}
}
