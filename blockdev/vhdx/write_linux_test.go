package vhdx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"vitrine/blockdev"
)

// disk is a disk in memory, of which blocks of 64 KiB that are all zero are
// holes.
type disk struct {
	blockdev.Bytes
	reads int
	fail  int64 // reading fails behind this byte; 0: never
}

func (d *disk) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	d.reads++
	if d.fail > 0 && off+int64(len(p)) > d.fail {
		return 0, io.ErrClosedPipe
	}
	return d.Bytes.ReadAtContext(ctx, p, off)
}

func (d *disk) Extents(_ context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	add, flush := blockdev.Merge(yield)
	const step = 64 << 10
	for at := off; at < off+n; at += step {
		m := min(step, off+n-at)
		kind := blockdev.Data
		if len(bytes.Trim(d.B[at:at+m], "\x00")) == 0 {
			kind = blockdev.Hole
		}
		add(at, m, kind)
	}
	flush()
	return nil
}

// newDisk has data in places around the boundaries of blocks.
func newDisk(size, sector int) *disk {
	d := &disk{Bytes: blockdev.Bytes{B: make([]byte, size), Sector: sector}}
	rng := rand.New(rand.NewSource(int64(size)))
	for _, at := range []int{0, 2<<20 - 100, 5 << 20, 9 << 20, size - 700} {
		if at >= 0 && at < size {
			rng.Read(d.B[at:min(at+3000, size)])
		}
	}
	return d
}

func write(t *testing.T, d blockdev.Device) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(context.Background(), f, d, Options{Seed: []byte("seed")}); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// qemu finds no fault with the file, and the same disk in it; libvhdi opens what
// qemu cannot.
func TestQemuReads(t *testing.T) {
	for _, c := range []struct{ size, sector int }{
		{512, 512}, {1 << 20, 512}, {2 << 20, 512}, {2<<20 + 512, 512}, {12 << 20, 512}, {33<<20 + 4096, 512}, {33 << 20, 4096}, {4096, 4096},
	} {
		d := newDisk(c.size, c.sector)
		path := write(t, d)
		raw := filepath.Join(t.TempDir(), "disk.raw")
		if err := os.WriteFile(raw, d.B, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.sector != 512 { // qemu knows no other sectors in a VHDX
			run(t, "vhdiinfo", path)
			continue
		}
		run(t, "qemu-img", "check", "-f", "vhdx", path)
		run(t, "qemu-img", "compare", "-f", "vhdx", "-F", "raw", path, raw)
	}
}

// A large disk takes the space of its data, and the table has its entries for
// bitmaps in the right places.
func TestLargeSparse(t *testing.T) {
	d := &far{size: 40 << 30}
	path := write(t, d)
	st, err := os.Stat(path)
	if err != nil || st.Size() > 64<<20 {
		t.Fatalf("%v bytes, %v", st.Size(), err)
	}
	run(t, "qemu-img", "check", "-f", "vhdx", path)
	out := run(t, "qemu-io", "-f", "vhdx", "-r", "-c", "read -P 7 0 64k", "-c", "read -P 0 1G 64k", "-c", "read -P 7 42949607424 64k", path)
	if bytes.Contains([]byte(out), []byte("failed")) {
		t.Error(out)
	}
}

// far holds sevens in its first and last 64 KiB.
type far struct{ size int64 }

func (f *far) Size() int64     { return f.size }
func (f *far) SectorSize() int { return 512 }

func (f *far) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = 0
		if at := off + int64(i); at < 64<<10 || at >= f.size-64<<10 {
			p[i] = 7
		}
	}
	return len(p), nil
}

func (f *far) Extents(_ context.Context, _, _ int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	_ = yield(0, 64<<10, blockdev.Data) && yield(64<<10, f.size-128<<10, blockdev.Hole) && yield(f.size-64<<10, 64<<10, blockdev.Data)
	return nil
}

func TestErrors(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(context.Background())
	if err := Write(ctx, f, &far{size: MaxSize + 512}, Options{}); !errors.Is(err, blockdev.ErrRange) {
		t.Error("too large:", err)
	}
	if err := Write(ctx, f, blockdev.Bytes{}, Options{}); !errors.Is(err, blockdev.ErrRange) {
		t.Error("empty:", err)
	}
	d := newDisk(12<<20, 512)
	d.fail = 6 << 20
	if err := Write(ctx, f, d, Options{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error("a source that fails:", err)
	}
	head := make([]byte, 8)
	if f.ReadAt(head, 0); string(head) == "vhdxfile" {
		t.Error("an unfinished file is marked as a disk")
	}
	cancel()
	if err := Write(ctx, f, newDisk(12<<20, 512), Options{}); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
}
