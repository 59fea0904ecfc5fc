package mount_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vitrine/mount"
	"vitrine/mount/mounttest"
	"vitrine/volume"
)

func TestMain(m *testing.M) {
	mounttest.Main(m, map[string]mounttest.Server{
		"sample": func() (volume.FileSystem, mount.Options) { return sampleTree(), mount.Options{} },
		"colon": func() (volume.FileSystem, mount.Options) {
			return sampleTree(), mount.Options{Streams: mount.StreamsColon, AllXattrs: true}
		},
		"no streams": func() (volume.FileSystem, mount.Options) {
			return sampleTree(), mount.Options{Streams: mount.StreamsNone}
		},
		"bench": func() (volume.FileSystem, mount.Options) {
			t := mount.NewTree()
			must(t.AddVolume("", bench()))
			return t, mount.Options{}
		},
		"raw":      func() (volume.FileSystem, mount.Options) { return withRaw(nil), mount.Options{} },
		"ntfs":     ntfsServer,
		"timeline": func() (volume.FileSystem, mount.Options) { return timeline(6), mount.Options{} },
		"image": func() (volume.FileSystem, mount.Options) {
			return sampleTree(), mount.Options{Image: os.Getenv("VITRINE_TEST_IMAGE"), Point: "3"}
		},
		"owners": func() (volume.FileSystem, mount.Options) {
			var o mount.Options
			_, err := o.Set("uid=42,gid=43,fmask=0137,dmask=0027,allow_other,noexec")
			must(err)
			return sampleTree(), o
		},
	})
}

func bad(path string) bool { return strings.HasSuffix(path, "/bad") }

func TestSample(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	mounttest.Compare(t, sampleTree(), c.Dir, mounttest.Comparison{Skip: bad})
	mounttest.Compare(t, sampleTree(), c.Dir, mounttest.Comparison{Skip: bad}) // out of the kernel's caches
	mounttest.ReadOnly(t, c.Dir, "streams/file", "empty")
}

func TestTimelineMounted(t *testing.T) {
	c := mounttest.Serve(t, "timeline")
	closed := func(path string) bool { return strings.HasPrefix(path, "/0003") }
	mounttest.Compare(t, timeline(6), c.Dir, mounttest.Comparison{Skip: closed})
	if _, err := os.ReadDir(c.Dir + "/0003 2026-11-04 12.00"); !errors.Is(err, unix.EIO) {
		t.Error("a point that cannot be opened:", err)
	}
	if log := c.Stop(t); !strings.Contains(log, "a member is missing") {
		t.Errorf("log: %q", log)
	}
}

