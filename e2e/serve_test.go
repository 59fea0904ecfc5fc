package e2e

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// smallImage captures a small volume and gives the folder of its set.
func smallImage(t *testing.T) string {
	t.Helper()
	img, images := makeVolume(t, 64<<20), t.TempDir()
	r := rand.New(rand.NewPCG(11, 12))
	ntfs3g(t, img, "rw,noatime", func(dir string) {
		for _, n := range []string{"one", "two", "three"} {
			write(t, filepath.Join(dir, n), random(r, 2<<20))
		}
	})
	vitrine(t, "capture", img, "-o", images)
	return images
}

// serve starts a server and gives the first URI that it prints.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	uri, c := startServer(t, args...)
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGINT)
		if err := c.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return uri
}

// serveToKill starts a server that kill ends without warning.
func serveToKill(t *testing.T, args ...string) (uri string, kill func()) {
	t.Helper()
	uri, c := startServer(t, args...)
	kill = sync.OnceFunc(func() { c.Process.Kill(); c.Wait() })
	t.Cleanup(kill)
	return uri, kill
}

func startServer(t *testing.T, args ...string) (uri string, c *exec.Cmd) {
	t.Helper()
	c = exec.Command(program, append([]string{"serve"}, args...)...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(out).ReadString('\n')
		line <- s
	}()
	select {
	case s := <-line:
		return strings.Fields(s + " ?")[0], c
	case <-time.After(10 * time.Second):
		t.Fatal("the server prints no address")
	}
	return "", nil
}

// sums are the hashes of an image's files, to see that nothing changes them.
func sums(t *testing.T, dir string) map[string][32]byte {
	out := map[string][32]byte{}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, p := range files {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = sha256.Sum256(b)
	}
	return out
}

// TestServe compares what is served with the restored volume, and writes
// through an overlay.
func TestServe(t *testing.T) {
	images := smallImage(t)
	before := sums(t, images)
	raw := filepath.Join(t.TempDir(), "restored.img")
	vitrine(t, "restore", images, raw, "--yes")
	t.Run("nbd", func(t *testing.T) {
		uri := serve(t, "nbd", images, "--unix", filepath.Join(t.TempDir(), "s"))
		sh(t, "qemu-img", "compare", raw, uri)
		copied := filepath.Join(t.TempDir(), "copied.img")
		sh(t, "nbdcopy", uri, copied)
		sh(t, "cmp", raw, copied)
	})
	t.Run("timeline", func(t *testing.T) {
		vitrine(t, "capture", raw, "-o", images, "--onto", images)
		defer func() {
			m, _ := filepath.Glob(filepath.Join(images, "*-0001.vtr"))
			os.Remove(m[0])
		}()
		uri := serve(t, "nbd", images, "--timeline", "--listen", "127.0.0.1:0")
		sh(t, "qemu-img", "compare", raw, strings.Replace(uri, "/1/", "/0/", 1))
	})
	t.Run("overlay", func(t *testing.T) {
		uri := serve(t, "nbd", images, "--overlay", "--listen", "127.0.0.1:0")
		sh(t, "qemu-io", "-f", "raw", "-c", "write -P 0x5a 1M 3M", "-c", "read -P 0x5a 1M 3M", "-c", "flush", uri)
	})
	t.Run("iscsi", func(t *testing.T) {
		uri := serve(t, "iscsi", images+":1", "--listen", "127.0.0.1:0")
		if out := sh(t, "iscsi-readcapacity16", uri); !strings.Contains(out, "Total size:69206016") {
			t.Error(out)
		}
	})
	if after := sums(t, images); len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	} else {
		for p, s := range before {
			if after[p] != s {
				t.Errorf("%s has changed", p)
			}
		}
	}
}

