package mount_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"vitrine/internal/testvol"
	"vitrine/mount"
	"vitrine/mount/mounttest"
	"vitrine/volume"
)

// imageEnv names the volume that the server "ntfs" serves.
const imageEnv = "VITRINE_TEST_NTFS"

func ntfsServer() (volume.FileSystem, mount.Options) {
	o := mount.Options{Image: os.Getenv(imageEnv)}
	must2(o.Set(os.Getenv(imageEnv + "_OPTIONS")))
	return ntfsTree(os.Getenv(imageEnv)), o
}

func must2[T any](v T, err error) T {
	must(err)
	return v
}

// tctx is for building trees.
var tctx = context.Background()

func ntfsTree(img string) *mount.Tree {
	f := must2(os.Open(img))
	size := must2(f.Seek(0, io.SeekEnd))
	return must2(mount.Arrange(tctx, []mount.Disk{{Partitions: []mount.Partition{{Number: 1, FS: must2(volume.OpenFS(f, size))}}}}))
}

// TestNTFS mounts volumes by us and by ntfs-3g and compares.
func TestNTFS(t *testing.T) {
	for _, o := range []testvol.Options{{Size: 128 << 20}, {Size: 128 << 20, Cluster: 64 << 10, Sector: 4096}} {
		t.Run(fmt.Sprintf("cluster=%d,sector=%d", o.Cluster, o.Sector), func(t *testing.T) {
			img := testvol.Make(t, o)
			testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 300, 7) })
			compareNTFS(t, img)
		})
	}
}

// compareNTFS mounts a volume three ways: read by the package, by us, by ntfs-3g.
func compareNTFS(t *testing.T, img string) {
	t.Helper()
	t.Setenv(imageEnv, img)
	c := mounttest.Serve(t, "ntfs")
	locked := func(p string) bool {
		f, err := os.Open(c.Dir + p)
		f.Close()
		return errors.Is(err, unix.EACCES)
	}
	mounttest.Compare(t, ntfsTree(img), c.Dir, mounttest.Comparison{Skip: locked})
	compareTrees(t, recordTree(c.Dir), recordTree(testvol.Mount(t, img, "ro,streams_interface=xattr,compression,noatime")))
}

// ntfs3gDiffers are the names in [testvol.Rich] that we show in another way on
// purpose.
var ntfs3gDiffers = map[string]string{
	"meta/future":                 "ntfs-3g lets times beyond 2262 overflow",
	"meta/old":                    "and times before 1678",
	"names/LongFileName.document": "ntfs-3g counts its DOS name as a link",
	"reparse/appexec":             "what is no link is a file",
	"reparse/cloud":               "what is no link is a file",
	"reparse/junction":            "ntfs-3g leads to a folder .NTFS-3G of its own",
	"reparse/mountpoint":          "ntfs-3g leads to a folder .NTFS-3G of its own",
	"reparse/symlink abs":         "ntfs-3g leads to a folder .NTFS-3G of its own",
	"streams/a.txt":               "ntfs-3g lists a stream of more than 64 KiB, which cannot be read as an attribute",
}

// object is what the two mounts must agree on.
type object struct {
	mode         fs.FileMode
	size, mtime  int64
	links        uint64
	sum, target  string
	xattrs       string
	atime, ctime int64
}

func recordTree(dir string) map[string]object {
	tree := map[string]object{}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil {
			tree[rel] = object{sum: "cannot be listed"}
			return nil
		}
		tree[rel] = look(path)
		return nil
	})
	return tree
}

func look(path string) (o object) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return object{sum: err.Error()}
	}
	o = object{mode: fs.FileMode(st.Mode & unix.S_IFMT), mtime: st.Mtim.Nano(), atime: st.Atim.Nano(), ctime: st.Ctim.Nano()}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		o.target, _ = os.Readlink(path)
	case unix.S_IFREG:
		o.size, o.links, o.sum = st.Size, uint64(st.Nlink), sumOf(path)
	}
	names, _ := mounttest.ListXattr(path)
	slices.Sort(names)
	for _, n := range names {
		v, err := mounttest.GetXattr(path, n)
		o.xattrs += fmt.Sprintf("%s=%x %v; ", n, sha256.Sum256(v), err)
	}
	return o
}

func sumOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "cannot be opened"
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "cannot be read"
	}
	return hex.EncodeToString(h.Sum(nil))
}

func compareTrees(t *testing.T, got, want map[string]object) {
	t.Helper()
	bad := 0
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[p]; !ok || g != want[p] && ntfs3gDiffers[p] == "" {
			bad++
			t.Errorf("%q:\n got %+v\nwant %+v", p, g, want[p])
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			bad++
			t.Errorf("%q is too many", p)
		}
	}
	t.Logf("%d objects, %d differ", len(want), bad)
}
