package vdisk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/blockdev"
)

var bg = context.Background()

func pattern(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s (packages qemu-utils, fdisk): %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, name string, d blockdev.Device) string {
	t.Helper()
	b := make([]byte, d.Size())
	if err := blockdev.ReadFull(bg, d, b, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGPT(t *testing.T) {
	for _, c := range []struct{ size, sector int }{{1 << 20, 512}, {5<<20 + 512, 512}, {5<<20 + 100, 512}, {3 << 20, 4096}} {
		data := pattern(c.size)
		d, err := GPT(blockdev.Bytes{B: data, Sector: c.sector}, GPTOptions{Seed: []byte("a"), Name: "Größe 1"})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, c.size)
		if err := blockdev.ReadFull(bg, d, got, 1<<20); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v: the partition's contents differ: %v", c, err)
		}
		if c.sector == 512 {
			checkTable(t, write(t, "disk", d), int64(c.size))
		}
	}
}

func checkTable(t *testing.T, path string, size int64) {
	t.Helper()
	out := tool(t, "sfdisk", "--verify", path)
	if !strings.Contains(out, "No errors") {
		t.Error(out)
	}
	var got struct {
		PartitionTable struct {
			Label, ID  string
			Partitions []struct {
				Start, Size      int64
				Type, UUID, Name string
			}
		}
	}
	if err := json.Unmarshal([]byte(tool(t, "sfdisk", "--json", path)), &got); err != nil {
		t.Fatal(err)
	}
	p := got.PartitionTable.Partitions
	if got.PartitionTable.Label != "gpt" || len(p) != 1 || p[0].Start != 2048 || p[0].Size != (size+511)/512 || p[0].Type != TypeBasicData || p[0].Name != "Größe 1" {
		t.Errorf("table: %+v", got)
	}
	if p[0].UUID[14] != '4' || p[0].UUID == got.PartitionTable.ID {
		t.Errorf("identifiers: %+v", got)
	}
}

func TestIdentifiersComeFromTheSeed(t *testing.T) {
	dev := blockdev.Bytes{B: pattern(1 << 20)}
	disk := func(seed string) string {
		d, _ := GPT(dev, GPTOptions{Seed: []byte(seed)})
		v, _ := VHD(d, []byte(seed))
		b := make([]byte, v.Size())
		blockdev.ReadFull(bg, v, b, 0)
		return string(b)
	}
	if disk("a") != disk("a") {
		t.Error("the same seed gives other bytes")
	}
	if disk("a") == disk("b") {
		t.Error("another seed gives the same bytes")
	}
}

func TestRefusals(t *testing.T) {
	dev := blockdev.Bytes{B: pattern(4096)}
	if _, err := GPT(blockdev.Bytes{}, GPTOptions{}); !errors.Is(err, blockdev.ErrRange) {
		t.Errorf("empty partition: %v", err)
	}
	if _, err := GPT(dev, GPTOptions{Type: "linux"}); err == nil {
		t.Error("a type that is no GUID")
	}
	if _, err := GPT(dev, GPTOptions{Name: strings.Repeat("x", 37)}); err == nil {
		t.Error("a long name")
	}
	if _, err := VHD(blockdev.Bytes{}, nil); !errors.Is(err, blockdev.ErrRange) {
		t.Errorf("empty VHD: %v", err)
	}
	if _, err := VMDK(dev, "a\"b", nil); err == nil {
		t.Error("an extent with a quotation mark")
	}
}

func TestVHD(t *testing.T) {
	for _, size := range []int{512, 1 << 20, 33<<20 + 512, 130<<20 + 5*512, 600 << 20} {
		raw := &sparse{head: pattern(4096), size: int64(size)}
		v, err := VHD(raw, []byte("seed"))
		if err != nil {
			t.Fatal(err)
		}
		path := writeSparse(t, "disk.vhd", v)
		plain := writeSparse(t, "disk.raw", raw)
		var info struct {
			Format string
			Size   int64 `json:"virtual-size"`
		}
		json.Unmarshal([]byte(tool(t, "qemu-img", "info", "--output=json", "-f", "vpc", path)), &info)
		if info.Size != int64(size) {
			t.Errorf("qemu-img says %d bytes of %d", info.Size, size)
		}
		tool(t, "qemu-img", "compare", "-f", "raw", "-F", "vpc", plain, path)
	}
}

