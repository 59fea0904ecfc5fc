package ntfsparse_test

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"vitrine/internal/testvol"
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
