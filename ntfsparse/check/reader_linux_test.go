package check

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"testing"

	"vitrine/ntfsparse"
)

// readVolume reads all files through the reader: path → contents; and whether it
// said that anything is wrong.
func readVolume(b []byte) (files map[string]string, told bool) {
	files = map[string]string{}
	v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return files, true
	}
	var read func(path string, f *ntfsparse.File)
	read = func(path string, f *ntfsparse.File) {
		told = told || f.Damage() != nil
		for _, s := range f.Streams() {
			_, err := f.Stream(s.Name)
			told = told || err != nil
		}
		if !f.IsDir() {
			sum := crc32.NewIEEE()
			s, err := f.Open()
			if err == nil {
				_, err = io.Copy(sum, io.NewSectionReader(s, 0, s.Size()))
			}
			if files[path] = fmt.Sprint(sum.Sum32(), len(f.Streams())); err != nil {
				told = true
			}
			return
		}
		files[path] = "folder"
		d, err := f.Dir()
		if err != nil {
			told = true
			return
		}
		d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
			if err != nil || path == "" && e.Ref.Record() < ntfsparse.FirstUser {
				told = told || err != nil
				return true
			}
			c, err := v.FileRef(e.Ref)
			if err != nil || len(path) > 500 {
				told = true
				return true
			}
			read(path+"/"+e.Name(), c)
			return true
		})
	}
	if root, err := v.Root(); err == nil {
		read("", root)
	}
	return files, told || len(v.Notes()) > 0
}

// TestReaderOnMutations: with each kind of damage the reader gives every file as
// it was, or says that something is wrong; only what it cannot know by looking at
// one folder and its files is left.
func TestReaderOnMutations(t *testing.T) {
	good := soundVolume(t)
	want, told := readVolume(good.b)
	if told || len(want) < 450 {
		t.Fatalf("%d files of the sound volume, wrong: %v", len(want), told)
	}
	unknowable := map[string]bool{"unknown type": true, "two files share clusters": true, "index entry doubled": true,
		"entry with another name": true, "entry leads to another file": true, "entry gone": true,
		"list with stream names out of order": true} // which adds streams, and all are read
	for _, m := range mutations {
		v := good.copyOf(t)
		m.do(v)
		if got, told := readVolume(v.b); !told && !maps.Equal(got, want) && !unknowable[m.name] {
			t.Errorf("%s: %d files of %d, and nothing said", m.name, len(got), len(want))
		}
	}
}

// TestLookUpInDisorder: a name that is listed is found, also where the tree is out
// of order.
func TestLookUpInDisorder(t *testing.T) {
	for _, m := range mutations {
		if m.name != "index entries swapped" && m.name != "child block reached twice" {
			continue
		}
		good := soundVolume(t).copyOf(t)
		m.do(good)
		v, err := ntfsparse.Open(bytes.NewReader(good.b), int64(len(good.b)))
		if err != nil {
			t.Fatal(err)
		}
		f, err := v.Lookup("many")
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Dir()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
			n++
			if _, ferr := d.Lookup(e.Name()); err != nil || ferr != nil {
				t.Errorf("%s: %s: %v, %v", m.name, e.Name(), err, ferr)
			}
			return true
		})
		if _, err := d.LookupFold("absent"); err == nil || n != 400 {
			t.Errorf("%s: %d names, absent: %v", m.name, n, err)
		}
	}
}
