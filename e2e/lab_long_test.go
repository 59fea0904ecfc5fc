//go:build long

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// guest is a virtual machine with Debian's kernel, whose init runs a script of
// testdata/lab. It runs in software, so that it runs everywhere: keep what it
// hashes small.
type guest struct {
	script   string            // of testdata/lab
	vars     map[string]string // set before the script
	modules  []string          // loaded at the start, with what they need
	later    []string          // packed, for the script to load: load /later/*
	programs []string          // by name, or path
	files    map[string]string // in the guest: on this machine
	disks    []string          // more arguments of qemu
	asked    map[string]func() // what the script's ask calls
	time     time.Duration
}

// labDir is where scripts/setup.sh --long unpacks kernel and programs.
func labDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../bin/lab")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := filepath.Glob(dir + "/boot/vmlinuz-*"); len(m) == 0 {
		t.Fatalf("no kernel in %s: run scripts/setup.sh --long", dir)
	}
	return dir
}

func labKernel(t *testing.T) (image, modules string) {
	t.Helper()
	dir := labDir(t)
	images, _ := filepath.Glob(dir + "/boot/vmlinuz-*")
	image = images[len(images)-1]
	return image, filepath.Join(dir, "lib/modules", strings.TrimPrefix(filepath.Base(image), "vmlinuz-"), "kernel")
}

// moduleFiles are the modules and what they need, in the order of loading. What
// is built into the kernel has none.
func moduleFiles(t *testing.T, names []string) (files []string) {
	t.Helper()
	_, root := labKernel(t)
	all := map[string]string{}
	filepath.WalkDir(root, func(p string, _ os.DirEntry, _ error) error {
		if n, ok := strings.CutSuffix(filepath.Base(p), ".ko"); ok {
			all[strings.ReplaceAll(n, "-", "_")] = p
		}
		return nil
	})
	seen := map[string]bool{}
	var add func(n string)
	add = func(n string) {
		n = strings.ReplaceAll(n, "-", "_")
		p := all[n]
		if seen[n] || p == "" {
			return
		}
		seen[n] = true
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := bytes.Cut(b, []byte("\x00depends=")); ok {
			deps, _, _ := bytes.Cut(rest, []byte{0})
			for d := range strings.SplitSeq(string(deps), ",") {
				add(d)
			}
		}
		files = append(files, p)
	}
	for _, n := range names {
		add(n)
	}
	return files
}

// initramfs packs the guest.
func (g *guest) initramfs(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	put := func(dst, src string) {
		dst = filepath.Join(root, dst)
		os.MkdirAll(filepath.Dir(dst), 0o755)
		sh(t, "cp", "-L", src, dst)
	}
	for _, d := range []string{"proc", "sys", "dev", "bin", "lab", "lib64"} {
		os.MkdirAll(filepath.Join(root, d), 0o755)
	}
	put("bin/busybox", "/bin/busybox")
	put("init", "testdata/lab/init.sh")
	os.Chmod(filepath.Join(root, "init"), 0o755)
	first := moduleFiles(t, g.modules)
	for i, m := range first {
		put(fmt.Sprintf("modules/%03d-%s", i, filepath.Base(m)), m)
	}
	for i, m := range moduleFiles(t, g.later) {
		if !slices.Contains(first, m) {
			put(fmt.Sprintf("later/%03d-%s", i, filepath.Base(m)), m)
		}
	}
	for _, p := range g.programs {
		p = labProgram(t, p)
		put("lab/"+filepath.Base(p), p)
		for _, l := range libraries(t, p) {
			put("lib/"+filepath.Base(l), l)
			if strings.HasPrefix(filepath.Base(l), "ld-linux") {
				put("lib64/"+filepath.Base(l), l)
			}
		}
	}
	for dst, src := range g.files {
		put(dst, src)
	}
	write(t, filepath.Join(root, "guest.sh"), g.text(t))
	out := filepath.Join(t.TempDir(), "initramfs.gz")
	sh(t, "sh", "-c", fmt.Sprintf("cd %s && find . | cpio -o -H newc --quiet | gzip -1 >%s", root, out))
	return out
}

// text is the script with its variables.
func (g *guest) text(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(g.vars)) {
		fmt.Fprintf(&b, "%s='%s'\n", k, g.vars[k])
	}
	if g.script == "" {
		return b.Bytes()
	}
	s, err := os.ReadFile(filepath.Join("testdata/lab", g.script))
	if err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), s...)
}

// labProgram finds a program among what was unpacked, then on this machine.
func labProgram(t *testing.T, name string) string {
	t.Helper()
	if filepath.IsAbs(name) {
		return name
	}
	for _, d := range []string{"sbin", "usr/sbin", "bin", "usr/bin"} {
		if p := filepath.Join(labDir(t), d, name); exists(p) {
			return p
		}
	}
	for _, d := range []string{"/sbin", "/usr/sbin", "/bin", "/usr/bin"} {
		if p := filepath.Join(d, name); exists(p) {
			return p
		}
	}
	t.Fatalf("there is no program %s: run scripts/setup.sh --long", name)
	return ""
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}

// libraries are what a program is linked with; a static one with none.
func libraries(t *testing.T, program string) (libs []string) {
	t.Helper()
	c := exec.Command("ldd", program)
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+labDir(t)+"/usr/lib/x86_64-linux-gnu:"+labDir(t)+"/lib/x86_64-linux-gnu")
	out, _ := c.CombinedOutput()
	for l := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(l, "/") && exists(l) {
			libs = append(libs, l)
		}
	}
	if strings.Contains(string(out), "not found") {
		t.Fatalf("%s: %s", program, out)
	}
	return libs
}

// run boots the guest and fails the test for each line LAB FAIL, and unless the
// script reaches its end.
func (g *guest) run(t *testing.T) {
	t.Helper()
	kernel, _ := labKernel(t)
	args := []string{"-kernel", kernel, "-initrd", g.initramfs(t), "-append", "console=ttyS0 quiet panic=-1"}
	qemu(t, g.time, g.asked, append(append(args, "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"), g.disks...)...)
}

// qemu runs a machine and looks at what its serial port says.
func qemu(t *testing.T, limit time.Duration, asked map[string]func(), args ...string) {
	t.Helper()
	if limit == 0 {
		limit = 15 * time.Minute // machines may be busy
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, "qemu-system-x86_64", append([]string{
		"-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "640",
		"-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-monitor", "none"}, args...)...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said, done := listen(t, out, func(what string) {
		if asked[what] == nil {
			t.Errorf("the guest asks for %q", what)
		} else {
			asked[what]()
		}
		io.WriteString(in, "done\n")
	})
	err = c.Wait()
	if !done {
		t.Errorf("the guest did not reach its end: %v", err)
	}
	if t.Failed() {
		t.Logf("the guest said:\n%s", said)
	}
}

// listen reads what a guest says until it powers off.
func listen(t *testing.T, out io.Reader, ask func(what string)) (said string, done bool) {
	t.Helper()
	var all strings.Builder
	for s := bufio.NewScanner(out); s.Scan(); {
		fmt.Fprintln(&all, s.Text())
		_, line, ok := strings.Cut(strings.TrimRight(s.Text(), "\r"), "LAB ")
		kind, text, _ := strings.Cut(line, " ")
		switch {
		case !ok:
		case kind == "PASS":
			t.Log(text)
		case kind == "FAIL":
			t.Error(text)
		case kind == "ASK":
			ask(text)
		case kind == "DONE":
			done = true
		}
	}
	return all.String(), done
}
