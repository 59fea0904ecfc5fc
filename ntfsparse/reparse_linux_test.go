package ntfsparse_test

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// TestReparseOutsideRecord: a reparse point that does not fit into its record is
// none the less seen.
func TestReparseOutsideRecord(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	target := strings.Repeat("a-long-name/", 150) + "end"
	testvol.With(t, img, func(dir string) {
		os.WriteFile(filepath.Join(dir, "link"), nil, 0o644)
		long := strings.ReplaceAll(target, "/", "\\")
		testvol.Reparse(t, filepath.Join(dir, "link"), ntfsparse.TagSymlink, testvol.LinkData(long, long, true, 1))
	})
	v := open(t, img)
	f, err := v.Lookup("link")
	if err != nil {
		t.Fatal(err)
	}
	in := f.Info()
	if got, err := in.LinkTarget(); in.Tag != ntfsparse.TagSymlink || in.Mode() != fs.ModeSymlink || got != target || err != nil {
		t.Errorf("tag %#x, mode %v, target %.30q of %d, %v", in.Tag, in.Mode(), got, len(got), err)
	}
	err = v.Walk(t.Context(), func(e *ntfsparse.WalkEntry) error {
		if e.Path == "/link" && e.Info.Tag != ntfsparse.TagSymlink {
			t.Errorf("the walk sees tag %#x", e.Info.Tag)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFirstWSL: the first WSL kept the kind of a file in an EA, and where a link
// points in its contents.
func TestFirstWSL(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	long := strings.Repeat("a-long-name/", 150) + "end"
	files := map[string]struct {
		mode uint32
		data string
		kind fs.FileMode
	}{
		"file": {0o100755, "plain", 0}, "link": {0o120777, "../etc/x", fs.ModeSymlink}, "long": {0o120777, long, fs.ModeSymlink},
		"pipe": {0o010644, "", fs.ModeNamedPipe}, "sock": {0o140755, "", fs.ModeSocket}, "tty": {0o020620, "", fs.ModeDevice | fs.ModeCharDevice}, "disk": {0o060660, "", fs.ModeDevice},
	}
	testvol.With(t, img, func(dir string) {
		for name, f := range files {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(f.data), 0o644); err != nil {
				t.Fatal(err)
			}
			attr := make([]byte, 56)
			attr[2] = 1
			binary.LittleEndian.PutUint32(attr[4:], f.mode)
			binary.LittleEndian.PutUint32(attr[16:], 37<<20|13)
			testvol.EAs(t, path, []string{"LXATTRB"}, map[string][]byte{"LXATTRB": attr})
		}
	})
	v := open(t, img)
	for name, want := range files {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		in := f.Info()
		if in.Mode() != want.kind {
			t.Errorf("%s: %v, want %v", name, in.Mode(), want.kind)
		}
		target, err := in.LinkTarget()
		if link := want.kind == fs.ModeSymlink; link != (err == nil) || link && target != want.data {
			t.Errorf("%s: leads to %.30q, %v", name, target, err)
		}
		if ma, mi, _ := in.Device(); want.kind&fs.ModeDevice != 0 && (ma != 37 || mi != 13) {
			t.Errorf("%s: device %d, %d", name, ma, mi)
		}
	}
}

// TestNFS: what NFS servers and Linux' SMB client keep in reparse points.
func TestNFS(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	kinds := map[string]struct {
		data string
		mode fs.FileMode
	}{
		"link": {"LNK\x01\x00\x00\x00\x00.\x00.\x00/\x00t\x00\xe9\x00", fs.ModeSymlink},
		"tty":  {"CHR\x00\x00\x00\x00\x00\x04\x00\x00\x00\x40\x00\x00\x00", fs.ModeDevice | fs.ModeCharDevice},
		"disk": {"BLK\x00\x00\x00\x00\x00\x08\x00\x00\x00\x11\x00\x00\x00", fs.ModeDevice},
		"pipe": {"FIFO\x00\x00\x00\x00", fs.ModeNamedPipe}, "sock": {"SOCK\x00\x00\x00\x00", fs.ModeSocket},
		"new": {"NEW\x00\x00\x00\x00\x00", 0}, "cut": {"CHR\x00\x00\x00\x00\x00\x04\x00", 0}, "empty": {"", 0},
	}
	testvol.With(t, img, func(dir string) {
		for name, k := range kinds {
			os.WriteFile(filepath.Join(dir, name), nil, 0o644)
			testvol.Reparse(t, filepath.Join(dir, name), ntfsparse.TagNFS, []byte(k.data))
		}
	})
	v := open(t, img)
	for name, k := range kinds {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		in := f.Info()
		if in.Mode() != k.mode {
			t.Errorf("%s is %v, not %v", name, in.Mode(), k.mode)
		}
		target, err := in.LinkTarget()
		if is := k.mode == fs.ModeSymlink; is != (err == nil) || is && target != "../té" {
			t.Errorf("%s leads to %q, %v", name, target, err)
		}
		major, minor, _ := in.Device()
		if want := map[string][2]uint32{"tty": {4, 64}, "disk": {8, 17}}[name]; want != [2]uint32{major, minor} {
			t.Errorf("%s is device %d %d", name, major, minor)
		}
	}
	root, err := v.Root()
	if err != nil {
		t.Fatal(err)
	}
	d, err := root.Dir()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "empty"} {
		if e, err := d.Lookup(name); err != nil || e.Mode() != fs.ModeIrregular {
			t.Errorf("the entry of %s: %v, %v", name, e.Mode(), err)
		}
	}
}
