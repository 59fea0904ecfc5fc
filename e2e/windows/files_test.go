package windows

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFiles: what Windows cannot have as a name is copied under another, long
// paths work in every role, and a file is found by its names.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "volume.img")
	must(t, os.WriteFile(raw, nil, 0o600))
	must(t, os.Truncate(raw, 32<<20))
	tool(t, "mkntfs", "-q", "-F", raw)
	mnt := t.TempDir()
	tool(t, "ntfs-3g", raw, mnt)
	odd := map[string]string{ // names and their copies on Windows
		"CON": "%(43)ON", "nul.txt": "%(6E)ul.txt", "dot.": "dot%(2E)", "space ": "space%(20)", "a:b?c*": "a%(3A)b%(3F)c%(2A)", "com1 .log": "%(63)om1 .log",
		"plain": "plain", "日本 ü 🎞": "日本 ü 🎞", "%(x": "%(25)(x",
	}
	for name := range odd {
		must(t, os.WriteFile(filepath.Join(mnt, name), []byte(name), 0o644))
	}
	deep := filepath.Join(strings.Repeat("t", 120), strings.Repeat("i", 120), strings.Repeat("e", 120), "f")
	must(t, os.MkdirAll(filepath.Join(mnt, filepath.Dir(deep)), 0o755))
	must(t, os.WriteFile(filepath.Join(mnt, deep), []byte("deep"), 0o644))
	tool(t, "umount", mnt)

	home := filepath.Join(dir, strings.Repeat("long ", 30), strings.Repeat("path ", 30))
	must(t, os.MkdirAll(home, 0o755))
	shared.ok(t, nil, "capture", at(raw), "-o", at(filepath.Join(home, "images")))
	image := at(filepath.Join(home, "images"))
	shared.ok(t, nil, "verify", image)
	if out := shared.ok(t, nil, "list", image); !strings.Contains(out, "1 member") {
		t.Errorf("list: %s", out)
	}
	native(t, "verify", filepath.Join(home, "images"))
	out := filepath.Join(home, "out")
	// Each name that had to be changed is told.
	if r := shared.run(t, nil, "cp", image+":/", at(out)); r.code != 3 || strings.Count(r.errs, "copied under the name") != 7 {
		t.Errorf("cp: exit %d\n%s", r.code, r.errs)
	}
	for name, want := range odd {
		b, err := os.ReadFile(filepath.Join(out, want))
		if err != nil || string(b) != name {
			t.Errorf("%q: %q %v", name, b, err)
		}
		if strings.Contains(name, ":") {
			continue // would name a stream
		}
		if got := shared.ok(t, nil, "cat", image+":/"+name); got != name {
			t.Errorf("cat %q: %q", name, got)
		}
	}
	if b, err := os.ReadFile(filepath.Join(out, deep)); string(b) != "deep" {
		t.Errorf("deep: %q %v", b, err)
	}
	if got, want := shared.ok(t, nil, "ls", "-l", image), native(t, "ls", "-l", filepath.Join(home, "images")); got != want {
		t.Errorf("ls differs:\n%s\n%s", got, want)
	}
	if r := shared.run(t, nil, "ls", `\\?\`+image); r.code != 0 {
		t.Errorf("\\\\?\\: exit %d %s", r.code, r.errs)
	}
	// Owners and permissions on request.
	shared.ok(t, nil, "cp", "--security", "--attributes", image+":/plain", at(filepath.Join(dir, "secured")))
}

// TestInterrupt: Ctrl-C ends a capture with 130, and leaves a file that says
// that it is unfinished.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "noise.img")
	tool(t, "dd", "if=/dev/urandom", "of="+raw, "bs=1M", "count=200", "status=none")
	c := shared.command(nil, "capture", at(raw), "-o", at(filepath.Join(dir, "images")), "--level", "best")
	said := start(t, c)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if m, _ := filepath.Glob(filepath.Join(dir, "images", "*.unfinished")); len(m) > 0 {
			if info, err := os.Stat(m[0]); err == nil && info.Size() > 4<<20 {
				break
			}
		}
	}
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	b, _ := os.ReadFile(said.path)
	if code := c.ProcessState.ExitCode(); code != 130 || !strings.Contains(string(b), "error: interrupted") {
		t.Errorf("exit %d\n%s", code, b)
	}
	if m, _ := filepath.Glob(filepath.Join(dir, "images", "*.vtr")); len(m) > 0 {
		t.Errorf("%v is no finished image", m)
	}
	if out := shared.ok(t, nil, "list", at(filepath.Join(dir, "images"))); !strings.Contains(out, "UNFINISHED") {
		t.Errorf("list: %s", out)
	}
}
