//go:build linux

package main

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The program's highest resident size stays below these bounds, in MiB. What
// reads files may use 64 MiB besides its caches of 48 and 16 MiB.
func TestMemory(t *testing.T) {
	m := memory{t: t, dir: t.TempDir()}
	m.build()
	m.volume()
	raw, img := m.path("v.raw"), m.path("img")
	for _, c := range []struct {
		name string
		most int64
		args []string
	}{
		{"capture", 64, []string{"capture", raw, "-o", img}},
		{"incremental", 64, []string{"capture", raw, "-o", img, "--onto", img}},
		{"verify", 96, []string{"verify", img}},
		{"restore", 96, []string{"restore", img, m.path("back.raw"), "--yes"}},
		{"ls", 64, []string{"ls", "-l", img + ":/"}},
		{"find", 128, []string{"find", img + ":/", "-l"}},
		{"cat", 128, []string{"cat", img + ":/big/random.bin"}},
		{"cp", 128, []string{"cp", img + ":/", m.path("out")}},
	} {
		m.below(c.name, c.most, m.run(c.args...))
	}
	m.below("mount", 128, m.mount(img))
}

type memory struct {
	t       *testing.T
	dir     string
	program string
}

func (m *memory) path(name string) string { return filepath.Join(m.dir, name) }

func (m *memory) below(name string, most, got int64) {
	m.t.Helper()
	m.t.Logf("%s: %d MiB", name, got>>20)
	if got == 0 || got > most<<20 {
		m.t.Errorf("%s: %d MiB resident, the bound is %d", name, got>>20, most)
	}
}

func (m *memory) must(name string, args ...string) {
	m.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		m.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (m *memory) build() {
	m.program = m.path("vitrine")
	m.must("go", "build", "-o", m.program, "vitrine/cmd/vitrine")
}

// volume makes one of 300 MiB of data that does not compress, logs, and 5,000
// small files.
func (m *memory) volume() {
	raw, dir := m.path("v.raw"), m.path("mnt")
	f, err := os.Create(raw)
	if err != nil {
		m.t.Fatal(err)
	}
	f.Truncate(1 << 30)
	f.Close()
	m.must("mkntfs", "-q", "-F", "-Q", "-p", "2048", "-H", "255", "-S", "63", raw)
	os.MkdirAll(dir, 0o755)
	server := exec.Command("ntfs-3g", "-o", "big_writes,noatime,no_detach", raw, dir)
	if err := server.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.mounted(dir)
	os.Mkdir(filepath.Join(dir, "big"), 0o755)
	for _, err := range []error{fill("mixed", dir, 300), fill("small", dir, 5000)} {
		if err != nil {
			m.t.Error(err)
		}
	}
	m.must("umount", dir)
	server.Wait()
}

func (m *memory) mounted(dir string) {
	m.t.Helper()
	m.until("mounting", func() bool { return exec.Command("mountpoint", "-q", dir).Run() == nil })
}

func (m *memory) until(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s: it did not happen within a minute", what)
		}
	}
}

// run gives the highest resident size of the program, as time(1) tells it: the
// figure that Go gets for a child begins with that of the test itself.
func (m *memory) run(args ...string) int64 {
	m.t.Helper()
	figure := m.path("rss")
	m.must("/usr/bin/time", append([]string{"-q", "-o", figure, "-f", "%M", m.program, "-q"}, args...)...)
	b, _ := os.ReadFile(figure)
	if n := numbers(string(b)); len(n) == 1 {
		return int64(n[0]) << 10
	}
	return 0
}

// mount reads every file of an image through a mount.
func (m *memory) mount(img string) int64 {
	dir := m.path("mnt")
	c := exec.Command(m.program, "mount", img, dir)
	if err := c.Start(); err != nil {
		m.t.Fatal(err)
	}
	defer c.Wait()
	m.mounted(dir)
	defer m.must(m.program, "unmount", dir)
	if err := readAll(dir); err != nil {
		m.t.Error(err)
	}
	return rssOf(c.Process.Pid)
}

func readAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(sha256.New(), f)
		return err
	})
}
