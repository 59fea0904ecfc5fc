package ntfsparse_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// open opens an image for the length of the test.
func open(t testing.TB, img string) *ntfsparse.Volume {
	t.Helper()
	f, err := os.Open(img)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, _ := f.Stat()
	v, err := ntfsparse.Open(f, st.Size())
	if err != nil {
		t.Fatalf("open %s: %v", img, err)
	}
	return v
}

// tree reads a volume folder by folder into the shape of testvol.Record.
func tree(t testing.TB, v *ntfsparse.Volume) map[string]testvol.Node {
	t.Helper()
	out := map[string]testvol.Node{}
	root, err := v.Root()
	if err != nil {
		t.Fatal(err)
	}
	out["."] = node(t, root)
	readTree(t, v, root, "", out)
	return out
}

func readTree(t testing.TB, v *ntfsparse.Volume, dir *ntfsparse.File, at string, out map[string]testvol.Node) {
	t.Helper()
	d, err := dir.Dir()
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
		if err != nil {
			t.Errorf("%s: %v", at, err)
			return true
		}
		if at == "" && e.Ref.Record() < ntfsparse.FirstUser {
			return true
		}
		p := strings.TrimPrefix(at+"/"+e.Name(), "/")
		f, err := v.FileRef(e.Ref)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return true
		}
		out[p] = node(t, f)
		if out[p].Mode.IsDir() {
			readTree(t, v, f, p, out)
		}
		return true
	})
}

func node(t testing.TB, f *ntfsparse.File) testvol.Node {
	t.Helper()
	in := f.Info()
	n := testvol.Node{Mode: in.Mode(), MTime: in.Modified.Time()}
	switch {
	case n.Mode.IsRegular():
		n.Size, n.Links, n.Sum = in.Size, uint64(f.Base().LinkCount()), sum(t, f) // ntfs-3g counts DOS names
	case n.Mode&os.ModeSymlink != 0:
		n.Target, _ = in.LinkTarget()
	}
	return n
}

func sum(t testing.TB, f *ntfsparse.File) string {
	t.Helper()
	s, err := f.Open()
	if err != nil {
		t.Errorf("record %d: %v", f.Ref().Record(), err)
		return ""
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(s, 0, s.Size())); err != nil {
		t.Errorf("record %d: %v", f.Ref().Record(), err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// compare checks a volume against what ntfs-3g shows of it, links apart, and
// the walk of the MFT against the folders.
func compare(t *testing.T, img string) map[string]testvol.Node {
	t.Helper()
	var want map[string]testvol.Node
	testvol.With(t, img, func(dir string) { want = testvol.Record(t, dir) }, "ro,streams_interface=none")
	v := open(t, img)
	got := tree(t, v)
	for p, n := range want {
		if n.Mode&(os.ModeSymlink|os.ModeDevice|os.ModeIrregular) != 0 {
			delete(want, p) // ntfs-3g rewrites targets, or gives them up
			if _, ok := got[p]; !ok {
				t.Errorf("%s: missing", p)
			}
			delete(got, p)
		}
	}
	for _, d := range testvol.Diff(want, got) {
		t.Error(d)
	}
	compareWalk(t, v)
	return got
}

// unindexed are names of files whose folder does not list them, on volumes
// that were left in the middle of something.
var unindexed = map[string]bool{"test/1.txt": true}

func compareWalk(t *testing.T, v *ntfsparse.Volume) {
	t.Helper()
	want := tree(t, v)
	var unled []string
	err := v.Walk(context.Background(), func(e *ntfsparse.WalkEntry) error {
		p := strings.TrimPrefix(e.Path, "/")
		if p == "" {
			p = "."
		}
		n, ok := want[p]
		if !ok && unindexed[p] {
			unled = append(unled, e.Path)
			return nil
		}
		if !ok || n.Mode != e.Info.Mode() || n.Mode.IsRegular() && n.Size != e.Info.Size || n.MTime != e.Info.Modified.Time() {
			t.Errorf("walk: %q in folders %v, in the MFT %v %d", p, n, e.Info.Mode(), e.Info.Size)
		}
		delete(want, p)
		return e.Err
	})
	if err != nil {
		t.Error(err)
	}
	for p := range want {
		t.Errorf("walk: %s missing", p)
	}
	if got := lost(t, v); !slices.Equal(got, unled) {
		t.Errorf("no folder leads to %q, want %q", got, unled)
	}
}

func TestRichVolume(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20, Label: "RICH"})
	testvol.With(t, img, func(dir string) {
		testvol.Rich(t, dir)
		testvol.Fill(t, filepath.Join(dir, "filled"), 600, 3)
	})
	compare(t, img)
}

func TestGeometries(t *testing.T) {
	for _, g := range geometries {
		testGeometry(t, g[0], g[1])
	}
}

// geometries are sector and cluster sizes; the long tests have further ones.
var geometries = [][2]int{{512, 512}, {512, 65536}, {4096, 4096}, {4096, 2 << 20}}

func testGeometry(t *testing.T, sector, cluster int) {
	t.Run(fmt.Sprintf("%d-%d", sector, cluster), func(t *testing.T) {
		size := int64(64 << 20)
		if cluster >= 128<<10 {
			size = 1 << 30
		}
		img := testvol.Make(t, testvol.Options{Size: size, Sector: sector, Cluster: cluster})
		testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 200, 5) })
		if got := compare(t, img); len(got) < 200 {
			t.Errorf("only %d names", len(got))
		}
	})
}

func TestFragmentedMFTAndFolder(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 48 << 20})
	testvol.With(t, img, func(dir string) { testvol.FragmentMFT(t, dir, 7000) })
	got := compare(t, img)
	f, err := open(t, img).File(ntfsparse.RecordMFT)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := f.Stream("")
	t.Logf("%d names, $MFT in %d runs with %d extension records", len(got), s.Runs().Len(), len(f.Extensions()))
	if s.Runs().Len() < 100 || len(f.Extensions()) == 0 {
		t.Error("$MFT is not fragmented enough for this test")
	}
}

func TestStaleIndexBlocks(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) { testvol.StaleIndex(t, dir, 2000) })
	if got := compare(t, img); len(got) != 12 {
		t.Errorf("%d names, want 12", len(got))
	}
}

func TestManyExtents(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) { testvol.Striped(t, filepath.Join(dir, "f"), 20000) })
	compare(t, img)
	f, err := open(t, img).Lookup("f")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d extension records", len(f.Extensions()))
	if len(f.Extensions()) < 22 {
		t.Error("too few extension records for this test")
	}
}

func TestWOF(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 128 << 20})
	var files map[string][]byte
	testvol.With(t, img, func(dir string) { files = testvol.WOFSet(t, dir) })
	v := open(t, img)
	for name, data := range files {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sum(t, f), fmt.Sprintf("%x", sha256.Sum256(data)); got != want {
			t.Errorf("%s: sum %s, want %s", name, got, want)
		}
	}
	if len(files) != 24 {
		t.Errorf("%d files made, want 24", len(files))
	}
}
