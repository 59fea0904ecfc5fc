//go:build linux

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"vitrine/volume"
)

// copyFake copies path of f into dir.
func copyFake(t *testing.T, f volume.FileSystem, from, dir string, o cpOptions) (errOut string, err error) {
	t.Helper()
	e, _, errs := testEnv()
	o.dir = dir
	if o.workers == 0 {
		o.workers = 2
	}
	p := &places{list: []place{fakePlace(f, from)}}
	items, err := cpItems(context.Background(), p)
	if err != nil {
		return "", err
	}
	if err := o.refuse(context.Background(), items); err != nil {
		return "", err
	}
	dest, err := openDest(dir)
	if err != nil {
		return "", err
	}
	defer dest.Close()
	c := newCopier(e, &o, dest)
	defer c.meter.abandon()
	if err := c.run(context.Background(), items); err != nil {
		return errs.String(), c.stopped(err)
	}
	return errs.String(), c.hurt.err("not copied, or not whole, or not under the same name")
}

func code(err error) exitCode {
	if err == nil {
		return exitDone
	}
	return explain(err).code
}

func wantFile(t *testing.T, name, data string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	} else if string(b) != data {
		t.Errorf("%s holds %.40q, want %.40q", name, b, data)
	}
}

// guarded is a fakeFS whose files have security descriptors.
type guarded struct {
	*fakeFS
	descriptor map[volume.ID][]byte
	fail       error // of those that have none
}

func (g guarded) ListXattr(context.Context, volume.ID) ([]string, error) { return nil, nil }

func (g guarded) Xattr(_ context.Context, id volume.ID, _ string) ([]byte, error) {
	if b := g.descriptor[id]; b != nil {
		return b, nil
	}
	return nil, g.fail
}

// TestUnreadableSecurity: a descriptor that is wanted and cannot be read or written
// out is told, one that does not exist is not.
func TestUnreadableSecurity(t *testing.T) {
	for _, c := range []struct {
		descriptor []byte
		fail       error
		told       int // of the folder and the file
	}{
		{nil, fs.ErrNotExist, 0},
		{nil, volume.ErrCorrupt, 2},
		{[]byte("no descriptor"), nil, 2},
	} {
		g := guarded{newFakeFS(), map[volume.ID][]byte{}, c.fail}
		dir := g.dir(g.root(), "d")
		f := g.file(dir, "f", "contents")
		if c.descriptor != nil {
			g.descriptor[dir.attr.ID], g.descriptor[f.attr.ID] = c.descriptor, c.descriptor
		}
		for _, wanted := range []bool{false, true} {
			to := t.TempDir()
			out, err := copyFake(t, g, "/d", to, cpOptions{security: wanted})
			told := 0
			if wanted {
				told = c.told
			}
			if n := strings.Count(out, "owner and permissions: "); n != told || (code(err) == exitIncomplete) != (told > 0) {
				t.Errorf("%q, %v, wanted %v: %d told\n%s%v", c.descriptor, c.fail, wanted, n, out, err)
			}
			wantFile(t, filepath.Join(to, "d/f"), "contents")
			e, _, errs := testEnv()
			hurt := &tally{}
			p := fakePlace(g, "/d/f")
			p.stat(context.Background(), e, found{path: "/d/f", attr: f.attr}, hurt)
			if n := strings.Count(errs.String(), "/d/f: owner and permissions: "); n != min(1, c.told) {
				t.Errorf("stat of %q, %v: %s", c.descriptor, c.fail, errs)
			}
		}
	}
}