// TestRemountedWritable makes the kernel pass changes on.
func TestRemountedWritable(t *testing.T) {
	needRoot(t)
	c := mounttest.Serve(t, "sample")
	if err := unix.Mount("none", c.Dir, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		t.Fatal(err)
	}
	mounttest.ReadOnly(t, c.Dir, "streams/file", "empty")
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestBadFiles(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	for name, want := range map[string]error{
		"encrypted": unix.EACCES, "cloud": unix.ENODATA, "corrupt": unix.EIO, "unsupported": unix.EOPNOTSUPP, "panic": unix.EIO,
		"missing": unix.ENOENT, "encrypted/x": unix.ENOTDIR,
	} {
		if _, err := os.Open(filepath.Join(c.Dir, "bad", name)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	damaged(t, filepath.Join(c.Dir, "bad/damaged"))
	if _, err := os.ReadFile(filepath.Join(c.Dir, "bad/short")); !errors.Is(err, unix.EIO) {
		t.Error("a file that ends early reads:", err)
	}
	log := c.Stop(t)
	for _, want := range []string{"told to panic", "mounttest.(*FS).Open", "damaged on purpose"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

// damaged reads a file with a bad place page by page: that alone must fail.
func damaged(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	got, want := make([]byte, 4096), make([]byte, 4096)
	for off := int64(0); off < 1<<20; off += 4096 {
		_, err := f.ReadAt(got, off)
		hit := off+4096 > 500_000 && off < 501_000
		mounttest.Pattern(1<<20).ReadAt(want, off)
		if hit != errors.Is(err, unix.EIO) || !hit && !bytes.Equal(got, want) {
			t.Errorf("page at %d: %v", off, err)
		}
	}
}

func TestStreams(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	file := filepath.Join(c.Dir, "streams/file")
	for name, want := range map[string]string{
		"user.Zone.Identifier": "[ZoneTransfer]\r\nZoneId=3\r\n", "user.empty": "", "user.far": "a stream with a high number",
		"user.ea": "an EA", "system.ntfs_acl": "acl", "system.ntfs_attrib": " \x00\x00\x00",
	} {
		if got, err := mounttest.GetXattr(file, name); string(got) != want || err != nil {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for name, want := range map[string]error{
		"user.none": unix.ENODATA, "user.big": unix.E2BIG, "system.ntfs_none": unix.ENODATA, "security.selinux": unix.EOPNOTSUPP,
		"system.posix_acl_access": unix.EOPNOTSUPP,
	} {
		if _, err := mounttest.GetXattr(file, name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if names, err := mounttest.ListXattr(file); len(names) != 5 || strings.Contains(fmt.Sprint(names), "system.") {
		t.Errorf("listed: %q %v", names, err)
	}
	if n, err := unix.Lgetxattr(file, "user.64k", nil); n != 64<<10 || err != nil {
		t.Errorf("size of 64k: %d %v", n, err)
	}
	if _, err := unix.Lgetxattr(file, "user.64k", make([]byte, 100)); err != unix.ERANGE {
		t.Errorf("64k into 100 bytes: %v", err)
	}
	if _, err := os.Stat(file + ":far"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("file:stream without the option: %v", err)
	}
}

func TestStreamsByColon(t *testing.T) {
	c := mounttest.Serve(t, "colon")
	file := filepath.Join(c.Dir, "streams/file")
	b, err := os.ReadFile(file + ":big")
	want, _ := io.ReadAll(io.NewSectionReader(mounttest.Pattern(200_000), 0, 200_000))
	if err != nil || !bytes.Equal(b, want) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if b, err := os.ReadFile(file + ":far"); err != nil || !strings.HasPrefix(string(b), "a stream") {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(c.Dir, "streams/with:colon")); string(b) != "a colon" {
		t.Errorf("%q, %v", b, err)
	}
	if names, err := mounttest.ListXattr(file); !strings.Contains(fmt.Sprint(names), "system.ntfs_acl") {
		t.Errorf("listed: %q %v", names, err)
	}
}

func TestNoStreams(t *testing.T) {
	c := mounttest.Serve(t, "no streams")
	file := filepath.Join(c.Dir, "streams/file")
	if names, err := mounttest.ListXattr(file); len(names) != 1 || err != nil {
		t.Errorf("%q %v", names, err)
	}
	if _, err := mounttest.GetXattr(file, "user.empty"); !errors.Is(err, unix.ENODATA) {
		t.Error(err)
	}
}

func TestOwners(t *testing.T) {
	c := mounttest.Serve(t, "owners")
	var file, dir unix.Stat_t
	must(unix.Stat(c.Dir+"/files/size-1", &file))
	must(unix.Stat(c.Dir+"/files", &dir))
	if file.Uid != 42 || file.Gid != 43 || file.Mode != unix.S_IFREG|0o640 || dir.Mode != unix.S_IFDIR|0o750 {
		t.Errorf("file %o of %d:%d, folder %o", file.Mode, file.Uid, file.Gid, dir.Mode)
	}
	line := mountLine(t, c.Dir)
	for _, want := range []string{"ro,", "nosuid", "nodev", "noexec", "fuse.vitrine mounttest", "allow_other", "default_permissions"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %q", want, line)
		}
	}
	if os.Geteuid() == 0 { // another user is let in, and checked
		openFolders(filepath.Dir(c.Dir))
		if out, err := asUser("ls", c.Dir+"/files").CombinedOutput(); err == nil {
			t.Errorf("a folder with mode 0750 is open to all: %s", out)
		}
		if out, err := asUser("stat", c.Dir).CombinedOutput(); err != nil {
			t.Errorf("allow_other: %v %s", err, out)
		}
	}
}

func mountLine(t testing.TB, dir string) string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.Contains(line, " "+dir+" ") {
			return line
		}
	}
	return ""
}

const nobody = 65534

// openFolders lets other users get to a temporary folder.
func openFolders(dir string) {
	for ; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		must(os.Chmod(dir, 0o755))
	}
}

// asUser runs a command as a user without rights.
func asUser(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return c
}

func TestStatfs(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	var s unix.Statfs_t
	must(unix.Statfs(c.Dir+"/files", &s))
	if s.Bsize != 4096 || s.Blocks != 1<<20 || s.Bfree != 1<<19 || s.Files != 5000 || s.Ffree != 2000 || s.Namelen != 255 || s.Flags&unix.ST_RDONLY == 0 {
		t.Errorf("%+v", s)
	}
}

// TestRaw copies raw files with holes, reads them directly and as a loop device.
func TestRaw(t *testing.T) {
	c := mounttest.Serve(t, "raw")
	mounttest.Compare(t, withRaw(t), c.Dir, mounttest.Comparison{Skip: func(p string) bool { return strings.Count(p, "/") > 1 || p == "/bad" }})
	copied := filepath.Join(t.TempDir(), "copy")
	run(t, "cp", "--sparse=auto", c.Dir+"/disk.img", copied)
	var st unix.Stat_t
	must(unix.Stat(copied, &st))
	if st.Size != 1<<28+512 || st.Blocks*512 > 8<<20 {
		t.Errorf("copy: %d bytes in %d", st.Size, st.Blocks*512)
	}
	run(t, "cmp", c.Dir+"/disk.img", copied)
	direct(t, c.Dir+"/disk.img")
	needRoot(t)
	for _, args := range [][]string{{"--direct-io=on"}, {"--direct-io=off"}} {
		dev := strings.TrimSpace(run(t, "losetup", append(args, "--find", "--show", "--read-only", c.Dir+"/disk.img")...))
		run(t, "cmp", "-n", fmt.Sprint(8<<20), dev, copied)
		run(t, "losetup", "--detach", dev)
		waitLoop(dev)
	}
}

func waitLoop(dev string) {
	for range 100 {
		if b, _ := os.ReadFile("/sys/block/" + filepath.Base(dev) + "/loop/backing_file"); len(b) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func direct(t *testing.T, path string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	buf, err := unix.Mmap(-1, 0, 2<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	must(err)
	defer unix.Munmap(buf)
	n, err := unix.Pread(fd, buf, 1<<20)
	want := make([]byte, len(buf))
	disk().ReadAt(t.Context(), want, 1<<20)
	if n != len(buf) || err != nil || !bytes.Equal(buf, want) {
		t.Errorf("direct read: %d %v", n, err)
	}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var said []byte
		if e := (*exec.ExitError)(nil); errors.As(err, &e) {
			said = e.Stderr
		}
		t.Fatalf("%s %q: %v %s", name, args, err, said)
	}
	return string(out)
}

// TestParallel has many readers at once.
// TestTarSparse: GNU tar -S reads nothing of a file that occupies nothing.
func TestTarSparse(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	out := t.TempDir()
	for _, name := range []string{"elsewhere", "sparse", "all-hole", "size-511"} {
		run(t, "tar", "-S", "-C", c.Dir+"/files", "-cf", out+"/tar", name)
		run(t, "tar", "-C", out, "-xf", out+"/tar")
		run(t, "cmp", c.Dir+"/files/"+name, out+"/"+name)
	}
}

func TestParallel(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	const size = 3<<20 + 12345
	path := fmt.Sprintf("%s/files/size-%d", c.Dir, size)
	want := sum(io.NewSectionReader(mounttest.Pattern(size), 0, size))
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			f, err := os.Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			got, ref := make([]byte, 10_000), make([]byte, 10_000)
			for range 100 {
				off := r.Int64N(size - int64(len(got)))
				f.ReadAt(got, off)
				mounttest.Pattern(size).ReadAt(ref, off)
				if !bytes.Equal(got, ref) {
					t.Errorf("wrong bytes at %d", off)
				}
				os.ReadDir(c.Dir + "/names")
				os.Stat(fmt.Sprintf("%s/many/no-%d", c.Dir, off))
			}
			if sum(f) != want {
				t.Error("wrong sum")
			}
		})
	}
	wg.Wait()
}

func sum(r io.Reader) (s [32]byte) {
	h := sha256.New()
	io.Copy(h, r)
	return [32]byte(h.Sum(nil))
}

// TestSeekDir goes back to remembered places in a large folder.
func TestSeekDir(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	fd, err := unix.Open(c.Dir+"/many", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(err)
	defer unix.Close(fd)
	buf := make([]byte, 1000)
	type place struct {
		at    int64
		names string
	}
	var places []place
	read := func() string {
		n, err := unix.ReadDirent(fd, buf)
		must(err)
		_, _, names := unix.ParseDirent(buf[:n], 1000, nil)
		return strings.Join(names, "/")
	}
	for {
		at, err := unix.Seek(fd, 0, io.SeekCurrent)
		must(err)
		names := read()
		if places = append(places, place{at, names}); names == "" {
			break
		}
	}
	rand.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	for _, p := range places[:100] {
		unix.Seek(fd, p.at, io.SeekStart)
		if got := read(); got != p.names {
			t.Errorf("at %d: %q, before %q", p.at, got, p.names)
		}
	}
}
