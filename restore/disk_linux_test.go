package restore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vitrine/capture"
	"vitrine/device"
	"vitrine/index"
	"vitrine/reader"
	"vitrine/volume"
)

var (
	_ View   = (*reader.View)(nil)
	_ Target = (*device.Target)(nil)
)

// tool runs a program that the test needs; its absence is a failure.
func tool(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs the program %s", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func sparse(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	return path
}

// dirty is a disk of size bytes full of what nobody wants.
func dirty(t *testing.T, size int64) string {
	path := sparse(t, size)
	f, _ := os.OpenFile(path, os.O_RDWR, 0)
	defer f.Close()
	junk := bytes.Repeat([]byte{0xaa}, 1<<20)
	for off := int64(0); off < size; off += 1 << 20 {
		f.WriteAt(junk[:min(1<<20, size-off)], off)
	}
	return path
}

func loop(t *testing.T, path string, sector int) string {
	t.Helper()
	dev := tool(t, "", "losetup", "-f", "--show", "-b", fmt.Sprint(sector), path)
	this := new(byte)
	looped.Store(dev, this)
	t.Cleanup(func() {
		if looped.CompareAndDelete(dev, this) {
			exec.Command("losetup", "-d", dev).Run()
		}
	})
	return dev
}

// looped are the loop devices that are to be detached: once, since somebody
// else may get the same number then.
var looped sync.Map

func unloop(dev string) {
	looped.Delete(dev)
	exec.Command("losetup", "-d", dev).Run()
}

// fill puts file systems made by the usual tools into a disk's partitions.
func fill(t *testing.T, img string, l *volume.Layout) {
	t.Helper()
	for i, q := range l.Partitions {
		fs := sparse(t, q.Len)
		if i%2 == 0 {
			tool(t, "", "mkntfs", "-qFf", "-s", fmt.Sprint(l.SectorSize), "-L", fmt.Sprint("part", i), fs)
		} else {
			tool(t, "", "mkfs.ext4", "-qF", "-b", "4096", "-d", "/usr/share/doc/bash", fs)
		}
		tool(t, "", "dd", "if="+fs, "of="+img, "bs=64K", "conv=notrunc,sparse", "oflag=seek_bytes", fmt.Sprint("seek=", q.Off), "status=none")
	}
}

// makeDisk makes a disk with a table and file systems.
func makeDisk(t *testing.T, size int64, sector int, script string) string {
	t.Helper()
	img := sparse(t, size)
	dev := loop(t, img, sector)
	tool(t, script, "sfdisk", "-q", "--no-reread", dev)
	l := layout(t, dev)
	unloop(dev)
	fill(t, img, l)
	return img
}