// listing gives all paths below dir, sorted.
func listing(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, p); rel != "." {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCopyTree(t *testing.T) {
	f := newFakeFS()
	users := f.dir(f.root(), "Users")
	ann := f.dir(users, "Ann")
	notes := f.file(ann, "notes.txt", "hello")
	f.put(users, "other name.txt", notes)
	notes.attr.Links = 2
	f.link(ann, "abs", "/Users/other name.txt")
	f.link(ann, "rel", "../other name.txt")
	f.dir(ann, "empty")
	big := f.file(ann, "sparse", string(make([]byte, 1<<20))+"end")
	big.holes = [][2]int64{{0, 1 << 20}}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	if _, err := copyFake(t, f, "/users/ANN", out, cpOptions{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"Ann", "Ann/abs", "Ann/empty", "Ann/notes.txt", "Ann/rel", "Ann/sparse"}
	if got := listing(t, out); !slices.Equal(got, want) {
		t.Errorf("copied %q, want %q", got, want)
	}
	wantFile(t, filepath.Join(out, "Ann/notes.txt"), "hello")
	for _, n := range []string{"abs", "rel"} {
		if got, _ := os.Readlink(filepath.Join(out, "Ann", n)); got != "../other name.txt" {
			t.Errorf("%s leads to %q", n, got)
		}
	}
	for name, id := range map[string]*fakeNode{"Ann": ann, "Ann/notes.txt": notes, "Ann/empty": f.nodes[ann.names[3].ID], "Ann/abs": f.nodes[ann.names[1].ID]} {
		info, err := os.Lstat(filepath.Join(out, name))
		if err != nil || !info.ModTime().Equal(id.attr.ModTime) {
			t.Errorf("%s: modified %v, want %v (%v)", name, info.ModTime(), id.attr.ModTime, err)
		}
	}
	var st unix.Stat_t
	unix.Stat(filepath.Join(out, "Ann/sparse"), &st)
	if st.Size != 1<<20+3 || st.Blocks*512 > 64<<10 {
		t.Errorf("sparse file: %d bytes, %d allocated", st.Size, st.Blocks*512)
	}
}

func TestCopyRoot(t *testing.T) {
	f := newFakeFS()
	a := f.file(f.root(), "a", "one file")
	b := f.dir(f.root(), "b")
	f.put(b, "a2", a)
	f.put(b, "a3", a)
	a.attr.Links = 3
	out := t.TempDir()
	if _, err := copyFake(t, f, "/", out, cpOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, out); !slices.Equal(got, []string{"a", "b", "b/a2", "b/a3"}) {
		t.Errorf("copied %q", got)
	}
	i1, _ := os.Stat(filepath.Join(out, "a"))
	for _, n := range []string{"b/a2", "b/a3"} {
		if i2, _ := os.Stat(filepath.Join(out, n)); !os.SameFile(i1, i2) {
			t.Errorf("%s is no hard link of a", n)
		}
	}
}

// TestCopyLoop: of a folder that a damaged volume has in several places, perhaps
// inside itself, one copy is made.
func TestCopyLoop(t *testing.T) {
	f := newFakeFS()
	a := f.dir(f.root(), "a")
	b := f.dir(a, "b")
	f.file(b, "f", "once")
	for _, name := range []string{"up", "up again"} {
		f.put(b, name, a)
		f.put(b, name+" to the root", f.root())
	}
	dir := t.TempDir()
	said, err := copyFake(t, f, "/", dir, cpOptions{})
	if code(err) != exitIncomplete || strings.Count(said, "copied already") != 4 {
		t.Errorf("%v, %q", err, said)
	}
	wantFile(t, filepath.Join(dir, "a/b/f"), "once")
	if all := listing(t, dir); len(all) != 3 {
		t.Errorf("%q", all)
	}
}

// TestCopyHostileNames copies names that try to get out, and looks whether
// anything appeared outside the destination.
func TestCopyHostileNames(t *testing.T) {
	names := []string{"..", ".", "../up", "/abs", "nul\x00l", "%(2F)", "..\\win", strings.Repeat("long", 100) + ".txt", "", "\xff\xfe", "line\nbreak", "a\U0010ff2fb"}
	f := newFakeFS()
	for _, n := range names {
		f.file(f.root(), n, "file "+n)
		f.file(f.dir(f.root(), n+"d"), n, "inner")
	}
	f.file(f.dir(f.dir(f.root(), "sub"), ".."), "climbed", "out")
	f.link(f.root(), "way", "..")
	w := f.dir(f.root(), "way") // the same name twice: a link and a folder
	f.file(w, "escaped", "out")
	base := t.TempDir()
	out := filepath.Join(base, "out")
	errs, err := copyFake(t, f, "/", out, cpOptions{})
	if code(err) != exitIncomplete {
		t.Errorf("exit code %d (%v)\n%s", code(err), err, errs)
	}
	for _, listed := range []string{`a\U0010ff2fb: copied under the name a%(2F)b`} {
		if !strings.Contains(errs, "problem: /"+listed) {
			t.Errorf("not listed: %s\n%s", listed, errs)
		}
	}
	if got, _ := filepath.Glob(filepath.Join(base, "*")); len(got) != 1 {
		t.Errorf("outside the destination: %q", got)
	}
	for name, data := range map[string]string{"%(2E)%(2E)": "file ..", "..%(2F)up": "file ../up", "%(2F)abs": "file /abs", "a%(2F)b": "file a\U0010ff2fb",
		"%(25)(2F)": "file %(2F)", "%()": "file ", "\xff\xfe": "file \xff\xfe", "sub/%(2E)%(2E)/climbed": "out"} {
		wantFile(t, filepath.Join(out, name), data)
	}
}

func TestTargetName(t *testing.T) {
	long := strings.Repeat("ü", 200) + ".docx"
	for _, tt := range []struct {
		name, linux, windows string
	}{
		{"plain.txt", "plain.txt", "plain.txt"},
		{".", "%(2E)", "%(2E)"},
		{"..", "%(2E)%(2E)", "%(2E)%(2E)"},
		{"...", "...", "..%(2E)"},
		{"", "%()", "%()"},
		{"a/b", "a%(2F)b", "a%(2F)b"},
		{"a\x00", "a%(00)", "a%(00)"},
		{"100%", "100%", "100%"},
		{"50%(2F)", "50%(25)(2F)", "50%(25)(2F)"},
		{"a\U0010ff2fb", "a%(2F)b", "a%(2F)b"}, // as NTFS's names are decoded
		{"\U0010ff2e.", "%(2E).", "%(2E)%(2E)"},
		{"a\U0010ff00", "a%(00)", "a%(00)"},
		{"a\U0010ff5c\U0010ff5c", "a\U0010ff5c", "a\U0010ff5c"}, // on the volume it is one
		{"a\U0010ff5c\U0010ff00b", "a\U0010ff00b", "a\U0010ff00b"},
		{"\U0010ff5c\U0010ff2e\U0010ff2f", "\U0010ff2e%(2F)", "\U0010ff2e%(2F)"},
		{"a\U0010ff5c", "a\U0010ff5c", "a\U0010ff5c"},
		{"a:b", "a:b", "a%(3A)b"},
		{`a\b`, `a\b`, "a%(5C)b"},
		{"dot.", "dot.", "dot%(2E)"},
		{"space ", "space ", "space%(20)"},
		{"aux.txt", "aux.txt", "%(61)ux.txt"},
		{"COM1", "COM1", "%(43)OM1"},
		{"COM", "COM", "COM"},
		{"com10", "com10", "com10"},
		{"wtf\xed\xa0\x80", "wtf\xed\xa0\x80", "wtf\xed\xa0\x80"},
	} {
		if got, whole := targetName(tt.name, false); got != tt.linux || !whole {
			t.Errorf("on Linux %q becomes %q, want %q", tt.name, got, tt.linux)
		}
		if got, whole := targetName(tt.name, true); got != tt.windows || !whole {
			t.Errorf("on Windows %q becomes %q, want %q", tt.name, got, tt.windows)
		}
	}
	got, whole := targetName(long, false)
	other, _ := targetName("ü"+long, false)
	if whole || len(got) > maxTargetName || !strings.HasSuffix(got, ".docx") || got == other {
		t.Errorf("long name becomes %q (%d bytes), another %q", got, len(got), other)
	}
}

func TestCopyRefusesExisting(t *testing.T) {
	f := newFakeFS()
	d := f.dir(f.root(), "d")
	f.file(d, "old", "new")
	f.file(d, "fresh", "fresh")
	out := t.TempDir()
	os.Mkdir(filepath.Join(out, "d"), 0o777)
	os.WriteFile(filepath.Join(out, "d/old"), []byte("mine"), 0o666)

	_, err := copyFake(t, f, "/d", out, cpOptions{})
	if code(err) != exitFailed || !strings.Contains(err.Error(), "d/old exists already") {
		t.Errorf("existing file: %v", err)
	}
	if got := listing(t, out); !slices.Equal(got, []string{"d", "d/old"}) {
		t.Errorf("refused, but now there is %q", got)
	}
	if _, err := copyFake(t, f, "/d", out, cpOptions{skipExisting: true}); err != nil {
		t.Error(err)
	}
	wantFile(t, filepath.Join(out, "d/old"), "mine")
	wantFile(t, filepath.Join(out, "d/fresh"), "fresh")
	if _, err := copyFake(t, f, "/d", out, cpOptions{overwrite: true}); err != nil {
		t.Error(err)
	}
	wantFile(t, filepath.Join(out, "d/old"), "new")
}

func TestCopyThroughPlantedLink(t *testing.T) {
	f := newFakeFS()
	f.file(f.dir(f.root(), "d"), "x", "data")
	base := t.TempDir()
	out, outside := filepath.Join(base, "out"), filepath.Join(base, "outside")
	os.Mkdir(out, 0o777)
	os.Mkdir(outside, 0o777)
	os.Symlink(outside, filepath.Join(out, "d"))
	for _, o := range []cpOptions{{}, {overwrite: true}, {skipExisting: true}} {
		if _, err := copyFake(t, f, "/", out, o); err == nil {
			t.Errorf("%+v: copied through a link", o)
		}
	}
	if got := listing(t, outside); len(got) > 0 {
		t.Errorf("outside: %q", got)
	}
}

func TestCopyGoesOn(t *testing.T) {
	f := newFakeFS()
	f.file(f.root(), "locked", "x").fail = volume.ErrEncrypted
	f.file(f.root(), "cloud", "x").fail = volume.ErrNotCaptured
	bad := f.file(f.root(), "bad", strings.Repeat("x", 3<<20))
	bad.failAt = 2 << 20
	bad.attr.Links = 2
	f.put(f.root(), "bad2", bad)
	f.file(f.root(), "good", "good")
	out := t.TempDir()
	errs, err := copyFake(t, f, "/", out, cpOptions{})
	if code(err) != exitIncomplete || !strings.Contains(err.Error(), "4 items") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"/locked: contents are encrypted", "/cloud: contents are not in the image", "/bad: in bytes 2097152 to 3145727: sector gone", "/bad2: "} {
		if !strings.Contains(errs, "problem: "+name) {
			t.Errorf("not listed: %s\n%s", name, errs)
		}
	}
	if got := listing(t, out); !slices.Equal(got, []string{"good"}) {
		t.Errorf("left behind: %q", got)
	}
}

// TestCopySalvages copies what is readable of files of which a part is not.
func TestCopySalvages(t *testing.T) {
	f := newFakeFS()
	data := strings.Repeat("0123456789abcdef", 1<<16)
	bad := f.file(f.root(), "bad", data)
	bad.gaps = [][2]int64{{0, 1}, {70000, 80000}, {1<<20 - 10, 1 << 20}}
	f.file(f.root(), "all", "gone").gaps = [][2]int64{{0, 4}}
	f.file(f.root(), "cloud", "x").fail = volume.ErrNotCaptured
	s := f.file(f.root(), "stream", "main")
	s.streams = map[string][]byte{"x": bytes.Repeat([]byte("x"), 70000)}
	out := t.TempDir()
	errs, err := copyFake(t, f, "/", out, cpOptions{salvage: true})
	if code(err) != exitIncomplete || !strings.Contains(err.Error(), "3 items") {
		t.Errorf("got %v\n%s", err, errs)
	}
	for _, want := range []string{
		"problem: /bad: copied without 10 906 bytes, zeros stand for them: bytes 0 to 511, 70000 to 80383, 1048566 to 1048575 (sector gone)",
		"problem: /all: copied without 4 bytes, zeros stand for them: bytes 0 to 3 (sector gone)",
		"problem: /cloud: contents are not in the image",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("not listed: %s\n%s", want, errs)
		}
	}
	want := []byte(data)
	clear(want[:512])
	clear(want[70000:80384])
	clear(want[1048566:])
	wantFile(t, filepath.Join(out, "bad"), string(want))
	wantFile(t, filepath.Join(out, "all"), "\x00\x00\x00\x00")
	wantFile(t, filepath.Join(out, "stream"), "main")
	if got := listing(t, out); !slices.Equal(got, []string{"all", "bad", "stream"}) {
		t.Errorf("copied %q", got)
	}
}

