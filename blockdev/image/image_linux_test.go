package image_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/blockdev"
	"vitrine/blockdev/image"
	"vitrine/blockdev/iscsi"
	"vitrine/blockdev/nbd"
	"vitrine/blockdev/overlay"
	"vitrine/blockdev/vdisk"
	"vitrine/capture"
	"vitrine/device"
	"vitrine/reader"
)

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s (packages e2fsprogs, fdisk, qemu-utils, qemu-block-extra, fio): %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// disk makes a GPT disk with an ext4 that holds this repository's sources, and
// no junk in its free space: so the image equals it bit for bit.
func disk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	fs := filepath.Join(dir, "fs")
	run(t, "truncate", "-s", "62M", fs)
	run(t, "mke2fs", "-q", "-F", "-t", "ext4", "-d", "..", fs)
	path := filepath.Join(dir, "disk.img")
	run(t, "truncate", "-s", "64M", path)
	cmd := exec.Command("sfdisk", "-q", path)
	cmd.Stdin = strings.NewReader("label: gpt\nstart=2048,size=126976,type=L\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	run(t, "dd", "if="+fs, "of="+path, "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none")
	return path
}

// point captures the disk and opens the image.
func point(t *testing.T, path string) (*reader.Point, string) {
	t.Helper()
	src, err := device.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	res, err := capture.Run(t.Context(), src, capture.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := reader.Open(t.Context(), res.Path, reader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, res.Path
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// serve runs a server on a listener until the test ends.
func serve(t *testing.T, network, addr string, f func(context.Context, net.Listener) error) string {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestFaces shows an image over both protocols, whole and by partition, bare,
// dressed up and with an overlay; the image's bytes stay as they are.
func TestFaces(t *testing.T) {
	path := disk(t)
	p, file := point(t, path)
	before := sum(t, file)
	whole, part := image.Device(p.Disks()[0].View), image.Device(p.Disks()[0].Partitions[0].View)
	dressed, err := vdisk.GPT(part, vdisk.GPTOptions{Type: vdisk.TypeLinux, Seed: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(t.TempDir(), "changes")
	id := image.ID(p.Tail().Root, "disk")
	cow, err := overlay.Create(named, whole, id, overlay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sock := serve(t, "unix", filepath.Join(t.TempDir(), "s"), (&nbd.Server{Exports: []*nbd.Export{
		{Name: "disk", Device: whole}, {Name: "partition-1", Device: part}, {Name: "dressed", Device: dressed}, {Name: "changes", Device: cow}}}).Serve)
	uri := func(name string) string { return "nbd+unix:///" + name + "?socket=" + sock }
	run(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", path, uri("disk"))
	copied := filepath.Join(t.TempDir(), "copy")
	run(t, "nbdcopy", uri("partition-1"), copied)
	run(t, "fsck.ext4", "-f", "-n", copied)
	os.Remove(copied)
	run(t, "nbdcopy", uri("dressed"), copied)
	run(t, "sfdisk", "--verify", copied)

	addr := serve(t, "tcp", "127.0.0.1:0", (&iscsi.Server{Targets: []*iscsi.Target{{Name: "iqn.2026-01.test:i", LUNs: []*iscsi.LUN{{Device: whole, Serial: "1"}}}}}).Serve)
	run(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", path, "iscsi://"+addr+"/iqn.2026-01.test:i/0")

	run(t, "fio", "--name=v", "--ioengine=nbd", "--uri="+uri("changes"), "--rw=randwrite", "--bs=4k", "--size=32M", "--io_size=16M",
		"--iodepth=8", "--verify=crc32c", "--verify_state_save=0", "--verify_fatal=1", "--do_verify=1", "--fsync=256")
	reopen(t, cow, named, whole, id)
	if sum(t, file) != before {
		t.Error("the image was written to")
	}
}

// reopen proves that a named overlay keeps what was written to it.
func reopen(t *testing.T, cow *overlay.Overlay, named string, base blockdev.Device, id overlay.ID) {
	t.Helper()
	want := make([]byte, cow.Size())
	if err := blockdev.ReadFull(t.Context(), cow, want, 0); err != nil {
		t.Fatal(err)
	}
	if err := cow.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := overlay.Open(named, base, id, overlay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, again.Size())
	if err := blockdev.ReadFull(t.Context(), again, got, 0); err != nil || string(got) != string(want) {
		t.Errorf("the reopened overlay differs: %v", err)
	}
	again.Close()
	if _, err := overlay.Open(named, base, image.ID([32]byte{}, "disk"), overlay.Options{}); !errors.Is(err, overlay.ErrOtherBase) {
		t.Errorf("opened over another point: %v", err)
	}
}
