package mount_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vitrine/mount"
	"vitrine/mount/mounttest"
)

func TestWrongMountPoints(t *testing.T) {
	dir := t.TempDir()
	must(os.MkdirAll(dir+"/images/empty", 0o755))
	must(os.WriteFile(dir+"/images/a.vtr", nil, 0o644))
	must(os.Symlink("nowhere", dir+"/dangling"))
	for _, tt := range []struct {
		dir   string
		image string
		opts  mount.Options
		want  error
	}{
		{"/missing", "", mount.Options{}, mount.ErrMissing},
		{"/missing/deeper", "", mount.Options{}, mount.ErrMissing},
		{"/dangling", "", mount.Options{}, mount.ErrMissing},
		{"/images/a.vtr", "", mount.Options{}, mount.ErrNotFolder},
		{"/images/a.vtr/x", "", mount.Options{}, mount.ErrNotFolder},
		{"/images", "", mount.Options{}, mount.ErrNotEmpty},
		{"/images", "/images/a.vtr", mount.Options{}, mount.ErrOverImage},
		{"/images", "/images/a.vtr", mount.Options{NonEmpty: true}, mount.ErrOverImage},
		{"", "/images/a.vtr", mount.Options{NonEmpty: true}, mount.ErrOverImage},
	} {
		if tt.image != "" {
			tt.opts.Image = dir + tt.image
		}
		s, err := mount.Mount(t.Context(), mount.NewTree(), dir+tt.dir, tt.opts)
		var pe *mount.PointError
		if !errors.Is(err, tt.want) || !errors.As(err, &pe) || pe.Dir != dir+tt.dir {
			t.Errorf("%+v: %v, want %v", tt, err, tt.want)
		}
		if s != nil {
			s.Unmount()
		}
	}
}

func TestTwice(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	if _, err := mount.Mount(t.Context(), mount.NewTree(), c.Dir, mount.Options{}); !errors.Is(err, mount.ErrMounted) {
		t.Error(err)
	}
}

func TestThroughLink(t *testing.T) {
	dir := t.TempDir()
	must(os.Mkdir(dir+"/real", 0o755))
	must(os.Symlink("real", dir+"/link"))
	c, err := mounttest.Start(t, "sample", dir+"/link")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + "/real/files"); err != nil {
		t.Error(err)
	}
	if err := mount.Unmount(t.Context(), dir+"/link", false); err != nil {
		t.Error(err)
	}
	c.Kill()
}

// TestKilled mounts again where a killed server left a dead mount.
func TestKilled(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	c.Kill()
	if _, err := os.Stat(c.Dir); !errors.Is(err, unix.ENOTCONN) {
		t.Fatal("not dead:", err)
	}
	if r := record(t, c.Dir); !r.Dead {
		t.Errorf("listed as %+v", r)
	}
	again, err := mounttest.Start(t, "sample", c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Dir + "/files"); err != nil {
		t.Error(err)
	}
	if log := again.Stop(t); !strings.Contains(log, "took away") {
		t.Errorf("nothing was said: %q", log)
	}
}

func TestUnmountKilled(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	c.Kill()
	if err := mount.Unmount(t.Context(), c.Dir, false); err != nil {
		t.Error(err)
	}
	if err := mount.Unmount(t.Context(), c.Dir, false); !errors.Is(err, mount.ErrNotMounted) {
		t.Error(err)
	}
}

// record finds a mount in the register.
func record(t *testing.T, dir string) *mount.Record {
	t.Helper()
	list, err := mount.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(r mount.Record) bool { return r.Dir == dir })
	if i < 0 {
		return nil
	}
	return &list[i]
}

func TestRegister(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("VITRINE_TEST_IMAGE", "/img/0123456789ABCDEF-0003.vtr")
	c := mounttest.Serve(t, "image")
	r := record(t, c.Dir)
	if r == nil || r.PID != c.Cmd.Process.Pid || r.Image != "/img/0123456789ABCDEF-0003.vtr" || r.Point != "3" || r.Dead || time.Since(r.Since) > time.Minute {
		t.Errorf("%+v", r)
	}
	c.Stop(t)
	if r := record(t, c.Dir); r != nil {
		t.Errorf("still listed: %+v", r)
	}
	files, _ := filepath.Glob(os.Getenv("XDG_RUNTIME_DIR") + "/vitrine/mounts/*")
	if len(files) != 0 {
		t.Errorf("left over: %q", files)
	}
}