// TestCopySalvagesAll takes every readable sector, though reads over a bad one
// give nothing, and makes few reads.
func TestCopySalvagesAll(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 3<<16)
	for _, tt := range []struct {
		gaps  [][2]int64
		lost  string
		reads int64
	}{
		{[][2]int64{{7 << 16, 8 << 16}, {19 << 16, 20 << 16}}, "131 072 bytes, zeros stand for them: bytes 458752 to 524287, 1245184 to 1310719 (", 300},
		{[][2]int64{{99840, 100352}}, "512 bytes, zeros stand for them: bytes 99840 to 100351 (", 30},
		{[][2]int64{{0, 512}, {1024, 1536}, {3<<20 - 512, 3 << 20}}, "1 536 bytes, zeros stand for them: bytes 0 to 511, 1024 to 1535, 3145216 to 3145727 (", 80},
		{[][2]int64{{0, 4608}, {8192, 8704}, {12288, 140 << 10}, {141 << 10, 142 << 10}},
			"137 216 bytes, zeros stand for them: bytes 0 to 4607, 8192 to 8703, 12288 to 143359, 144384 to 145407 (", 400},
		{[][2]int64{{0, 3 << 20}}, "3 145 728 bytes, zeros stand for them: bytes 0 to 3145727 (", 3<<20/sector + 30},
	} {
		f := newFakeFS()
		n := f.file(f.root(), "bad", data)
		n.gaps, n.blunt = tt.gaps, true
		out := t.TempDir()
		errs, err := copyFake(t, f, "/", out, cpOptions{salvage: true})
		if code(err) != exitIncomplete || !strings.Contains(errs, "/bad: copied without "+tt.lost) {
			t.Errorf("%v: %v\n%s", tt.gaps, err, errs)
		}
		want := []byte(data)
		for _, g := range tt.gaps {
			clear(want[g[0]:g[1]])
		}
		wantFile(t, filepath.Join(out, "bad"), string(want))
		if got := n.reads.Load(); got > tt.reads {
			t.Errorf("%v: %d reads, at most %d are wanted", tt.gaps, got, tt.reads)
		}
	}
}