// sparse is zeros after its head.
type sparse struct {
	head []byte
	size int64
}

func (s *sparse) Size() int64     { return s.size }
func (s *sparse) SectorSize() int { return 512 }
func (s *sparse) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), s.size-off)))
	clear(p[:n])
	if off < int64(len(s.head)) {
		copy(p[:n], s.head[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
func (s *sparse) Extents(_ context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	edge := max(off, min(off+n, int64(len(s.head))))
	if edge > off && !yield(off, edge-off, blockdev.Data) {
		return nil
	}
	if edge < off+n {
		yield(edge, off+n-edge, blockdev.Hole)
	}
	return nil
}

func writeSparse(t *testing.T, name string, d blockdev.Device) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Truncate(d.Size())
	err = d.Extents(bg, 0, d.Size(), func(off, n int64, k blockdev.Kind) bool {
		if k.ReadsZero() {
			return true
		}
		b := make([]byte, n)
		if err := blockdev.ReadFull(bg, d, b, off); err != nil {
			t.Error(err)
		}
		_, err := f.WriteAt(b, off)
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVMDK(t *testing.T) {
	raw := &sparse{head: pattern(9000), size: 20<<20 + 100}
	text, err := VMDK(raw, "disk.raw", []byte("seed"))
	if err != nil {
		t.Fatal(err)
	}
	plain := writeSparse(t, "disk.raw", Flat(raw))
	path := filepath.Join(filepath.Dir(plain), "disk.vmdk")
	os.WriteFile(path, text, 0o600)
	if out := tool(t, "qemu-img", "info", "-f", "vmdk", path); !strings.Contains(out, "monolithicFlat") {
		t.Error(out)
	}
	tool(t, "qemu-img", "compare", "-f", "raw", "-F", "vmdk", plain, path)
}

// TestRanges reads at and around every boundary, and checks the extents.
func TestRanges(t *testing.T) {
	g, err := GPT(blockdev.Bytes{B: pattern(3<<20 + 100)}, GPTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := VHD(g, nil)
	all := make([]byte, d.Size())
	blockdev.ReadFull(bg, d, all, 0)
	edges := []int64{0, 512, 1024, 1024 + 16384, 1 << 20, 4<<20 + 100, 4<<20 + 512, d.Size() - 512, d.Size()}
	for _, a := range edges {
		for _, b := range edges {
			for _, shift := range []int64{-1, 0, 1} {
				from, to := max(0, a+shift), min(d.Size(), b-shift)
				if from >= to {
					continue
				}
				got := make([]byte, to-from)
				if _, err := d.ReadAt(got, from); err != nil || !bytes.Equal(got, all[from:to]) {
					t.Fatalf("[%d,%d): %v", from, to, err)
				}
				checkExtents(t, d, all, from, to)
			}
		}
	}
	if n, err := d.ReadAt(make([]byte, 10), d.Size()-5); n != 5 || err != io.EOF {
		t.Errorf("over the end: %d, %v", n, err)
	}
}

func checkExtents(t *testing.T, d *Disk, all []byte, from, to int64) {
	t.Helper()
	at := from
	err := d.Extents(bg, from, to-from, func(off, n int64, k blockdev.Kind) bool {
		if off != at || n <= 0 || k.ReadsZero() && len(bytes.Trim(all[off:off+n], "\x00")) > 0 {
			t.Fatalf("[%d,%d): extent %d+%d %v", from, to, off, n, k)
		}
		at += n
		return true
	})
	if err != nil || at != to {
		t.Fatalf("[%d,%d): ends at %d, %v", from, to, at, err)
	}
}