// TestStaleRecords: what is not a mount any more disappears from the register.
func TestStaleRecords(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir := os.Getenv("XDG_RUNTIME_DIR") + "/vitrine/mounts"
	must(os.MkdirAll(dir, 0o700))
	gone, _ := json.Marshal(mount.Record{PID: os.Getpid(), Dir: "/nowhere"})
	must(os.WriteFile(dir+"/1-1.json", gone, 0o600))
	must(os.WriteFile(dir+"/2-2.json", []byte("{nonsense"), 0o600))
	must(os.WriteFile(dir+"/3-3.json", make([]byte, 1<<20), 0o600))
	if _, err := mount.Mounts(); err != nil {
		t.Error(err)
	}
	if files, _ := filepath.Glob(dir + "/*"); len(files) != 0 {
		t.Errorf("left over: %q", files)
	}
}

func TestForeignRegister(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	must(os.Mkdir(os.Getenv("XDG_RUNTIME_DIR")+"/vitrine", 0o777))
	must(os.Chmod(os.Getenv("XDG_RUNTIME_DIR")+"/vitrine", 0o777))
	if _, err := mount.Mounts(); err == nil {
		t.Error("a folder that others can write to is trusted")
	}
}

func TestBusy(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	f, err := os.Open(c.Dir + "/files/size-65537")
	must(err)
	defer f.Close()
	err = mount.Unmount(t.Context(), c.Dir, false)
	var be *mount.BusyError
	me := fmt.Sprintf("(%d)", os.Getpid())
	if !errors.As(err, &be) || !strings.Contains(err.Error(), me) {
		t.Errorf("%v does not name %s", err, me)
	}
	if err := mount.Unmount(t.Context(), c.Dir, true); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.Dir + "/files"); err == nil {
		t.Error("still there")
	}
	b := make([]byte, 65537)
	if n, err := f.ReadAt(b, 0); n != len(b) {
		t.Errorf("an open file stopped working: %d %v", n, err)
	}
	f.Close()
	c.Kill()
}

func TestUnmountNothing(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, "/", "/proc"} {
		if err := mount.Unmount(t.Context(), d, false); !errors.Is(err, mount.ErrNotMounted) {
			t.Errorf("%s: %v", d, err)
		}
	}
	if err := mount.Unmount(t.Context(), dir+"/missing/x", false); !errors.Is(err, mount.ErrMissing) {
		t.Error(err)
	}
}

// TestUser mounts and unmounts as a user without rights.
func TestUser(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	openFolders(dir)
	openDevice(t)
	point := dir + "/point"
	must(os.Mkdir(point, 0o755))
	must(os.Chown(point, nobody, nobody))
	exe := dir + "/server"
	own, err := os.Executable()
	must(err)
	run(t, "cp", own, exe)
	c := &mounttest.Child{Dir: point, Cmd: exec.Command(exe, "-test.run=^$")}
	c.Cmd.Env = append(os.Environ(), "VITRINE_MOUNTTEST=sample", "VITRINE_MOUNTTEST_DIR="+point, "XDG_RUNTIME_DIR=")
	c.Cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := c.Run(t); err != nil {
		t.Fatal(err)
	}
	if out, err := asUser("cat", point+"/links/hard1").CombinedOutput(); err != nil || string(out) != "linked" {
		t.Errorf("%s %v", out, err)
	}
	if _, err := os.Stat(point + "/files"); !errors.Is(err, unix.EACCES) {
		t.Errorf("another user is let in: %v", err)
	}
	line := mountLine(t, point)
	for _, want := range []string{"ro,", "nosuid", "nodev", "fuse.vitrine mounttest"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %q", want, line)
		}
	}
	c.Stop(t)
	if mountLine(t, point) != "" {
		t.Error("still mounted")
	}
}

// openDevice lets all users have the FUSE device, as udev does.
func openDevice(t *testing.T) {
	info, err := os.Stat("/dev/fuse")
	must(err)
	must(os.Chmod("/dev/fuse", 0o666))
	t.Cleanup(func() { os.Chmod("/dev/fuse", info.Mode().Perm()) })
}

// TestSignals sends a server the signals that end it.
func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, unix.SIGTERM, unix.SIGHUP} {
		c := daemon(t)
		c.Cmd.Process.Signal(sig)
		if err := c.Cmd.Wait(); err != nil {
			t.Errorf("%v: %v", sig, err)
		}
		if mountLine(t, c.Dir) != "" {
			t.Errorf("%v: still mounted", sig)
		}
	}
}

