package ntfsparse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// told is what a listing of the root gives that follows each entry: names with
// contents, and errors at the end.
func told(t *testing.T, v *Volume) (files []string, damage error) {
	t.Helper()
	root, err := v.Root()
	if err != nil {
		t.Fatal(err)
	}
	d, err := root.Dir()
	if err != nil {
		t.Fatal(err)
	}
	var list []DirEntry
	each := func(e DirEntry, err error) bool {
		if err != nil {
			damage = err
		} else if !v.IsMetafile(&e) {
			e.Units = slices.Clone(e.Units)
			list = append(list, e)
		}
		return true
	}
	d.Read(0, each)
	for i := 0; i < len(list); i++ {
		files = append(files, list[i].Name()+": "+followed(v, &list[i]))
		if i == len(list)-1 && damage == nil {
			d.ReadLost(each)
		}
	}
	slices.Sort(files)
	return files, damage
}

func followed(v *Volume, e *DirEntry) string {
	f, err := v.Follow(e)
	if err != nil {
		return "error"
	}
	if f.IsDir() {
		return "a folder"
	}
	s, err := f.Open()
	if err != nil {
		return "no contents"
	}
	b, _ := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	return string(b)
}

// TestEntryMisleads: the file behind a name is the one that says to have it, not what an
// entry with a wrong record number leads to. Nothing is lost by that.
func TestEntryMisleads(t *testing.T) {
	type file struct {
		n     int
		names []string // the first character is the name space, the second the folder's record
		links uint16
	}
	const space = "0123"
	for name, c := range map[string]struct {
		index []string // name and record
		files []file
		want  []string
		sound bool
		lost  string
	}{
		"sound": {[]string{"a 30", "b 31"}, []file{{30, []string{"35a"}, 0}, {31, []string{"35b"}, 0}},
			[]string{"a: 30", "b: 31"}, true, ""},
		"another file": {[]string{"a 31", "b 31"}, []file{{30, []string{"35a"}, 0}, {31, []string{"35b"}, 0}},
			[]string{"a: 30", "b: 31"}, false, ""},
		"two in a circle": {[]string{"a 31", "b 30"}, []file{{30, []string{"35a"}, 0}, {31, []string{"35b"}, 0}},
			[]string{"a: 30", "b: 31"}, false, ""},
		"the volume's own file": {[]string{"a 0", "b 31"}, []file{{30, []string{"35a"}, 0}, {31, []string{"35b"}, 0}},
			[]string{"a: 30", "b: 31"}, false, ""},
		"the root": {[]string{"a 5", "b 31"}, []file{{30, []string{"35a"}, 0}, {31, []string{"35b"}, 0}},
			[]string{"a: 30", "b: 31"}, false, ""},
		"a name of no file": {[]string{"a 31", "b 31"}, []file{{31, []string{"35b"}, 0}},
			[]string{"a: error", "b: 31"}, false, ""},
		"a file freed": {[]string{"a 31", "b 31", "c 40"}, []file{{30, []string{"35a"}, 0}, {31, []string{"35b"}, 0}},
			[]string{"a: 30", "b: 31", "c: error"}, false, ""},
		"renamed, the index lags": {[]string{"old 30"}, []file{{30, []string{"35new"}, 0}},
			[]string{"new: 30", "old: 30"}, false, ""},
		"renamed, the index has both": {[]string{"new 30", "old 30"}, []file{{30, []string{"35new"}, 0}},
			[]string{"new: 30", "old: error"}, false, ""},
		"case alone": {[]string{"NAME 30"}, []file{{30, []string{"35name"}, 0}},
			[]string{"NAME: 30", "name: 30"}, false, ""},
		"the record's folder is wrong": {[]string{"a 30"}, []file{{30, []string{"37a"}, 0}},
			[]string{"a: 30"}, false, "$Orphan-7"},
		"hard links": {[]string{"a 30", "b 30"}, []file{{30, []string{"05a", "05b"}, 2}},
			[]string{"a: 30", "b: 30"}, true, ""},
		"DOS names": {[]string{"LONG~1 30", "long name 30"}, []file{{30, []string{"25LONG~1", "15long name"}, 2}},
			[]string{"LONG~1: 30", "long name: 30"}, true, ""},
		"no name at all": {[]string{"a 30"}, []file{{30, nil, 1}},
			[]string{"a: 30"}, true, ""},
		"a name is missing": {[]string{"a 30", "b 30"}, []file{{30, []string{"05a"}, 2}},
			[]string{"a: 30", "b: 30"}, true, ""},
	} {
		b := newRB(400, 4096, 1024, 64)
		entries := [][]byte{ixEntry(MakeRef(0, 1), fnv(5, 5, "$MFT", 3, 0)), ixEntry(MakeRef(5, 5), fnv(5, 5, ".", 3, nameIsDir))}
		for _, e := range c.index {
			var n uint64
			at := strings.LastIndexByte(e, ' ')
			fmt.Sscan(e[at:], &n)
			ref := MakeRef(n, 1)
			if n == RecordRoot {
				ref = MakeRef(5, 5)
			}
			entries = append(entries, ixEntry(ref, fnv(5, 5, e[:at], 3, 0)))
		}
		b.root(entries...)
		for _, f := range c.files {
			attrs := [][]byte{b.si(0x20)}
			for _, s := range f.names {
				attrs = append(attrs, b.fn(uint64(s[1]-'0'), 5, s[2:], byte(strings.IndexByte(space, s[0])), 0))
			}
			b.put(f.n, 1, 1, 0, append(attrs, b.res(TypeData, "", 0, []byte(fmt.Sprint(f.n))))...)
			if f.links > 0 {
				le.PutUint16(b.img[b.off(f.n)+0x12:], f.links)
			}
		}
		v := b.open(t)
		for round := range 3 {
			files, damage := told(t, v)
			if !slices.Equal(files, c.want) || (damage == nil) != c.sound || damage != nil && !errors.Is(damage, ErrCorrupt) {
				t.Errorf("%s, %d: %q, %v", name, round, files, damage)
			}
		}
		root, _ := v.Root()
		d, _ := root.Dir()
		for _, want := range c.want {
			file, contents, _ := strings.Cut(want, ": ")
			e, err := d.Lookup(file)
			if err != nil || followed(v, &e) != contents {
				t.Errorf("%s: %s: %v, %v", name, file, e.Ref, err)
			}
		}
		infos, first := b.open(t), map[string]string{}
		d, _ = root.Dir()
		var list []DirEntry
		d.Read(0, func(e DirEntry, err error) bool {
			if err == nil && !v.IsMetafile(&e) {
				e.Units = slices.Clone(e.Units)
				list = append(list, e)
			}
			return true
		})
		infos.InfoReader().ReadEntries(list, func(i int, in *Info, err error) {
			if first[list[i].Name()] = "error"; err == nil {
				first[list[i].Name()] = string(in.data)
			}
		})
		for _, want := range c.want {
			if file, contents, _ := strings.Cut(want, ": "); first[file] != contents {
				t.Errorf("%s: the information of %s is %q", name, file, first[file])
			}
		}
		var lost []string
		err := v.WalkLost(context.Background(), func(_ Ref, e *DirEntry) error { lost = append(lost, e.Name()); return nil })
		if strings.Join(lost, " ") != c.lost || err != nil {
			t.Errorf("%s: lost besides: %q, %v", name, lost, err)
		}
	}
}

