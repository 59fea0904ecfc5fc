package ntfsparse_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// holed is a volume of which a range cannot be read.
type holed struct {
	*bytes.Reader
	from, to int64
}

var errHole = errors.New("hole")

func (h holed) ReadAt(p []byte, off int64) (int, error) {
	if off < h.to && off+int64(len(p)) > h.from {
		return 0, errHole
	}
	return h.Reader.ReadAt(p, off)
}

// lostTree makes a volume with the given files, each of which has its path as
// contents, and returns its bytes.
func lostTree(t *testing.T, files []string) []byte {
	t.Helper()
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for _, name := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("/"+name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// walked gives the paths that a walk visits, those with an error in bad.
func walked(t *testing.T, v *ntfsparse.Volume) (paths, bad []string) {
	t.Helper()
	err := v.Walk(t.Context(), func(e *ntfsparse.WalkEntry) error {
		if paths = append(paths, e.Path); e.Err != nil {
			bad = append(bad, e.Path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	slices.Sort(bad)
	return paths, bad
}

// lost gives the paths that folders do not lead to.
func lost(t *testing.T, v *ntfsparse.Volume) (paths []string) {
	t.Helper()
	err := v.WalkLost(t.Context(), func(dir ntfsparse.Ref, e *ntfsparse.DirEntry) error {
		f, err := v.FileRef(dir)
		if dir.Record() == ntfsparse.RecordRoot {
			f, err = v.Root()
		}
		if err != nil {
			return err
		}
		p, err := f.Path()
		paths = append(paths, strings.TrimSuffix(p, "/")+"/"+e.Name())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func readPath(v *ntfsparse.Volume, path string) (string, error) {
	b, err := contents(v, path)
	return string(b), err
}

// TestFolderWithoutRecord wrecks the records of folders: what is in them is found
// where it was.
func TestFolderWithoutRecord(t *testing.T) {
	files := []string{"top", "a/one", "a/two", "a/b/three", "a/b/c/four", "a/b/c/five", "other/six", "other/empty/seven"}
	img := lostTree(t, files)
	sound := openBytes(t, img)
	all, _ := walked(t, sound)
	record := func(path string) int64 {
		f, err := sound.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		return sound.Boot().MFT*sound.Boot().ClusterSize + int64(f.Ref().Record())*1024
	}
	ways := map[string]func(b []byte, at int64) holed{
		"zeros": func(b []byte, at int64) holed { clear(b[at : at+1024]); return holed{bytes.NewReader(b), 0, 0} },
		"noise": func(b []byte, at int64) holed { copy(b[at:], "noise"); return holed{bytes.NewReader(b), 0, 0} },
		"torn":  func(b []byte, at int64) holed { b[at+510]++; return holed{bytes.NewReader(b), 0, 0} },
		"hole":  func(b []byte, at int64) holed { return holed{bytes.NewReader(b), at, at + 1024} },
	}
	for _, folder := range []string{"a", "a/b", "a/b/c", "other/empty", "/"} {
		for way, wreck := range ways {
			t.Run(strings.ReplaceAll(folder, "/", "_")+" "+way, func(t *testing.T) {
				r := wreck(bytes.Clone(img), record(folder))
				volume := func() *ntfsparse.Volume {
					v, err := ntfsparse.Open(r, r.Size())
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				v := volume()
				for _, name := range files {
					if got, err := readPath(v, name); got != "/"+name {
						t.Errorf("%s: %q, %v", name, got, err)
					}
				}
				for range 2 { // before and after what was lost is known
					paths, bad := walked(t, v)
					if !slices.Equal(bad, []string{"/" + strings.TrimPrefix(folder, "/")}) {
						t.Errorf("said to be damaged: %q", bad)
					}
					if !slices.Equal(paths, all) {
						t.Errorf("walked %q", paths)
					}
					v = volume()
				}
				f, err := v.Lookup(folder)
				if err != nil || !f.IsDir() || !f.RecordLost() || f.Damage() == nil {
					t.Fatalf("%v, %v", f, err)
				}
				names := 0
				damage := error(nil)
				d, err := f.Dir()
				if err != nil {
					t.Fatal(err)
				}
				d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
					if err != nil {
						damage = err
					} else if e.Ref.Record() >= ntfsparse.FirstUser {
						names++
					}
					return true
				})
				if names == 0 || damage == nil {
					t.Errorf("%d names, %v", names, damage)
				}
				seen := 0
				fs.WalkDir(v.FS(), ".", func(path string, d fs.DirEntry, err error) error {
					if slices.Contains(files, path) {
						seen++
					}
					return nil
				})
				if seen != len(files) {
					t.Errorf("fs.FS shows %d of %d files", seen, len(files))
				}
				leaf, err := v.Lookup("a/b/c/four")
				if err != nil {
					t.Fatal(err)
				}
				if p, err := leaf.Path(); p != "/a/b/c/four" {
					t.Errorf("its path is %q, %v", p, err)
				}
			})
		}
	}
}

// TestOrphans: files that no folder leads to are below "$Orphan-N", and those whose
// folder is still an entry of the folder above are in that; either way can be looked up.
func TestOrphans(t *testing.T) {
	files := []string{"top", "gone/one", "gone/two", "gone/inner/three"}
	b := lostTree(t, files)
	v := openBytes(t, b)
	gone, err := v.Lookup("gone")
	if err != nil {
		t.Fatal(err)
	}
	n := gone.Ref().Record()
	for name, wreck := range map[string]func(b []byte){
		"deleted": func(b []byte) { markDeleted(recordIn(v, b, n)) },
		"a file now": func(b []byte) {
			r := recordIn(v, b, n)
			r[0x10]++
			r[0x16] &^= ntfsparse.FlagDirectory
		},
		"another folder": func(b []byte) { recordIn(v, b, n)[0x10]++ },
	} {
		b := bytes.Clone(b)
		wreck(b)
		v := openBytes(t, b)
		orphans := fmt.Sprintf("/$Orphan-%d", n)
		paths, bad := walked(t, v)
		place := "/gone" // which the root still has
		if name == "another folder" {
			place = orphans
		}
		want := []string{place}
		if !slices.Equal(bad, want) {
			t.Errorf("%s: said to be damaged: %q", name, bad)
		}
		for _, file := range files[1:] {
			path := strings.Replace("/"+file, "/gone", place, 1)
			for _, place := range []string{place, orphans} {
				path := strings.Replace("/"+file, "/gone", place, 1)
				if got, err := readPath(v, path); got != "/"+file {
					t.Errorf("%s: %s: %q, %v", name, path, got, err)
				}
			}
			if !slices.Contains(paths, path) {
				t.Errorf("%s: %s is not in %q", name, path, paths)
			}
			if got, err := readPath(v, file); got != "/"+file { // where the root's index still has it
				t.Errorf("%s: %s: %q, %v", name, file, got, err)
			}
			f, err := v.Lookup(path)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := f.Path(); p != path {
				t.Errorf("%s: its path is %q, %v", name, p, err)
			}
		}
		f, err := v.Lookup(orphans)
		if err != nil || !f.IsDir() || f.Damage() == nil {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if p, err := f.Path(); p != orphans {
			t.Errorf("%s: %q, %v", name, p, err)
		}
		if _, err := readPath(v, "top"); err != nil {
			t.Error(err)
		}
		want = nil
		if name == "another folder" {
			want = []string{orphans}
		}
		if name != "deleted" {
			want = append(want, "/gone") // what the record is now
		}
		if list := lost(t, v); !slices.Equal(list, want) {
			t.Errorf("%s: lost %q", name, list)
		}
		for _, odd := range []string{"$Orphan-", "$Orphan-x", "$Orphan-07", "$Orphan-99999999999999", "$orphan--1", "$Orphan-3", "$Orphan-70000", fmt.Sprintf("$orphan-%d", n)} {
			if _, err := v.Lookup(odd); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", odd, err)
			}
		}
	}
}

// TestLoopOfFolders: folders that say to be in each other hang on nothing; what is
// in them is walked to, once.
func TestLoopOfFolders(t *testing.T) {
	b := lostTree(t, []string{"a/in a", "b/in b", "top"})
	v := openBytes(t, b)
	var refs [2]ntfsparse.Ref
	for i, name := range []string{"a", "b"} {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		refs[i] = f.Ref()
	}
	for i, ref := range refs {
		f, err := v.FileRef(ref)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range f.Attrs() {
			if a.Type() == ntfsparse.TypeFileName {
				at := a.Off + int(a.Bytes()[0x14])
				copy(recordIn(v, b, ref.Record())[at:], refBytes(refs[1-i]))
			}
		}
	}
	v = openBytes(t, b)
	paths, bad := walked(t, v)
	if len(bad) != 1 {
		t.Fatalf("damaged: %q", bad)
	}
	if f, err := v.Lookup(bad[0]); err != nil || errors.Is(f.Damage(), ntfsparse.ErrUnsupported) {
		t.Errorf("%s is called too deep: %v", bad[0], err)
	}
	for _, name := range []string{"in a", "in b", "a", "b"} {
		n := 0
		for _, p := range paths {
			if strings.HasPrefix(p, "/$Orphan-") && strings.HasSuffix(p, "/"+name) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is %d times in %q", name, n, paths)
		}
	}
	for i, name := range []string{"in a", "in b"} {
		if got, err := readPath(v, fmt.Sprintf("/$Orphan-%d/%s", refs[i].Record(), name)); !strings.HasSuffix(got, name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func refBytes(r ntfsparse.Ref) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(r >> (8 * i))
	}
	return b
}

// TestManyLostRecords: a long piece of the MFT is gone; names in it are told, and
// the rest is found.
func TestManyLostRecords(t *testing.T) {
	var files []string
	for i := range 300 {
		files = append(files, fmt.Sprintf("d%d/f%d/file", i%10, i))
	}
	img := lostTree(t, files)
	sound := openBytes(t, img)
	at := sound.Boot().MFT*sound.Boot().ClusterSize + 200*1024
	zeros := bytes.Clone(img)
	clear(zeros[at : at+100<<10])
	for _, r := range []holed{{bytes.NewReader(img), at, at + 100<<10}, {bytes.NewReader(zeros), 0, 0}} {
		manyLost(t, sound, r)
	}
}

func manyLost(t *testing.T, sound *ntfsparse.Volume, r holed) {
	v, err := ntfsparse.Open(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	all, _ := walked(t, sound)
	paths, bad := walked(t, v)
	missing := 0
	for _, p := range all {
		if _, ok := slices.BinarySearch(paths, p); !ok {
			missing++
		}
	}
	// Every second record is that of a file in a folder whose record is gone, too.
	if len(bad) != 51 || missing != 50 {
		t.Errorf("%d paths of %d, %d damaged, %d missing", len(paths), len(all), len(bad), missing)
	}
	if bad[0] != "/" {
		t.Error("nothing is said of the records whose names are lost, too")
	}
	for _, p := range bad[1:] {
		if f, err := v.Lookup(p); err == nil && !f.RecordLost() {
			t.Errorf("%s is sound", p)
		}
	}
	read := 0
	for _, p := range paths {
		if f, err := v.Lookup(p); err == nil && !f.IsDir() {
			if s, err := f.Open(); err == nil {
				b, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
				if err == nil && len(b) > 0 {
					read++
				}
			}
		}
	}
	t.Logf("%d paths of %d, %d damaged, %d missing, %d files read", len(paths), len(all), len(bad), missing, read)
}

// TestManyFoldersWithoutRecord: one look through the MFT serves them all.
func TestManyFoldersWithoutRecord(t *testing.T) {
	var files []string
	for i := range 150 {
		files = append(files, fmt.Sprintf("d%d/file", i))
	}
	b := lostTree(t, files)
	sound := openBytes(t, b)
	for i := range files {
		f, err := sound.Lookup(fmt.Sprintf("d%d", i))
		if err != nil {
			t.Fatal(err)
		}
		clear(recordIn(sound, b, f.Ref().Record()))
	}
	v := openBytes(t, b)
	for _, name := range files {
		if got, err := readPath(v, name); got != "/"+name {
			t.Fatalf("%s: %q, %v", name, got, err)
		}
	}
	if paths, _ := walked(t, v); len(paths) != 301 {
		t.Errorf("%d paths", len(paths))
	}
}

// TestOddRoot: the record of the root says that it is none.
func TestOddRoot(t *testing.T) {
	files := []string{"top", "a/one"}
	b := lostTree(t, files)
	all, _ := walked(t, openBytes(t, b))
	for name, change := range map[string]func(r []byte){
		"not in use":     func(r []byte) { r[0x16] &^= ntfsparse.FlagInUse },
		"no folder":      func(r []byte) { r[0x16] &^= ntfsparse.FlagDirectory },
		"an extension":   func(r []byte) { r[0x20] = 99 },
		"another number": func(r []byte) { r[0x10]++ },
	} {
		b := bytes.Clone(b)
		change(recordIn(openBytes(t, b), b, ntfsparse.RecordRoot))
		v := openBytes(t, b)
		for _, name := range files {
			if got, err := readPath(v, name); got != "/"+name {
				t.Errorf("%s: %s: %q, %v", name, name, got, err)
			}
		}
		if paths, _ := walked(t, v); !slices.Equal(paths, all) {
			t.Errorf("%s: walked %q", name, paths)
		}
	}
}

// TestOrphansOfBrokenRoot: orphans are found although the root's index is gone.
func TestOrphansOfBrokenRoot(t *testing.T) {
	b := lostTree(t, []string{"top", "gone/one"})
	v := openBytes(t, b)
	f, err := v.Lookup("gone")
	if err != nil {
		t.Fatal(err)
	}
	clear(recordIn(v, b, f.Ref().Record()))
	for at := 0; at < len(b); at += 4096 {
		if string(b[at:at+4]) == "INDX" {
			clear(b[at : at+4096])
		}
	}
	v = openBytes(t, b)
	for _, name := range []string{"/top", fmt.Sprintf("/$Orphan-%d/one", f.Ref().Record())} {
		if _, err := readPath(v, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	paths, bad := walked(t, v)
	if len(bad) != 2 || bad[0] != "/" { // a name is lost, and a folder
		t.Errorf("walked %q, said to be damaged: %q", paths, bad)
	}
}

// attrAt finds the first attribute of a type in a record.
func attrAt(t *testing.T, r []byte, kind uint32) []byte {
	t.Helper()
	for at := int(binary.LittleEndian.Uint16(r[0x14:])); binary.LittleEndian.Uint32(r[at:]) != 0xFFFFFFFF; at += int(binary.LittleEndian.Uint32(r[at+4:])) {
		if binary.LittleEndian.Uint32(r[at:]) == kind {
			return r[at:]
		}
	}
	t.Fatalf("no attribute %#x", kind)
	return nil
}

// TestWalkDamaged: whatever part of its record a file has lost, a walk tells its name
// with an error, and only this one's.
func TestWalkDamaged(t *testing.T) {
	b := lostTree(t, []string{"a/one", "a/two"})
	v := openBytes(t, b)
	f, err := v.Lookup("a/one")
	if err != nil {
		t.Fatal(err)
	}
	for name, wreck := range map[string]func(r []byte){
		"said to be free":                     func(r []byte) { r[0x16] = 0 },
		"said to be an extension":             func(r []byte) { r[0x20], r[0x26] = 200, 1 },
		"attributes cut off":                  func(r []byte) { attrAt(t, r, 0x10)[4]++ },
		"type of the standard information":    func(r []byte) { attrAt(t, r, 0x10)[0] = 0xF0 },
		"length of the name":                  func(r []byte) { attrAt(t, r, 0x30)[0x18+0x40] = 255 },
		"place of the name":                   func(r []byte) { attrAt(t, r, 0x30)[0x11] = 255 },
		"the name is something else":          func(r []byte) { attrAt(t, r, 0x30)[0] = 0xF0 },
		"the contents are something else":     func(r []byte) { attrAt(t, r, 0x80)[0] = 0xF0 },
		"the contents have become a stream":   func(r []byte) { attrAt(t, r, 0x80)[9] = 1 },
		"place of the contents in the record": func(r []byte) { attrAt(t, r, 0x80)[0x15] = 255 },
	} {
		b := bytes.Clone(b)
		wreck(recordIn(v, b, f.Ref().Record()))
		paths, bad := walked(t, openBytes(t, b))
		if !slices.Equal(bad, []string{"/a/one"}) || !slices.Equal(paths, []string{"/", "/a", "/a/one", "/a/two"}) {
			t.Errorf("%s: walked %q, damaged %q", name, paths, bad)
		}
	}
}
