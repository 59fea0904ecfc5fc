//go:build long && linux

package restore

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/capture"
	"vitrine/device"
	"vitrine/reader"
)

// A restore of 1 GiB that does not compress stays under 96 MiB resident.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	img := filepath.Join(dir, "disk.img")
	f, _ := os.Create(img)
	rng := rand.New(rand.NewSource(1))
	b := make([]byte, 1<<20)
	for range 1024 {
		rng.Read(b)
		f.Write(b)
	}
	f.Close()
	src, err := device.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	res, err := capture.Run(context.Background(), src, capture.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	dev := loop(t, sparse(t, 1<<30), 512)
	for _, target := range []string{filepath.Join(dir, "back.img"), dev} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryChild$", "-test.v")
		cmd.Env = append(os.Environ(), "RESTORE_IMAGE="+res.Path, "RESTORE_TARGET="+target)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var kib int
		for _, line := range strings.Split(string(out), "\n") {
			fmt.Sscanf(line, "VmHWM: %d kB", &kib)
			if strings.HasPrefix(line, "took") {
				t.Logf("%s: %s, %d KiB", target, line, kib)
			}
		}
		if kib == 0 || kib > 96<<10 {
			t.Errorf("%s: %d KiB resident", target, kib)
		}
	}
}

func TestMemoryChild(t *testing.T) {
	image := os.Getenv("RESTORE_IMAGE")
	if image == "" {
		t.Skip("runs as a child of TestMemory")
	}
	p, err := reader.Open(context.Background(), image, reader.Options{CacheBytes: 16 << 20, PageCacheBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	start := time.Now()
	restoreTo(t, wholeOf(p.Disks()[0]), os.Getenv("RESTORE_TARGET"), Options{})
	status, _ := os.ReadFile("/proc/self/status")
	i := strings.Index(string(status), "VmHWM:")
	fmt.Printf("%s\ntook %v\n", strings.Split(string(status[i:]), "\n")[0], time.Since(start))
}
