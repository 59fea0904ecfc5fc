package mount_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/mount"
	"vitrine/mount/mounttest"
	"vitrine/volume"
)

// must is for what cannot fail in a test.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func sampleTree() *mount.Tree {
	t := mount.NewTree()
	must(t.AddVolume("", mounttest.Sample()))
	return t
}

// at looks a path up, name by name.
func at(t testing.TB, v volume.FileSystem, path string) volume.Attr {
	t.Helper()
	a, err := v.Attr(t.Context(), v.Root())
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		if err == nil {
			a, err = v.Lookup(t.Context(), a.ID, name)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return a
}

func list(t testing.TB, v volume.FileSystem, path string) (names []string) {
	t.Helper()
	err := v.ReadDir(t.Context(), at(t, v, path).ID, 0, false, func(e *volume.Entry) bool {
		names = append(names, e.Name)
		return true
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return names
}

func content(t testing.TB, v volume.FileSystem, path string) string {
	t.Helper()
	f, err := v.Open(t.Context(), at(t, v, path).ID)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer f.Close()
	b := make([]byte, f.Size())
	if n, err := f.ReadAt(t.Context(), b, 0); n < len(b) {
		t.Fatalf("%s: %v", path, err)
	}
	return string(b)
}

func TestLinks(t *testing.T) {
	tree := sampleTree()
	for name, want := range map[string]string{
		"relative": "Sub/File.txt", "case": "Sub/File.txt", "up": "../files/size-1", "dots": "./Sub/../hard1",
		"absolute": "../links/Sub", "root": "..", "missing": "nowhere/at/all", "missing-absolute": "../nowhere",
		"above": "../links/hard1", "drive": "../links/Sub/File.txt", "drive-root": "..",
		"other-drive": "D:/Somewhere/else", "self": "self", "server": `\\links\Sub\File.txt`, "Sub/junction": "../../links",
	} {
		a := at(t, tree, "/links/"+name)
		got, err := tree.ReadLink(t.Context(), a.ID)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		if a.Size != int64(len(want)) {
			t.Errorf("%s: size %d, want %d", name, a.Size, len(want))
		}
	}
	if _, err := tree.ReadLink(t.Context(), at(t, tree, "/files").ID); err == nil {
		t.Error("a folder has a target")
	}
}

func TestOddNames(t *testing.T) {
	tree := sampleTree()
	names := list(t, tree, "/names")
	for _, want := range []string{"sl∕ash", "ze␀ro", "․", "‥", "␢"} {
		if !slices.Contains(names, want) {
			t.Errorf("%q is missing in %q", want, names)
			continue
		}
		if content(t, tree, "/names/"+want) != "odd" {
			t.Errorf("%q cannot be read", want)
		}
	}
	if a := at(t, tree, "/streams/odd"); content(t, tree, "/streams/odd") != "a number that does not fit" {
		t.Errorf("odd number: %#x", a.ID)
	}
}

// TestResume lists folders again from every cookie.
func TestResume(t *testing.T) {
	tree := withRaw(t)
	for _, dir := range []string{"/", "/many", "/names"} {
		all := list(t, tree, dir)
		id := at(t, tree, dir).ID
		var after uint64
		for i := range all {
			var got string
			err := tree.ReadDir(t.Context(), id, after, true, func(e *volume.Entry) bool {
				got, after = e.Name, e.Cookie
				return false
			})
			if err != nil || got != all[i] || after == 0 {
				t.Fatalf("%s: entry %d is %q, %v; want %q", dir, i, got, err, all[i])
			}
		}
		err := tree.ReadDir(t.Context(), id, after, true, func(e *volume.Entry) bool {
			t.Errorf("%s: one more: %q", dir, e.Name)
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// view is a raw file in memory.
type view struct{ mounttest.Data }

func (v view) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return v.Data.ReadAt(p, off)
}

// sparseView also knows its holes.
type sparseView struct{ mounttest.Sparse }

func (v sparseView) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return v.Sparse.ReadAt(p, off)
}

func (v sparseView) NextExtent(_ context.Context, off int64) (int64, bool, error) {
	return v.Sparse.NextExtent(off)
}

func disk() mount.RawView {
	return sparseView{mounttest.Sparse{Len: 1<<28 + 512, Data: []volume.Extent{{Off: 0, Len: 4096}, {Off: 1 << 20, Len: 3 << 20}, {Off: 1 << 28, Len: 512}}}}
}

func withRaw(t testing.TB) *mount.Tree {
	tree, err := mount.Arrange(context.Background(), []mount.Disk{{Raw: disk(), Partitions: []mount.Partition{
		{Number: 1, Label: "Data", FS: mounttest.Sample(), Raw: view{mounttest.Pattern(1<<20 + 17)}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func small(file string) *mounttest.FS {
	f := mounttest.New()
	f.Text("/"+file, "in "+file)
	return f
}

func TestArrange(t *testing.T) {
	raw := view{mounttest.Pattern(10)}
	for _, tt := range []struct {
		name  string
		disks []mount.Disk
		want  string
	}{
		{"nothing", nil, ""},
		{"single", []mount.Disk{{Partitions: []mount.Partition{{Number: 1, Label: "L", FS: small("f")}}}}, "f"},
		{"single with raw", []mount.Disk{{Raw: raw, Partitions: []mount.Partition{{Number: 1, Label: "L", FS: small("f"), Raw: raw}}}},
			"disk.img partition-1.img f"},
		{"single with raw of the same name", []mount.Disk{{Raw: raw, Partitions: []mount.Partition{{Number: 1, Label: "L", FS: small("DISK.IMG"), Raw: raw}}}},
			"disk.img partition-1.img partition-1-L"},
		{"single among others without files", []mount.Disk{{Raw: raw, Partitions: []mount.Partition{{Number: 1, Raw: raw}, {Number: 2, FS: small("f"), Raw: raw}}}},
			"disk.img partition-1.img partition-2.img f"},
		{"several", []mount.Disk{{Partitions: []mount.Partition{{Number: 1, FS: small("f")}, {Number: 2, Label: "Windows", FS: small("g")}, {Number: 3, Note: "no"}}}},
			"partition-1 partition-2-Windows partition-3"},
		{"several disks", []mount.Disk{{Raw: raw, Partitions: []mount.Partition{{Number: 1, FS: small("f"), Raw: raw}}}, {Raw: raw}},
			"disk-1.img disk-1-partition-1.img disk-1-partition-1 disk-2.img"},
		{"none readable", []mount.Disk{{Partitions: []mount.Partition{{Number: 1, Note: "encrypted"}}}}, "README.txt"},
	} {
		tree, err := mount.Arrange(t.Context(), tt.disks)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := strings.Join(list(t, tree, "/"), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestSeveral(t *testing.T) {
	tree, err := mount.Arrange(t.Context(), []mount.Disk{{Partitions: []mount.Partition{
		{Number: 1, FS: small("f")}, {Number: 2, Label: "Windows", FS: mounttest.Sample()}, {Number: 3, Note: "It is encrypted.\n"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, tree, "/partition-1/f"); got != "in f" {
		t.Error(got)
	}
	if got := content(t, tree, "/partition-3/README.txt"); got != "It is encrypted.\n" {
		t.Error(got)
	}
	if target, err := tree.ReadLink(t.Context(), at(t, tree, "/partition-2").ID); target != "partition-2-Windows" {
		t.Error(target, err)
	}
	if target, err := tree.ReadLink(t.Context(), at(t, tree, "/partition-2-Windows/links/absolute").ID); target != "../links/Sub" {
		t.Error(target, err)
	}
	checkPaths(t, tree)
	if s, err := tree.StatFSAt(t.Context(), at(t, tree, "/partition-1/f").ID); err != nil || s.Blocks != 1<<20 {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := tree.StatFS(t.Context()); err != nil || s.Blocks != 2<<20 {
		t.Errorf("%+v %v", s, err)
	}
}

// checkPaths walks a tree and asks for the path of everything, and looks it up.
func checkPaths(t *testing.T, tree *mount.Tree) {
	t.Helper()
	n := 0
	err := tree.Walk(t.Context(), func(path string, e *volume.Entry) error {
		n++
		if strings.Contains(path, "/names/") || strings.Contains(path, "␢") {
			return nil
		}
		if a := at(t, tree, path); a.ID != e.ID || e.Attr == nil || e.Attr.ID != e.ID {
			t.Errorf("%s: walked %#x, looked up %#x", path, e.ID, a.ID)
		}
		got, err := tree.Path(t.Context(), e.ID)
		if err != nil || at(t, tree, got).ID != e.ID {
			t.Errorf("%s: path %q, %v", path, got, err)
		}
		return nil
	})
	if err != nil || n < 4 {
		t.Errorf("%d objects walked, %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	tree := withRaw(t)
	ctx := t.Context()
	file, dir := at(t, tree, "/files/size-1").ID, at(t, tree, "/files").ID
	for what, tt := range map[string]struct{ err, want error }{
		"missing":            {err2(tree.Lookup(ctx, dir, "nothing")), fs.ErrNotExist},
		"missing at root":    {err2(tree.Lookup(ctx, tree.Root(), "nothing")), fs.ErrNotExist},
		"in a file":          {err2(tree.Lookup(ctx, file, "x")), volume.ErrNotDir},
		"in a raw file":      {err2(tree.Lookup(ctx, at(t, tree, "/disk.img").ID, "x")), volume.ErrNotDir},
		"open folder":        {err2(tree.Open(ctx, dir)), volume.ErrIsDir},
		"open root":          {err2(tree.Open(ctx, tree.Root())), volume.ErrIsDir},
		"list file":          {tree.ReadDir(ctx, file, 0, false, nil), volume.ErrNotDir},
		"no such object":     {err2(tree.Attr(ctx, 1<<41|999_999)), fs.ErrNotExist},
		"number 0":           {err2(tree.Attr(ctx, 0)), fs.ErrNotExist},
		"no such volume":     {err2(tree.Attr(ctx, 60<<42|5)), fs.ErrNotExist},
		"no such point":      {err2(tree.Attr(ctx, 60<<48|1)), fs.ErrNotExist},
		"no such odd number": {err2(tree.Attr(ctx, 63<<42|9)), fs.ErrNotExist},
		"highest number":     {err2(tree.Attr(ctx, 1<<64-1)), fs.ErrNotExist},
		"no such own":        {err2(tree.Open(ctx, 77)), fs.ErrNotExist},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", what, tt.err, tt.want)
		}
	}
}

func err2[T any](_ T, err error) error { return err }

func TestStreamNames(t *testing.T) {
	tree := sampleTree()
	dir := at(t, tree, "/streams").ID
	a, err := tree.LookupStream(t.Context(), dir, "file:zone.identifier")
	if err != nil || a.Size != 26 || a.Kind != volume.File {
		t.Errorf("%+v %v", a, err)
	}
	b, err := tree.Attr(t.Context(), a.ID)
	if err != nil || b != a {
		t.Errorf("%+v, then %+v %v", a, b, err)
	}
	far, err := tree.LookupStream(t.Context(), dir, "file:far")
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Open(t.Context(), far.ID)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(io.NewSectionReader(readerAt{f}, 0, f.Size())); string(b) != "a stream with a high number" {
		t.Errorf("%q", b)
	}
	for _, name := range []string{"file", "file:", ":x", "file:none", "nofile:far"} {
		if _, err := tree.LookupStream(t.Context(), dir, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type readerAt struct{ volume.OpenFile }

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	return r.OpenFile.ReadAt(context.Background(), p, off)
}

// timeline has n points with a file each that says which.
func timeline(n int) *mount.Tree {
	tree := mount.NewTree()
	for i := range n {
		when := time.Date(2026, 11, 1+i, 12, 0, 0, 0, time.UTC)
		must(tree.AddPoint(fmt.Sprintf("%04d %s", i, when.Format("2006-01-02 15.04")), when, func(ctx context.Context) (*mount.Tree, error) {
			if i == 3 {
				return nil, errors.New("a member is missing")
			}
			f := mounttest.New()
			f.Dir("/Users")
			f.Text("/Users/which", fmt.Sprint("point ", i))
			f.Symlink("/Users/link", "/Users/which")
			f.File("/Users/sparse", mounttest.Sparse{Len: 1 << 20, Data: []volume.Extent{{Off: 4096, Len: 4096}}}).Attr.Alloc = 4096
			return mount.Arrange(ctx, []mount.Disk{{Raw: view{mounttest.Pattern(i)}, Partitions: []mount.Partition{{Number: 1, FS: f}}}})
		}))
	}
	tree.SetMaxOpen(2)
	return tree
}

func TestTimeline(t *testing.T) {
	tree := timeline(6)
	if got := list(t, tree, "/"); len(got) != 6 || got[2] != "0002 2026-11-03 12.00" {
		t.Errorf("%q", got)
	}
	seen := map[volume.ID]bool{}
	for range 2 {
		for i, dir := range list(t, tree, "/") {
			if i == 3 {
				if _, err := tree.Lookup(t.Context(), at(t, tree, dir).ID, "Users"); err == nil {
					t.Error("a point that cannot be opened opens")
				}
				continue
			}
			if got, want := content(t, tree, dir+"/Users/which"), fmt.Sprint("point ", i); got != want {
				t.Errorf("%s: %q", dir, got)
			}
			seen[at(t, tree, dir+"/Users/which").ID] = true
			if got := len(content(t, tree, dir+"/disk.img")); got != i {
				t.Errorf("%s: disk.img has %d bytes", dir, got)
			}
			if target, err := tree.ReadLink(t.Context(), at(t, tree, dir+"/Users/link").ID); target != "../Users/which" {
				t.Errorf("%s: link to %q %v", dir, target, err)
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d numbers for 5 files seen twice: %v", len(seen), seen)
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
}

func TestTimelinePaths(t *testing.T) { checkPaths(t, timeline(3)) }

// rootWalker is a volume whose walk visits the root, too, and tells that it is damaged.
type rootWalker struct{ *mounttest.FS }

func (w rootWalker) Walk(ctx context.Context, visit func(string, *volume.Entry) error) error {
	a, err := w.Attr(ctx, w.Root())
	if err != nil {
		return err
	}
	for _, damage := range []error{nil, volume.ErrCorrupt} {
		e := volume.Entry{Name: "/", ID: w.Root(), Kind: volume.Dir, Attr: &a, Err: damage}
		if err := visit("/", &e); err != nil {
			return err
		}
	}
	return nil
}

// TestWalkVisitsRootsOnce: the folders of volumes are the tree's own; their damage
// is told.
func TestWalkVisitsRootsOnce(t *testing.T) {
	tree, err := mount.Arrange(t.Context(), []mount.Disk{{Partitions: []mount.Partition{
		{Number: 1, FS: rootWalker{small("f")}}, {Number: 2, FS: rootWalker{small("g")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	seen, bad := map[string]int{}, 0
	err = tree.Walk(t.Context(), func(path string, e *volume.Entry) error {
		if e.Err != nil && e.Attr == nil {
			bad++
		} else {
			seen[path]++
		}
		return nil
	})
	if err != nil || seen["/partition-1"] != 1 || seen["/partition-2"] != 1 || bad != 2 {
		t.Errorf("%v, %d, %v", seen, bad, err)
	}
}
