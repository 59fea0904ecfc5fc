package volume

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// All abilities are there.
var (
	_ FileSystem = (*ntfsFS)(nil)
	_ Folder     = (*ntfsFS)(nil)
	_ Streams    = (*ntfsFS)(nil)
	_ Xattrs     = (*ntfsFS)(nil)
	_ Paths      = (*ntfsFS)(nil)
	_ Walker     = (*ntfsFS)(nil)
	_ UsedSpace  = (*ntfsFS)(nil)
	_ Sparse     = ntfsOpen{}
	_ Located    = ntfsOpen{}
)

// richVolume makes a volume with one of each and opens it.
func richVolume(t *testing.T) (img string, n *ntfsFS) {
	t.Helper()
	img = testvol.Make(t, testvol.Options{Size: 256 << 20, Label: "Rich"})
	testvol.With(t, img, func(dir string) {
		testvol.Rich(t, dir)
		testvol.Fill(t, filepath.Join(dir, "filled"), 200, 3)
		testvol.WOFSet(t, dir)
	})
	return img, openImage(t, img)
}

func openImage(t *testing.T, img string) *ntfsFS {
	t.Helper()
	f, err := os.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, _ := f.Stat()
	fsys, err := OpenFS(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	return fsys.(*ntfsFS)
}

// everything lists a volume by its folders.
func everything(t *testing.T, n *ntfsFS) map[string]Attr {
	t.Helper()
	all := map[string]Attr{}
	var list func(id ID, at string)
	list = func(id ID, at string) {
		err := n.ReadDir(t.Context(), id, 0, true, func(e *Entry) bool {
			if e.Err != nil || e.Attr == nil || e.Attr.Kind != e.Kind || e.Cookie == 0 {
				t.Errorf("%s/%s: %+v", at, e.Name, e)
				return true
			}
			all[at+"/"+e.Name] = *e.Attr
			if e.Kind == Dir {
				list(e.ID, at+"/"+e.Name)
			}
			return true
		})
		if err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	list(n.Root(), "")
	return all
}

// compact tells whether a path is one of testvol.WOFSet's, whose only stream is
// hidden.
func compact(path string) bool {
	return strings.HasPrefix(path, "/xpress") || strings.HasPrefix(path, "/lzx")
}

func TestNTFSAgainstMount(t *testing.T) {
	img, n := richVolume(t)
	all := everything(t, n)
	dir := testvol.Mount(t, img, "ro,streams_interface=windows")
	for p, a := range all {
		if list, err := n.Streams(t.Context(), a.ID); err != nil || a.NoStreams && len(list) > 0 || !a.NoStreams && len(list) == 0 && !compact(p) {
			t.Errorf("%s: no streams %v, but %d, %v", p, a.NoStreams, len(list), err)
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(dir+p, &st); err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		if a.Kind != File || st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
			continue // ntfs-3g shows reparse points that it does not know as broken links
		}
		dos := 0
		if strings.HasSuffix(p, "LongFileName.document") {
			dos = 1 // ntfs-3g counts it
		}
		if a.Size != st.Size || uint64(a.Links+uint32(dos)) != st.Nlink || uint64(a.ID) != st.Ino {
			t.Errorf("%s: %+v, ntfs-3g says %+v", p, a, st)
		}
		compareStreams(t, n, a.ID, dir+p)
	}
	for _, p := range []string{"/streams", "/names"} {
		compareStreams(t, n, all[p].ID, dir+p)
	}
	if len(all) < 300 {
		t.Errorf("%d names", len(all))
	}
	var st syscall.Statfs_t
	syscall.Statfs(dir, &st)
	got, err := n.StatFS(t.Context())
	if err != nil || got.Blocks != st.Blocks || got.Free != st.Bfree || got.Label != "Rich" {
		t.Errorf("%+v, %v; ntfs-3g says %+v", got, err, st)
	}
}

func compareStreams(t *testing.T, n *ntfsFS, id ID, path string) {
	t.Helper()
	list, err := n.Streams(t.Context(), id)
	if err != nil {
		t.Error(err)
	}
	for _, s := range list {
		want, err := os.ReadFile(path + ":" + s.Name)
		if err != nil {
			t.Error(err)
		}
		a, err := n.Attr(t.Context(), s.ID)
		if err != nil || a.Size != int64(len(want)) || a.Kind != File {
			t.Errorf("%s:%s: %+v, %v", path, s.Name, a, err)
		}
		if got := contents(t, n, s.ID); !bytes.Equal(got, want) {
			t.Errorf("%s:%s: other contents", path, s.Name)
		}
	}
}

func contents(t *testing.T, n *ntfsFS, id ID) []byte {
	t.Helper()
	f, err := n.Open(t.Context(), id)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	b := make([]byte, f.Size())
	if _, err := f.ReadAt(t.Context(), b, 0); err != nil && err != io.EOF {
		t.Error(err)
	}
	return b
}

// TestNTFSFolders resumes a listing behind every entry.
func TestNTFSFolders(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for i := range 700 {
			os.WriteFile(filepath.Join(dir, fmt.Sprintf("a name of some length %d", i)), nil, 0o644)
		}
	})
	n := openImage(t, img)
	var names []string
	var cookies []uint64
	n.ReadDir(t.Context(), n.Root(), 0, false, func(e *Entry) bool {
		names, cookies = append(names, e.Name), append(cookies, e.Cookie)
		return true
	})
	if len(names) != 700 {
		t.Fatalf("%d names", len(names))
	}
	for i := 0; i < len(names); i += 37 {
		at := i + 1
		n.ReadDir(t.Context(), n.Root(), cookies[i], i%2 == 0, func(e *Entry) bool {
			if e.Name != names[at] {
				t.Fatalf("behind %d: %q, want %q", i, e.Name, names[at])
			}
			at++
			return at < i+5 && at < len(names)
		})
	}
}