// TestGlobLiteral copies by patterns from folders whose names look like some.
func TestGlobLiteral(t *testing.T) {
	f := newFakeFS()
	w := f.dir(f.root(), "we ird")
	d := f.dir(w, "d[1]")
	f.file(d, "a", "a")
	f.file(d, "b[x", "b")
	f.file(f.dir(w, "d2"), "c", "c")
	f.file(f.dir(f.root(), "other"), "d", "d")
	for pattern, want := range map[string][]string{
		"/we ird/d[1]/*":   {"a", "b[x"},
		"/We Ird/D[1]/*":   {"a", "b[x"},
		"/we ird/d[[]1]/*": {"a", "b[x"},
		"/we ird/d[0-9]/*": {"c"},
		"/w*/d[1]/b[x":     {"b[x"},
	} {
		out := t.TempDir()
		if errs, err := copyFake(t, f, pattern, out, cpOptions{}); err != nil {
			t.Errorf("%s: %v\n%s", pattern, err, errs)
		}
		if got := listing(t, out); !slices.Equal(got, want) {
			t.Errorf("%s: copied %q, want %q", pattern, got, want)
		}
	}
	_, err := copyFake(t, f, "/we ird/e[1]/*", t.TempDir(), cpOptions{})
	if err == nil || !strings.Contains(explain(err).hint, "[[]") {
		t.Errorf("nothing matches: %v", err)
	}
}

