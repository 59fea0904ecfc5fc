package vdisk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
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

func TestIdentifiersComeFromTheSeed(t *testing.T) {
	dev := blockdev.Bytes{B: pattern(1 << 20)}
	disk := func(seed string) string {
		d, _ := GPT(dev, GPTOptions{Seed: []byte(seed)})
		v, _ := VHD(d, []byte(seed))
		b := make([]byte, v.Size())
		blockdev.ReadFull(bg, v, b, 0)
		return string(b)
	}
	if again := disk("a"); again != disk("a") {
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
