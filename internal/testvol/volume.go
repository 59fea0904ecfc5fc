//go:build linux

package testvol

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Options describes a volume; the zero value is a 64 MiB volume with 512-byte
// sectors and 4 KiB clusters.
type Options struct {
	Size    int64  // bytes of the image file; 0: 64 MiB
	Sector  int    // bytes: 512 to 4096; 0: 512
	Cluster int    // bytes: 256 to 2 MiB; 0: 4096
	Label   string // volume name
	Args    []string
	Dir     string // where the image goes; "": a folder of the test's own
}

// Make formats a new image file and returns its path.
func Make(t testing.TB, o Options) string {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	img := filepath.Join(o.Dir, fmt.Sprintf("volume-%d.img", time.Now().UnixNano()))
	if err := makeSparse(img, orDefault(o.Size, 64<<20)); err != nil {
		t.Fatal(err)
	}
	Format(t, img, o)
	return img
}

// Format makes an NTFS volume of an existing file or block device.
func Format(t testing.TB, path string, o Options) {
	t.Helper()
	args := []string{"-F", "-Q", "-q", "-s", strconv.Itoa(orDefault(o.Sector, 512)),
		"-c", strconv.Itoa(orDefault(o.Cluster, 4096)), "-p", "0", "-H", "255", "-S", "63"}
	if o.Label != "" {
		args = append(args, "-L", o.Label)
	}
	Run(t, "mkntfs", append(append(args, o.Args...), path)...)
}

func makeSparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}

func orDefault[T int | int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Run runs a program and fails the test with its output when it fails or is
// missing.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	Need(t, name)
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// packages says which Debian package holds a program.
var packages = map[string]string{
	"mkntfs": "ntfs-3g", "ntfs-3g": "ntfs-3g", "ntfsfallocate": "ntfs-3g", "wimlib-imagex": "wimtools",
	"fls": "sleuthkit", "icat": "sleuthkit", "ewfexport": "ewf-tools", "7z": "p7zip-full",
}

// Need fails the test when a program is missing, naming its package.
func Need(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs the program %s: install the package %s", name, orName(packages[name], name))
	}
}

func orName(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// DefaultMount are the options that give access to everything ntfs-3g can
// write: compressed folders, streams as "file:stream", raw encrypted files.
const DefaultMount = "compression,streams_interface=windows,efs_raw"

// Mount mounts the volume until the test ends. With no options it uses
// [DefaultMount]; "ro" and others can be given instead.
func Mount(t testing.TB, img string, opts ...string) string {
	t.Helper()
	dir, unmount := mount(t, img, opts)
	t.Cleanup(unmount)
	return dir
}

// With mounts the volume, calls f, and unmounts: afterwards the image is
// complete on disk.
func With(t testing.TB, img string, f func(dir string), opts ...string) {
	t.Helper()
	dir, unmount := mount(t, img, opts)
	defer unmount()
	f(dir)
}

func mount(t testing.TB, img string, opts []string) (dir string, unmount func()) {
	t.Helper()
	Need(t, "ntfs-3g")
	dir = t.TempDir()
	if len(opts) == 0 {
		opts = []string{DefaultMount}
	}
	// no_detach: the driver has written everything only when it has ended.
	cmd := exec.Command("ntfs-3g", "-o", "no_detach,"+strings.Join(opts, ","), img, dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if err := waitMounted(dir, done); err != nil {
		t.Fatalf("mount %s: %v\n%s", img, err, out.String())
	}
	return dir, func() { unmountWait(t, dir, done) }
}

func waitMounted(dir string, done chan error) error {
	for range 1000 {
		select {
		case err := <-done:
			return fmt.Errorf("the driver ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		if mounted(dir) {
			return nil
		}
	}
	return fmt.Errorf("not mounted after 10 seconds")
}

func mounted(dir string) bool {
	b, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains(string(b), " "+dir+" ")
}

func unmountWait(t testing.TB, dir string, done chan error) {
	var err error
	for range 100 { // somebody may still look into a new mount
		if err = exec.Command("umount", dir).Run(); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("umount %s: %v", dir, err)
		exec.Command("umount", "-l", dir).Run()
	}
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Errorf("ntfs-3g did not end after umount %s", dir)
	}
}