func TestNTFSLookUps(t *testing.T) {
	_, n := richVolume(t)
	ctx := t.Context()
	names, err := n.Lookup(ctx, n.Root(), "names")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, spelled string }{
		{"LONGFI~1.DOC", "LongFileName.document"}, {"longfilename.DOCUMENT", "LongFileName.document"}, {"ÜNÏCODE", "Ünïcode"}, {"日本語", "日本語"}} {
		a, spelled, err := n.LookupFold(ctx, names.ID, c.name)
		if err != nil || spelled != c.spelled {
			t.Errorf("%s: %q, %v", c.name, spelled, err)
		}
		if p, err := n.Path(ctx, a.ID); p != "/names/"+c.spelled {
			t.Errorf("path of %s: %q, %v", c.name, p, err)
		}
	}
	for _, name := range []string{"LONGFI~1.DOC", "nothing", "LOWER"} {
		if _, err := n.Lookup(ctx, names.ID, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, err := n.Lookup(ctx, n.Root(), "$MFT"); err != nil || a.ID != 0 {
		t.Errorf("$MFT: %+v, %v", a, err)
	}
	file, _ := n.Lookup(ctx, names.ID, "lower")
	if _, err := n.Lookup(ctx, file.ID, "x"); !errors.Is(err, ErrNotDir) {
		t.Errorf("name below a file: %v", err)
	}
	if _, err := n.Open(ctx, names.ID); !errors.Is(err, ErrIsDir) {
		t.Errorf("opening a folder: %v", err)
	}
	links := map[string]string{"junction": "C:/Users/Public", "symlink": "../names/lower", "symlink abs": "D:/x/y", "lx symlink": "../names/日本語",
		"mountpoint": "Volume{12345678-1234-1234-1234-123456789abc}/"}
	dir, _ := n.Lookup(ctx, n.Root(), "reparse")
	for name, want := range links {
		a, err := n.Lookup(ctx, dir.ID, name)
		target, lerr := n.ReadLink(ctx, a.ID)
		if err != nil || lerr != nil || target != want || a.Kind != Symlink || a.Size != int64(len(want)) {
			t.Errorf("%s: %+v to %q, %v, %v", name, a, target, err, lerr)
		}
	}
	ea, _, _ := n.LookupFold(ctx, n.Root(), "META")
	a, err := n.Lookup(ctx, ea.ID, "ea")
	if err != nil || !a.HasPOSIX || a.UID != 1000 || a.GID != 1001 || a.Perm != 0o644 {
		t.Errorf("meta/ea: %+v, %v", a, err)
	}
}

// TestNTFSWalk finds the same as the folders do.
func TestNTFSWalk(t *testing.T) {
	_, n := richVolume(t)
	all := everything(t, n)
	err := n.Walk(t.Context(), func(p string, e *Entry) error {
		if want, ok := all[p]; p != "/" && (!ok || want != *e.Attr || e.Name != p[strings.LastIndex(p, "/")+1:]) {
			t.Errorf("%s: %+v, in its folder %+v", p, e.Attr, want)
		}
		delete(all, p)
		return e.Err
	})
	if err != nil || len(all) > 0 {
		t.Errorf("%v; not visited: %v", err, all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Walk(ctx, func(string, *Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNTFSLostFolder: a folder whose record is damaged is a folder all the same, and
// what was in it is there.
func TestNTFSLostFolder(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		os.MkdirAll(filepath.Join(dir, "folder/inner"), 0o755)
		os.WriteFile(filepath.Join(dir, "folder/file"), []byte("contents"), 0o644)
	})
	sound := openImage(t, img)
	before, err := sound.Lookup(t.Context(), sound.Root(), "folder")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(img, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	boot := sound.v.Boot()
	if _, err := f.WriteAt(make([]byte, 1024), boot.MFT*boot.ClusterSize+int64(before.ID)*1024); err != nil {
		t.Fatal(err)
	}
	f.Close()
	n := openImage(t, img)
	n.ReadDir(t.Context(), n.Root(), 0, true, func(e *Entry) bool {
		if e.Name == "folder" && (e.Err != nil || e.Kind != Dir || e.Attr.Kind != Dir || !e.Attr.ModTime.Equal(before.ModTime)) {
			t.Errorf("listed as %+v", e)
		}
		return true
	})
	n = openImage(t, img)
	a, err := n.Lookup(t.Context(), n.Root(), "folder")
	if err != nil || a.ID != before.ID || a.Kind != Dir {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err := n.Attr(t.Context(), a.ID); err != nil || a.Kind != Dir {
		t.Errorf("%+v, %v", a, err)
	}
	var names []string
	err = n.ReadDir(t.Context(), a.ID, 0, true, func(e *Entry) bool { names = append(names, e.Name); return e.Err == nil })
	slices.Sort(names)
	if !slices.Equal(names, []string{"file", "inner"}) || !errors.Is(err, ErrCorrupt) {
		t.Errorf("%q, %v", names, err)
	}
}

// TestNTFSPlaces reads contents where Extents and FileExtents say they lie.
func TestNTFSPlaces(t *testing.T) {
	img, n := richVolume(t)
	raw, _ := os.Open(img)
	defer raw.Close()
	for p, a := range everything(t, n) {
		if a.Kind != File || a.Size > 100<<20 {
			continue
		}
		f, err := n.Open(t.Context(), a.ID)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		got, want := make([]byte, f.Size()), contents(t, n, a.ID)
		end, verbatim := int64(0), true
		f.(Located).Extents(t.Context(), func(off, length, phys int64) bool {
			if off != end || length <= 0 {
				t.Errorf("%s: extent %d+%d behind %d", p, off, length, end)
			}
			if end = off + length; phys >= 0 {
				raw.ReadAt(got[off:end], phys)
			} else if hole := allZero(want[off:end]); !hole {
				verbatim = false
			}
			return true
		})
		if end != a.Size || verbatim && sha256.Sum256(got) != sha256.Sum256(want) {
			t.Errorf("%s: extents end at %d of %d, or hold other contents", p, end, a.Size)
		}
		checkHoles(t, p, f, want)
	}
	all, err := n.FileExtents(t.Context(), "/STRIPED")
	if err != nil || len(all) != 1 || all[0].Size != 3000*8192-4096 || len(all[0].Extents) == 0 || all[0].Resident {
		t.Errorf("striped: %+v, %v", all, err)
	}
	if _, err := n.FileExtents(t.Context(), "/no such file"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func allZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

func checkHoles(t *testing.T, p string, f OpenFile, want []byte) {
	t.Helper()
	for off := int64(0); off < f.Size(); {
		end, hole, err := f.(Sparse).NextExtent(t.Context(), off)
		if err != nil || end <= off || end > f.Size() {
			t.Errorf("%s: extent from %d to %d, %v", p, off, end, err)
			return
		}
		if hole && !allZero(want[off:end]) {
			t.Errorf("%s: data in the hole from %d to %d", p, off, end)
		}
		off = end
	}
}

// TestUnsetTimes: 0 is no time in the year 1601.
func TestUnsetTimes(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		path := filepath.Join(dir, "unset")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		testvol.Times(t, path, 0, 1, 0)
	})
	n := openImage(t, img)
	a, err := n.Lookup(context.Background(), n.Root(), "unset")
	if err != nil || !a.BirthTime.IsZero() || !a.AccessTime.IsZero() || a.ModTime.IsZero() {
		t.Errorf("%v, %+v", err, a)
	}
}

// TestEAsAreNoRecall: the bit by which the volume marks files with EAs is not shown
// as "recall on open", which it means beside a cloud file's reparse point.
func TestEAsAreNoRecall(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		path := filepath.Join(dir, "ea")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		testvol.EAs(t, path, []string{"USER.X"}, map[string][]byte{"USER.X": []byte("x")})
	})
	n := openImage(t, img)
	f, err := n.v.Lookup("ea")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	boot := n.v.Boot()
	at := boot.MFT*boot.ClusterSize + int64(f.Ref().Record())*int64(boot.RecordSize) + int64(f.Attrs()[0].Off) + 0x18 + 0x20
	b[at+2] |= 4 // as Windows does
	if err := os.WriteFile(img, b, 0o644); err != nil {
		t.Fatal(err)
	}
	n = openImage(t, img)
	a, err := n.Lookup(t.Context(), n.Root(), "ea")
	if err != nil || a.Win&ntfsparse.WinRecallOpen != 0 {
		t.Errorf("attributes %#x, %v", a.Win, err)
	}
	if in, err := n.v.Info(f.Ref().Record()); err != nil || in.Attributes&ntfsparse.WinRecallOpen == 0 {
		t.Errorf("the file's own attributes are %#x, %v", in.Attributes, err)
	}
}
