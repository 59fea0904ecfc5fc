//go:build linux && long

package main

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A mount that is read for long needs no more memory than after its first tenth
// of that time: ten minutes, or VITRINE_MINUTES.
func TestMemoryStaysConstant(t *testing.T) {
	m := memory{t: t, dir: t.TempDir()}
	m.build()
	m.volume()
	m.must(m.program, "-q", "capture", m.path("v.raw"), "-o", m.path("img"))
	dir := m.path("mnt")
	c := exec.Command(m.program, "mount", m.path("img"), dir, "--raw")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { t.Logf("%v\n%s", c.Wait(), &said) }()
	m.mounted(dir)
	defer m.must(m.program, "unmount", dir)
	minutes, _ := strconv.Atoi(os.Getenv("VITRINE_MINUTES"))
	if minutes <= 0 {
		minutes = 10
	}
	m.readFor(dir, c.Process.Pid, time.Duration(minutes)*time.Minute)
}

// readFor reads in every way for so long and compares the resident sizes.
func (m *memory) readFor(dir string, pid int, long time.Duration) {
	rnd := rand.New(rand.NewPCG(1, 1))
	began, early, late, total := time.Now(), int64(0), int64(0), int64(0)
	for round := 0; time.Since(began) < long; round++ {
		n, err := readSome(dir, rnd)
		if err != nil {
			m.t.Fatal(err)
		}
		total += n
		now := residentOf(pid)
		if time.Since(began) < long/10 {
			early = max(early, now)
		} else {
			late = max(late, now)
		}
		time.Sleep(time.Second / 2)
	}
	m.t.Logf("%d MB read: at most %d MiB resident in the first tenth of the time, %d MiB later", total/1e6, early>>20, late>>20)
	m.below("mount", 128, late)
	if late > early+(4<<20) {
		m.t.Errorf("grew from %d to %d MiB", early>>20, late>>20)
	}
}

// readSome reads 8 MiB of the raw file front to back, 200 places of it, and
// some twenty files, none of them out of the system's cache.
func readSome(dir string, rnd *rand.Rand) (total int64, err error) {
	raw := filepath.Join(dir, "partition-1.img")
	n, err := readRaw(raw, rnd)
	if err != nil {
		return n, err
	}
	keep := rnd.IntN(250)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path == raw || rnd.IntN(250) != keep {
			return err
		}
		k, err := readDropped(path)
		n += k
		return err
	})
	return n, err
}

func readRaw(path string, rnd *rand.Rand) (total int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	big, small := make([]byte, 1<<20), make([]byte, 4096)
	at := rnd.Int64N(st.Size()-9<<20) &^ 4095
	for i := range 208 {
		b, off := small, rnd.Int64N(st.Size()-4096)
		if i < 8 {
			b, off = big, at+int64(i)<<20
		}
		k, err := f.ReadAt(b, off)
		if total += int64(k); err != nil {
			return total, err
		}
	}
	return total, nil
}

func readDropped(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	return io.Copy(io.Discard, f)
}

// residentOf is a process's present resident size in bytes.
func residentOf(pid int) int64 {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	if f := strings.Fields(rest); len(f) > 0 {
		kb, _ := strconv.ParseInt(f[0], 10, 64)
		return kb << 10
	}
	return 0
}
