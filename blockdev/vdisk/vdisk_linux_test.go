package vdisk

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/blockdev"
)

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