func TestGapEnd(t *testing.T) {
	const huge = 1 << 62
	for _, c := range []struct{ off, good, end, want int64 }{
		{0, 1, 4096, 512},
		{0, 4096, 8192, 4096},
		{100, 4096, 8192, 4096},
		{70000, 80000, 1 << 20, 80384},
		{0, 5 << 20, huge, 5 << 20},
		{3, 1<<40 + 5, huge, 1<<40 + 512},
		{0, huge, huge, huge},
		{5, 1 << 30, 1<<30 + 100, 1 << 30},
		{huge - 10, huge, huge, huge},
		{10, 20, 30, 30},
	} {
		n := 0
		got := gapEnd(c.off, c.end, func(at int64) bool { n++; return at >= c.good })
		if got != c.want || n > 32*gapSteps {
			t.Errorf("%+v: %d after %d probes", c, got, n)
		}
	}
}

func TestManyGaps(t *testing.T) {
	var g gaps
	for i := range int64(3 * maxGaps) {
		g.add(i*10, i*10+4, errFakeRead)
		g.add(i*10+4, i*10+5, errFakeRead)
	}
	if len(g.list) != maxGaps || g.more != 2*maxGaps || g.bytes != 15*maxGaps || g.list[1] != (gap{10, 5}) || !strings.Contains(g.Error(), ", 70 to 74, 12 280 more") {
		t.Errorf("%d %d %d %v %s", len(g.list), g.more, g.bytes, g.list[1], g.Error())
	}
}