// daemon runs a server that ends by signals.
func daemon(t *testing.T) *mounttest.Child {
	t.Helper()
	c := &mounttest.Child{Dir: t.TempDir(), Cmd: exec.Command(os.Args[0], "-test.run=^TestDaemonBody$", "-test.v")}
	c.Cmd.Env = append(os.Environ(), "VITRINE_TEST_DAEMON="+c.Dir)
	if err := c.Run(t); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

// TestDaemonBody is the body of daemon, not a test.
func TestDaemonBody(t *testing.T) {
	dir := os.Getenv("VITRINE_TEST_DAEMON")
	if dir == "" {
		return
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	s, err := mount.Mount(ctx, sampleTree(), dir, mount.Options{})
	must(err)
	fmt.Println("ready")
	err = s.Run(ctx, func(line string) { os.WriteFile(os.Getenv("VITRINE_TEST_SAID"), []byte(line), 0o644) })
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	os.Exit(0)
}

// TestSignalWhileBusy: the mount vanishes, its users go on, and it ends with
// the last of them, or with the second signal.
func TestSignalWhileBusy(t *testing.T) {
	for _, second := range []bool{false, true} {
		said := t.TempDir() + "/said"
		t.Setenv("VITRINE_TEST_SAID", said)
		c := daemon(t)
		f, err := os.Open(c.Dir + "/files/size-65537")
		must(err)
		c.Cmd.Process.Signal(os.Interrupt)
		waitFor(t, "the mount to vanish", func() bool { return mountLine(t, c.Dir) == "" })
		waitFor(t, "word", func() bool { b, _ := os.ReadFile(said); return strings.Contains(string(b), fmt.Sprint(os.Getpid())) })
		if n, err := f.ReadAt(make([]byte, 65537), 0); n != 65537 {
			t.Errorf("an open file stopped working: %v", err)
		}
		want := 0
		if second {
			want = 3
			c.Cmd.Process.Signal(os.Interrupt)
		} else {
			f.Close()
		}
		c.Cmd.Wait()
		if code := c.Cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("second signal %v: exit code %d", second, code)
		}
		f.Close()
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestBackground(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	name := mount.LogFile()
	must(os.MkdirAll(filepath.Dir(name), 0o700))
	log, err := os.Create(name)
	must(err)
	defer log.Close()
	dir := t.TempDir()
	t.Setenv("VITRINE_TEST_BACKGROUND", dir)
	pid, r, err := mount.StartBackground(t.Context(), []string{"-test.run=^TestBackgroundBody$"}, log)
	if err != nil || r.Dir != dir || r.Error != "" {
		b, _ := os.ReadFile(log.Name())
		t.Fatalf("%+v %v\n%s", r, err, b)
	}
	if r := record(t, dir); r == nil || r.PID != pid {
		t.Errorf("%+v", r)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d of process %d, %v", sid, pid, err)
	}
	log.Close()
	mount.LogFile()
	if _, err := os.Stat(name); err != nil {
		t.Error("the log of a living process is gone")
	}
	if err := mount.Unmount(t.Context(), dir, false); err != nil {
		t.Error(err)
	}
	mount.LogFile()
	if _, err := os.Stat(name); err == nil {
		t.Error("the empty log of a mount that has ended is still there")
	}
	log, err = os.Create(name)
	must(err)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
			t.Error("unmount did not wait for the process")
		}
	}
	t.Setenv("VITRINE_TEST_BACKGROUND", dir+"/missing")
	_, r, err = mount.StartBackground(t.Context(), []string{"-test.run=^TestBackgroundBody$"}, log)
	if err != nil || !strings.Contains(r.Error, "no such folder") || r.Code != 1 {
		t.Errorf("%+v %v", r, err)
	}
	t.Setenv("VITRINE_TEST_BACKGROUND", "die")
	if _, _, err = mount.StartBackground(t.Context(), []string{"-test.run=^TestBackgroundBody$"}, log); err == nil {
		t.Error("a process that said nothing counts as mounted")
	}
}

// TestBackgroundBody is what TestBackground starts.
func TestBackgroundBody(t *testing.T) {
	b, ok := mount.InBackground()
	if !ok {
		return
	}
	dir := os.Getenv("VITRINE_TEST_BACKGROUND")
	if dir == "die" {
		os.Exit(1)
	}
	s, err := mount.Mount(context.Background(), sampleTree(), dir, mount.Options{})
	if err != nil {
		b.Report(mount.Report{Error: err.Error(), Code: 1})
		os.Exit(1)
	}
	must(b.Report(mount.Report{Dir: s.Dir()}))
	s.Run(context.Background(), func(string) {})
	os.Exit(0)
}