// TestServeEveryExport compares each export of a disk with the restored disk.
func TestServeEveryExport(t *testing.T) {
	img, images, dir := threeSystems(t), t.TempDir(), t.TempDir()
	vitrine(t, "capture", img, "-o", images)
	before := sums(t, images)
	raw := filepath.Join(dir, "restored.img")
	vitrine(t, "restore", images, raw, "--yes")
	uri := serve(t, "nbd", images, "--listen", "127.0.0.1:0")
	sh(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", raw, uri)
	copied := filepath.Join(dir, "copied.img")
	sh(t, "nbdcopy", uri, copied)
	sh(t, "cmp", raw, copied)
	for i, p := range partitionsOf(t, raw) {
		export := strings.TrimSuffix(uri, "disk") + fmt.Sprint("partition-", i+1)
		sh(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", p, export)
		sh(t, "nbdcopy", export, copied)
		sh(t, "cmp", p, copied)
	}
	checkSums(t, images, before)
}

// TestServeOverlay writes through overlays: a storm, up to a limit, and into a
// file that outlives a killed server.
func TestServeOverlay(t *testing.T) {
	img, images := threeSystems(t), t.TempDir()
	vitrine(t, "capture", img, "-o", images)
	before := sums(t, images)
	qemuIO := func(uri string, commands ...string) (string, error) {
		args := []string{"-f", "raw", uri}
		for _, c := range commands {
			args = append(args, "-c", c)
		}
		out, err := exec.Command("qemu-io", args...).CombinedOutput()
		return string(out), err
	}
	t.Run("storm", func(t *testing.T) {
		uri := serve(t, "nbd", images, "--overlay", "--listen", "127.0.0.1:0")
		sh(t, "fio", "--name=storm", "--ioengine=nbd", "--uri="+uri, "--rw=randwrite", "--bsrange=512-64k", "--bs_unaligned=0",
			"--size=100M", "--io_size=64M", "--iodepth=16", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--verify_state_save=0", "--fsync=100")
	})
	t.Run("shared", func(t *testing.T) {
		uri := serve(t, "nbd", images, "--overlay", "--listen", "127.0.0.1:0")
		partition := strings.TrimSuffix(uri, "disk") + "partition-2"
		if out, err := qemuIO(uri, "write -P 7 42M 64k"); err != nil {
			t.Fatal(out)
		}
		if out, err := qemuIO(partition, "read -P 7 1M 64k", "write -P 8 2M 64k"); err != nil || strings.Contains(out, "failed") {
			t.Error("the partition shows something else:", out)
		}
		if out, err := qemuIO(uri, "read -P 8 43M 64k"); err != nil || strings.Contains(out, "failed") {
			t.Error("the disk shows something else:", out)
		}
	})
	t.Run("limit", func(t *testing.T) {
		uri := serve(t, "nbd", images, "--overlay", "--overlay-limit", "1M", "--listen", "127.0.0.1:0")
		if out, err := qemuIO(uri, "write -P 1 0 512k", "write -P 2 10M 2M"); err == nil || !strings.Contains(out, "No space left on device") {
			t.Errorf("beyond the limit: %v %s", err, out)
		}
		if out, err := qemuIO(uri, "read -P 1 0 512k", "discard 0 512k", "write -P 3 20M 512k", "read -P 3 20M 512k"); err != nil {
			t.Errorf("after the limit: %v %s", err, out)
		}
	})
	for _, protocol := range []string{"nbd", "iscsi"} {
		t.Run("full disk, "+protocol, func(t *testing.T) {
			dir := t.TempDir()
			sh(t, "mount", "-t", "tmpfs", "-o", "size=4m", "vitrine-test", dir)
			t.Cleanup(func() { sh(t, "umount", dir) })
			file := filepath.Join(dir, "changes")
			args := []string{protocol, images + ":1", "--overlay-file", file, "--listen", "127.0.0.1:0"}
			uri, c := startServer(t, args...)
			var err error
			if out, err := qemuIO(uri, "write -P 5 1M 1M", "flush"); err != nil {
				t.Fatal(out)
			}
			filler, _ := os.Create(filepath.Join(dir, "filler"))
			for b := make([]byte, 4096); err == nil; {
				_, err = filler.Write(b)
			}
			filler.Close()
			if out, err := qemuIO(uri, "write -P 6 10M 64k"); err == nil || !strings.Contains(out, "No space left on device") {
				t.Errorf("a full disk: %v %s", err, out)
			}
			qemuIO(uri, "discard 1M 64k") // its flush finds no room
			c.Process.Signal(syscall.SIGINT)
			if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != 1 {
				t.Errorf("the last changes found no room: %v", err)
			}
			os.Remove(filler.Name())
			if out, err := qemuIO(serve(t, args...), "read -P 5 1M 1M"); err != nil {
				t.Error("what was flushed:", out)
			}
		})
	}
	t.Run("kill", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "changes")
		args := []string{"nbd", images, "--overlay-file", file, "--listen", "127.0.0.1:0"}
		uri, kill := serveToKill(t, args...)
		if out, err := qemuIO(uri, "write -P 5 3M 3M", "discard 50M 1M", "flush"); err != nil {
			t.Fatal(out)
		}
		if _, errs, code := try(append([]string{"serve"}, args...)...); code != 1 || !strings.Contains(errs, "overlay") {
			t.Errorf("opened twice: exit %d, %s", code, errs)
		}
		kill()
		if out, err := qemuIO(serve(t, args...), "read -P 5 3M 3M", "read -P 0 50M 1M"); err != nil {
			t.Error("after the kill:", out)
		}
		vitrine(t, "capture", img, "-o", images, "--onto", images)
		defer func() { m, _ := filepath.Glob(filepath.Join(images, "*-0001.vtr")); os.Remove(m[0]) }()
		if _, errs, code := try("serve", "nbd", images+"@1", "--overlay-file", file, "--listen", "127.0.0.1:0"); code == 0 || !strings.Contains(errs, "hint:") {
			t.Errorf("another point's overlay: exit %d, %s", code, errs)
		} else {
			t.Log(errs)
		}
	})
	checkSums(t, images, before)
}