// TestCopySweeps removes what killed copies left, and nothing else.
func TestCopySweeps(t *testing.T) {
	f := newFakeFS()
	f.file(f.dir(f.root(), "d"), "x", "data")
	out := t.TempDir()
	os.Mkdir(filepath.Join(out, "d"), 0o777)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	gone := fmt.Sprintf(".vitrine-%d-1.part", dead.Process.Pid)
	keep := []string{fmt.Sprintf(".vitrine-%d-2.part", os.Getpid()), fmt.Sprintf(".vitrine-%d-3.part", dead.Process.Pid), ".vitrine-x-1.part", ".vitrine-1-1.part~"}
	for _, n := range append(keep, gone, "d/"+gone) {
		os.WriteFile(filepath.Join(out, n), []byte("half"), 0o666)
	}
	held, err := os.OpenFile(filepath.Join(out, keep[1]), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	holdPart(held)
	errs, err := copyFake(t, f, "/", out, cpOptions{})
	if err != nil || strings.Count(errs, "removed ") != 2 {
		t.Error(err, errs)
	}
	want := append(slices.Clone(keep), "d", "d/x")
	slices.Sort(want)
	if got := listing(t, out); !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}

func TestCopyStreams(t *testing.T) {
	f := newFakeFS()
	n := f.file(f.root(), "doc", "main")
	n.streams = map[string][]byte{"Zone.Identifier": []byte("[ZoneTransfer]"), "big": bytes.Repeat([]byte("b"), 70000)}
	out := t.TempDir()
	if errs, err := copyFake(t, f, "/", out, cpOptions{streams: "auto"}); err != nil {
		t.Fatal(err, errs)
	}
	b := make([]byte, 100)
	size, err := unix.Getxattr(filepath.Join(out, "doc"), "user.Zone.Identifier", b)
	if errors.Is(err, unix.ENOTSUP) {
		wantFile(t, filepath.Join(out, "doc:Zone.Identifier"), "[ZoneTransfer]")
	} else if err != nil || string(b[:size]) != "[ZoneTransfer]" {
		t.Errorf("xattr %q, %v", b[:max(size, 0)], err)
	}
	wantFile(t, filepath.Join(out, "doc:big"), strings.Repeat("b", 70000))
	out = t.TempDir()
	if errs, err := copyFake(t, f, "/", out, cpOptions{streams: "file"}); err != nil {
		t.Fatal(err, errs)
	}
	wantFile(t, filepath.Join(out, "doc:Zone.Identifier"), "[ZoneTransfer]")
}

// TestCopyManyLinks has workers race over names of the same files.
func TestCopyManyLinks(t *testing.T) {
	f := newFakeFS()
	const files, names = 50, 20
	dirs := make([]*fakeNode, names)
	for d := range dirs {
		dirs[d] = f.dir(f.root(), string(rune('a'+d)))
	}
	for i := range files {
		n := f.file(dirs[0], "f"+string(rune('0'+i)), strings.Repeat("z", i*1000))
		n.attr.Links = names
		for _, d := range dirs[1:] {
			f.put(d, "f"+string(rune('0'+i)), n)
		}
	}
	out := t.TempDir()
	if errs, err := copyFake(t, f, "/", out, cpOptions{workers: 8}); err != nil {
		t.Fatal(err, errs)
	}
	var st unix.Stat_t
	for i := range files {
		if err := unix.Stat(filepath.Join(out, "q", "f"+string(rune('0'+i))), &st); err != nil || st.Nlink != names || st.Size != int64(i)*1000 {
			t.Fatalf("file %d: %v, %d names, %d bytes", i, err, st.Nlink, st.Size)
		}
	}
}
