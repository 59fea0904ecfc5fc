package capture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/device"
)

// measured captures and writes its peak resident set, in KiB, to the third
// argument.
func measured(f *os.File, o Options, open openUsed) error {
	d, err := device.Open(f.Name())
	if err != nil {
		return err
	}
	o.Split, o.Level = 0, Default
	c := newCapturer(d, o)
	c.open = open
	if _, err := c.run(context.Background()); err != nil {
		return err
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	fmt.Println(strings.Fields(rest)[0])
	return nil
}

// peak runs a measured capture and gives its peak resident set in MiB.
func peak(t *testing.T, source, dir, parent, what string) int {
	cmd := childCommand(t, source, dir, parent, what)
	cmd.Env = append(cmd.Env, "GOMEMLIMIT=48MiB")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, cmd.Stderr)
	}
	kib := 0
	fmt.Sscan(string(out), &kib)
	return kib >> 10
}

// TestMemory captures a 64 GiB source, and again onto itself.
func TestMemory(t *testing.T) {
	work, dir := t.TempDir(), t.TempDir()
	source := filepath.Join(work, "source")
	f, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	f.Truncate(64 << 30)
	noise := make([]byte, 300<<10)
	for i := range int64(700) {
		rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(noise)
		f.WriteAt(noise, i*93<<20)
	}
	f.Close()
	full := peak(t, source, dir, "", "measure")
	names, _ := filepath.Glob(filepath.Join(dir, "*.vtr"))
	if len(names) != 1 {
		t.Fatal(names)
	}
	incremental := peak(t, source, dir, names[0], "measure")
	t.Logf("peak resident: full %d MiB, incremental %d MiB", full, incremental)
	if full == 0 || full > 64 || incremental > 64 {
		t.Errorf("peak resident: full %d MiB, incremental %d MiB", full, incremental)
	}
}

// TestMemoryFragments captures a volume whose shadow copies have millions of runs.
func TestMemoryFragments(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	noise := make([]byte, 64<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	if err := os.WriteFile(source, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(source, 8<<30); err != nil {
		t.Fatal(err)
	}
	n := peak(t, source, t.TempDir(), "", "fragments")
	t.Logf("peak resident: %d MiB", n)
	if n == 0 || n > 64 {
		t.Errorf("peak resident: %d MiB", n)
	}
}
