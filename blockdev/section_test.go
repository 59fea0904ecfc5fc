package blockdev_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
)

func TestSection(t *testing.T) {
	ctx, whole := t.Context(), make([]byte, 64<<10)
	for i := range whole {
		whole[i] = byte(i >> 8)
	}
	ov, err := overlay.New(blockdev.Bytes{B: whole}, overlay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ov.Close()
	d, err := blockdev.Section(ov, 4096, 8192)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10000)
	if n, err := d.ReadAtContext(ctx, p, 0); n != 8192 || err != io.EOF || !bytes.Equal(p[:n], whole[4096:12288]) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := d.ReadAtContext(ctx, p[:100], 8092); n != 100 || err != nil {
		t.Errorf("the end: %d, %v", n, err)
	}
	if n, err := d.ReadAtContext(ctx, p[:1], 8192); n != 0 || err != io.EOF {
		t.Errorf("beyond: %d, %v", n, err)
	}
	w := d.(blockdev.Writable)
	if _, err := w.WriteAtContext(ctx, []byte("here"), 8190); !errors.Is(err, blockdev.ErrRange) {
		t.Errorf("writing across the end: %v", err)
	}
	if err := w.ZeroRange(ctx, 1, 8192, true); !errors.Is(err, blockdev.ErrRange) {
		t.Errorf("zeroing across the end: %v", err)
	}
	if _, err := w.WriteAtContext(ctx, []byte("here"), 100); err != nil {
		t.Fatal(err)
	}
	if err := w.ZeroRange(ctx, 4096, 4096, true); err != nil {
		t.Fatal(err)
	}
	ov.ReadAtContext(ctx, p[:4], 4196)
	if string(p[:4]) != "here" {
		t.Errorf("the whole shows %q", p[:4])
	}
	var got []blockdev.Kind
	var end int64
	err = d.Extents(ctx, 0, 8192, func(off, n int64, k blockdev.Kind) bool {
		got, end = append(got, k), off+n
		return true
	})
	if err != nil || len(got) != 2 || got[0] != blockdev.Data || got[1] != blockdev.Hole || end != 8192 {
		t.Errorf("extents %v to %d, %v", got, end, err)
	}
}

func TestSectionRefusals(t *testing.T) {
	for _, r := range [][2]int64{{-1, 10}, {0, 1025}, {1024, 1}, {1 << 62, 1 << 62}} {
		if _, err := blockdev.Section(blockdev.Bytes{B: make([]byte, 1024)}, r[0], r[1]); !errors.Is(err, blockdev.ErrRange) {
			t.Errorf("%v: %v", r, err)
		}
	}
	d, err := blockdev.Section(blockdev.Bytes{B: make([]byte, 1024)}, 512, 512)
	if _, ok := d.(blockdev.Writable); ok || err != nil {
		t.Errorf("read-only: %T, %v", d, err)
	}
}