func layout(t *testing.T, path string) *volume.Layout {
	t.Helper()
	d, err := device.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := volume.ReadLayout(d, d.Size(), d.SectorSize())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// captured captures a file and opens the point.
func captured(t *testing.T, img string) *reader.Disk {
	t.Helper()
	src, err := device.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	res, err := capture.Run(context.Background(), src, capture.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := reader.Open(context.Background(), res.Path, reader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p.Disks()[0]
}

func wholeOf(d *reader.Disk) Source { return Source{"image", d.Meta, nil, d.View} }

func partOf(d *reader.Disk, n int) Source {
	return Source{"image", d.Meta, d.Partitions[n-1].Meta, d.Partitions[n-1].View}
}

func restoreTo(t *testing.T, src Source, path string, o Options) (*Plan, *Report) {
	t.Helper()
	tg, err := device.OpenTarget(path, device.TargetOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	p, err := NewPlan(context.Background(), src, tg, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

// sameWhereHeld compares a restored range with the captured file, wherever the
// image holds something; skip lists ranges that are meant to differ.
func sameWhereHeld(t *testing.T, v View, img string, off int64, restored string, at int64, skip ...span) {
	t.Helper()
	a, err1 := os.Open(img)
	b, err2 := os.Open(restored)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	held := int64(0)
	v.Extents(context.Background(), 0, v.Size(), func(e Extent) bool {
		if e.Kind != index.Data && e.Kind != index.Zero {
			return true
		}
		for _, s := range without([]span{{e.Off, e.Off + e.Len}}, skip) {
			held += s.len()
			if !sameRange(io.NewSectionReader(a, off+s.off, s.len()), io.NewSectionReader(b, at+s.off, s.len())) {
				t.Errorf("%v bytes %d to %d differ", e.Kind, s.off, s.end)
			}
		}
		return true
	})
	if held == 0 {
		t.Error("nothing was held")
	}
}

func sameRange(a, b io.Reader) bool {
	x, err1 := io.ReadAll(a)
	y, err2 := io.ReadAll(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

var disks = []struct {
	name   string
	sector int
	script string
}{
	{"gpt", 512, "label: gpt\n,20M,U\n,30M\n,,EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n"},
	{"mbr", 512, "label: dos\n2048,20M,7,*\n,,5\n,20M,83\n,,7\n"},
	{"gpt 4k", 4096, "label: gpt\n,20M\n,\n"},
	{"mbr 4k", 4096, "label: dos\n256,5120,7\n,,83\n"},
}

const diskSize = 96 << 20

// A whole disk comes back bit by bit, onto a dirty disk of the same size and
// into a file, and the usual tools agree.
func TestDisksComeBack(t *testing.T) {
	for _, c := range disks {
		t.Run(c.name, func(t *testing.T) {
			img := makeDisk(t, diskSize, c.sector, c.script)
			src := wholeOf(captured(t, img))
			back := dirty(t, diskSize)
			dev := loop(t, back, c.sector)
			restoreTo(t, src, dev, Options{})
			unloop(dev)
			sameWhereHeld(t, src.View, img, 0, back, 0)

			file := filepath.Join(t.TempDir(), "back.img")
			restoreTo(t, src, file, Options{})
			sameWhereHeld(t, src.View, img, 0, file, 0)
			for _, path := range []string{back, file} {
				if a, b := tool(t, "", "sfdisk", "-d", loop(t, img, c.sector)), tool(t, "", "sfdisk", "-d", loop(t, path, c.sector)); dump(a) != dump(b) {
					t.Errorf("sfdisk says\n%s\nfor\n%s", b, a)
				}
				checkParts(t, path, layout(t, img))
			}
			checkSparse(t, file)
		})
	}
}

// dump is sfdisk's dump without the names of devices.
func dump(s string) string {
	var out []string
	for _, line := range strings.Split(s, "\n") {
		if i := strings.Index(line, "/dev/"); i >= 0 {
			_, line, _ = strings.Cut(line[i:], " ")
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// checkParts has each file system's own checker look at it.
func checkParts(t *testing.T, path string, l *volume.Layout) {
	t.Helper()
	for _, q := range l.Partitions {
		fs := sparse(t, 0)
		tool(t, "", "dd", "if="+path, "of="+fs, "bs=64K", "conv=sparse", "iflag=skip_bytes,count_bytes",
			fmt.Sprint("skip=", q.Off), fmt.Sprint("count=", q.Len), "status=none")
		os.Truncate(fs, q.Len)
		switch kind := detect(t, fs); kind {
		case "ntfs":
			tool(t, "", "ntfsfix", "-n", fs)
			tool(t, "", "ntfsinfo", "-m", "-f", fs)
		case "ext4":
			tool(t, "", "e2fsck", "-fn", fs)
		default:
			t.Errorf("partition %d is %q", q.Number, kind)
		}
	}
}

func detect(t *testing.T, path string) string {
	d, err := device.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return volume.Detect(d, d.Size()).Kind
}

func checkSparse(t *testing.T, path string) {
	t.Helper()
	var blocks int64
	fmt.Sscan(tool(t, "", "stat", "-c", "%b", path), &blocks)
	if blocks*512 > diskSize/2 {
		t.Errorf("the file takes %d bytes", blocks*512)
	}
}

// On a disk of another size the GPT is sound, with the same identifiers.
func TestGPTOnOtherSizes(t *testing.T) {
	img := makeDisk(t, diskSize, 512, "label: gpt\n,20M,U\n,30M\n")
	src := wholeOf(captured(t, img))
	want := layout(t, img)
	for _, size := range []int64{200 << 20, 56 << 20} {
		back := dirty(t, size)
		dev := loop(t, back, 512)
		p, _ := restoreTo(t, src, dev, Options{})
		if p.Size != size {
			t.Errorf("%d bytes planned", p.Size)
		}
		if out := tool(t, "", "sgdisk", "-v", dev); !strings.Contains(out, "No problems found") {
			t.Error(out)
		}
		l := layout(t, dev)
		if l.DiskID != want.DiskID || len(l.Problems) != 0 || fmt.Sprint(l.Partitions) != fmt.Sprint(want.Partitions) {
			t.Errorf("%+v", l)
		}
		unloop(dev)
		sameWhereHeld(t, src.View, img, 0, back, 0, span{0, 34 * 512}, span{51 << 20, diskSize})
		checkParts(t, back, want)
	}
	tooSmallFor(t, src, want)
}

// tooSmallFor checks that the size named is enough, and less is not.
func tooSmallFor(t *testing.T, src Source, l *volume.Layout) {
	t.Helper()
	last := l.Partitions[len(l.Partitions)-1]
	need := last.Off + last.Len + 33*512
	for _, size := range []int64{need - 512, need} {
		tg, err := device.OpenTarget(loop(t, sparse(t, size), 512), device.TargetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer tg.Close()
		var r *RefusedError
		_, err = NewPlan(context.Background(), src, tg, Options{})
		if size < need && (!errors.As(err, &r) || r.Need != need) || size == need && err != nil {
			t.Errorf("%d bytes: %v, need %d", size, err, need)
		}
	}
}

// Nothing of the old disk's table is left when a disk is restored over it.
func TestOldTablesAreGone(t *testing.T) {
	img := makeDisk(t, diskSize, 512, "label: dos\n2048,20M,7\n")
	src := wholeOf(captured(t, img))
	back := makeDisk(t, diskSize+64<<20, 512, "label: gpt\n,20M\n,\n")
	dev := loop(t, back, 512)
	restoreTo(t, src, dev, Options{})
	if l := layout(t, dev); l.Table != volume.TableMBR || len(l.Partitions) != 1 {
		t.Errorf("%+v", l)
	}
	if out := tool(t, "", "wipefs", dev); strings.Contains(out, "gpt") {
		t.Error(out)
	}
}

// One partition goes into a partition of a disk, a partition device or a file;
// its boot sectors say where it is then.
func TestPartitionTargets(t *testing.T) {
	img := makeDisk(t, diskSize, 512, "label: gpt\n2048,20M\n,20M\n")
	d := captured(t, img)
	l := layout(t, img)
	boot := l.Partitions[0].Off

	other := makeDisk(t, diskSize, 512, "label: gpt\n,10M\n,40M\n")
	at := layout(t, other).Partitions[1].Off
	dev := loop(t, other, 512)
	p, _ := restoreTo(t, partOf(d, 1), dev, Options{TargetPartition: 2})
	if p.Off != at || p.Whole {
		t.Errorf("%+v", p)
	}
	unloop(dev)
	backup := l.Partitions[0].Len - 512
	sameWhereHeld(t, d.Partitions[0], img, boot, other, at, span{0, 512}, span{backup, backup + 512})
	for _, off := range []int64{at, at + backup} {
		if got := hidden(t, other, off); int64(got)*512 != at {
			t.Errorf("boot sector at %d: starts at %d, want %d", off, got, at/512)
		}
	}

	file := filepath.Join(t.TempDir(), "p2.img")
	restoreTo(t, partOf(d, 2), file, Options{})
	sameWhereHeld(t, d.Partitions[1], img, l.Partitions[1].Off, file, 0)
	tool(t, "", "e2fsck", "-fn", file)
	partitionDevice(t, d, img, boot)
}

func partitionDevice(t *testing.T, d *reader.Disk, img string, boot int64) {
	back := makeDisk(t, diskSize, 512, "label: gpt\n4096,20M\n,20M\n")
	dev := loop(t, back, 512)
	tool(t, "", "partx", "-a", dev)
	defer exec.Command("partx", "-d", dev).Run()
	restoreTo(t, partOf(d, 1), dev+"p1", Options{Discard: true})
	if got := hidden(t, dev+"p1", 0); got != 4096 {
		t.Errorf("starts at %d", got)
	}
	tool(t, "", "ntfsinfo", "-m", "-f", dev+"p1")
}

func hidden(t *testing.T, path string, off int64) uint32 {
	d, err := device.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b := make([]byte, 512)
	if _, err := d.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	if string(b[3:7]) != "NTFS" {
		t.Errorf("no boot sector at %d", off)
	}
	return binary.LittleEndian.Uint32(b[0x1c:])
}

// A delta onto a disk that differs in few places writes little and ends the
// same.
func TestDeltaOnDisk(t *testing.T) {
	img := makeDisk(t, diskSize, 512, disks[0].script)
	src := wholeOf(captured(t, img))
	back := dirty(t, diskSize)
	dev := loop(t, back, 512)
	_, first := restoreTo(t, src, dev, Options{})
	f, _ := os.OpenFile(dev, os.O_RDWR, 0)
	f.WriteAt([]byte("scribble"), 30<<20)
	f.Close()
	_, second := restoreTo(t, src, dev, Options{Delta: true})
	if second.Written > 6<<20 || second.Same == 0 || second.Written+second.Same != first.Written {
		t.Errorf("first %+v, then %+v", first, second)
	}
	unloop(dev)
	sameWhereHeld(t, src.View, img, 0, back, 0)
}

// Memory stays bounded: far below 96 MiB for all that a restore holds itself.
func TestBuffersAreBounded(t *testing.T) {
	b := make([]byte, 64<<20)
	rand.New(rand.NewSource(1)).Read(b)
	path := filepath.Join(t.TempDir(), "big.img")
	allocs := testing.AllocsPerRun(1, func() {
		os.Remove(path)
		restoreTo(t, bare(dataImage(b)), path, Options{})
	})
	if allocs > 5000 {
		t.Errorf("%v allocations", allocs)
	}
}
