package ntfsparse_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

func TestFS(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) {
		testvol.Rich(t, dir)
		for _, name := range []string{"huge hole", "sparse50", "striped", "comp/text", "comp/pieces", "comp/random"} { // read byte by byte below
			os.Remove(filepath.Join(dir, name))
		}
		testvol.Fill(t, filepath.Join(dir, "filled"), 20, 3)
	})
	v := open(t, img)
	if err := fstest.TestFS(v.FS(), "names/日本語", "comp/exact", "filled/dir0", "links/hl0"); err != nil {
		t.Error(err)
	}
	for name, seeks := range map[string]bool{".": false, "names": false, "reparse/symlink": false, "comp/exact": true} {
		f, err := v.FS().Open(name)
		if err != nil {
			t.Fatal(err)
		}
		_, seeker := f.(io.Seeker)
		_, at := f.(io.ReaderAt)
		if seeker != seeks || at != seeks {
			t.Errorf("%s: seeks %v, reads anywhere %v", name, seeker, at)
		}
	}
	target, err := fs.ReadLink(v.FS(), "reparse/symlink")
	if target != "../names/lower" || err != nil {
		t.Errorf("symlink to %q, %v", target, err)
	}
}

// TestXattrs compares what ntfs-3g gives as extended attributes.
func TestXattrs(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20})
	testvol.With(t, img, func(dir string) {
		testvol.Rich(t, dir)
		if err := os.Chmod(filepath.Join(dir, "meta/ea"), 0o640); err != nil {
			t.Fatal(err)
		}
	}, testvol.DefaultMount+",permissions")
	v := open(t, img)
	names := []string{"system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_attrib_be", "system.ntfs_times", "system.ntfs_crtime_be",
		"system.ntfs_reparse_data", "system.ntfs_object_id", "system.ntfs_ea", "system.ntfs_dos_name"}
	testvol.With(t, img, func(dir string) {
		for _, p := range []string{"meta/hidden", "meta/ea", "meta/objid", "meta", "reparse/symlink", "reparse/lx symlink", "names/LongFileName.document", "comp/text", "links/hl0"} {
			f, err := v.Lookup(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				buf := make([]byte, 65536)
				n, werr := lgetxattr(filepath.Join(dir, p), name, buf)
				got, gerr := f.Xattr(name)
				if (werr == nil) != (gerr == nil) || werr == nil && !bytes.Equal(got, buf[:n]) {
					t.Errorf("%s %s:\n got %s %v\nwant %s %v", p, name, hex.EncodeToString(got), gerr, hex.EncodeToString(buf[:max(n, 0)]), werr)
				}
			}
		}
	}, "ro,permissions")
}

func lgetxattr(path, name string, buf []byte) (int, error) {
	out, err := exec.Command("getfattr", "-h", "-e", "hex", "--only-values", "--absolute-names", "-n", name, path).Output()
	if err != nil && strings.Contains(err.Error(), "executable file not found") {
		return syscall.Getxattr(path, name, buf)
	}
	return copy(buf, out), err
}

// TestFSOddNames: names that are no UTF-16, or that no path can hold, are told
// apart, looked up as they are listed, and turned back into what they were.
func TestFSOddNames(t *testing.T) {
	odd := [][]uint16{{0xD800}, {'a', 0xDC00, 'b'}, {0xDC00, 0xD800}, {0xDBFF, 0xD800, 0xDC00}, {'.'}, {'.', '.'}, {'x', '/', 'y'}, {'a', 0, 'b'},
		{0xDBFF, 0xDF2F}, {0xDBFF, 0xDF5C}, {0xDBFF, 0xDF5C, '/'}, {0xDBF6, 0xDC00}, {0xDBF8, 0xDC00}, {0xDBF8, 0xDC00, 0xD800}, {0xFFFD}, {0xFFFF}, {0xFEFF, 'a'}}
	img := testvol.Make(t, testvol.Options{})
	placeholder := func(i int) string { return strings.Repeat(string(rune(0x4E00+i)), len(odd[i])) }
	testvol.With(t, img, func(dir string) {
		for i := range odd {
			sub := filepath.Join(dir, fmt.Sprint(i))
			os.Mkdir(sub, 0o755)
			if err := os.WriteFile(filepath.Join(sub, placeholder(i)), []byte{byte(i)}, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	for i, units := range odd {
		name := []byte{}
		for _, u := range units {
			name = binary.LittleEndian.AppendUint16(name, u)
		}
		for _, path := range []string{fmt.Sprint(i), fmt.Sprint(i) + "/" + placeholder(i)} {
			f, err := v.Lookup(path)
			if err != nil {
				t.Fatal(err)
			}
			r := recordIn(v, b, f.Ref().Record())
			old := ntfsparse.EncodeName(placeholder(i))
			at := 0x38
			for at < len(r) && (int(r[at-2]) != len(units) || !bytes.HasPrefix(r[at:], old)) { // two bytes may be those of a time
				at++
			}
			if at == len(r) {
				t.Fatalf("no name in the record of %s", path)
			}
			copy(r[at:], name)
		}
		v := openBytes(t, b)
		list, err := fs.ReadDir(v.FS(), fmt.Sprint(i))
		if err != nil || len(list) != 1 {
			t.Fatalf("%x: %v, %v", units, list, err)
		}
		path := fmt.Sprint(i) + "/" + list[0].Name()
		got, err := fs.ReadFile(v.FS(), path)
		if err != nil || len(got) != 1 || got[0] != byte(i) || !fs.ValidPath(path) {
			t.Errorf("%x: %q is %v, %v", units, path, got, err)
		}
		f, err := v.Lookup(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		d, _ := f.Dir()
		d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
			if err != nil || !bytes.Equal(ntfsparse.EncodeName(e.Name()), name) {
				t.Errorf("%x: %q, %v", units, e.Name(), err)
			}
			if g, err := v.Lookup(fmt.Sprint(i) + "/" + e.Name()); err != nil || g.Ref() != e.Ref {
				t.Errorf("%x: looked up: %v", units, err)
			}
			return true
		})
	}
	if err := fstest.TestFS(openBytes(t, b).FS(), "0"); err != nil {
		t.Error(err)
	}
}