// TestManyFoldersMislead: what entries mislead from is found in any number of folders.
func TestManyFoldersMislead(t *testing.T) {
	const folders = 60
	b := newRB(400, 4096, 1024, 64+2*folders)
	var entries [][]byte
	for i := range folders {
		n := uint64(40 + 2*i)
		name := fmt.Sprintf("d%02d", i)
		entries = append(entries, ixEntry(MakeRef(n, 1), fnv(5, 5, name, 3, nameIsDir)))
		b.put(int(n), 1, 3, 0, b.si(0x10), b.fn(5, 5, name, 3, nameIsDir), b.ixRoot(ixEntry(MakeRef(0, 1), fnv(n, 1, "file", 3, 0))))
		b.put(int(n+1), 1, 1, 0, b.si(0x20), b.fn(n, 1, "file", 3, 0), b.res(TypeData, "", 0, []byte(name)))
	}
	block := b.alloc(4, indexBlock(16<<10, 0, entries...))
	b.put(RecordRoot, 5, 3, 0, append([][]byte{b.si(0x16), b.fn(5, 5, ".", 3, nameIsDir)}, b.overBlocks(16<<10, 1, block)...)...)
	v := b.open(t)
	for i := range folders {
		name := fmt.Sprintf("d%02d", i)
		dir, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := dir.Dir()
		e, err := d.Lookup("file")
		if err != nil || followed(v, &e) != name {
			t.Errorf("%s: %v", name, err)
		}
		if names := listing(d); !slices.Equal(names, []string{"file", "!"}) {
			t.Errorf("%s: %q", name, names)
		}
	}
}
