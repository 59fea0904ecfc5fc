package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLostFolders: where the records of folders are damaged, everything else is
// found on the device, in its image and in a mount, and the damage is told.
func TestLostFolders(t *testing.T) {
	img := makeVolume(t, 64<<20)
	var want tree
	ntfs3g(t, img, "rw", func(dir string) {
		for _, d := range []string{"docs/sub", "many", "gone", "sound", "short", "up/lone"} {
			os.MkdirAll(filepath.Join(dir, d), 0o755)
		}
		for i := range 1500 { // more than is copied at once
			write(t, filepath.Join(dir, "many", fmt.Sprintf("a file of many, number %d", i)), fmt.Append(nil, i))
		}
		for _, name := range []string{"docs/one", "docs/sub/two", "gone/three", "sound/four", "short/five", "up/lone/six"} {
			write(t, filepath.Join(dir, name), []byte(name))
		}
		want = treeOf(t, dir)
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	gone, lone := 0, 0
	for at := 0; at < len(b); at += 1024 {
		r := b[at : at+1024]
		for _, name := range []string{"docs", "many", "gone", "short", "up", "lone"} {
			if string(r[:4]) != "FILE" || r[0x16]&2 == 0 || !bytes.Contains(r[:0x180], utf16Name(name)) {
				continue
			}
			switch name {
			case "short", "up":
				removeOnlyEntry(r)
			case "gone":
				gone = int(binary.LittleEndian.Uint32(r[0x2C:]))
				r[0x16] &^= 1 // as a folder that was deleted
			case "lone": // and nothing leads to it
				lone = int(binary.LittleEndian.Uint32(r[0x2C:]))
				r[0x16] &^= 1
			default:
				clear(r)
			}
			break
		}
	}
	write(t, img, b)
	lost := fmt.Sprintf("$Orphan-%d/six", lone)
	orphans := fmt.Sprintf("/$Orphan-%d", gone)
	files := map[string]string{} // path → contents
	for name, o := range want {
		if o.Mode.IsRegular() {
			files[strings.Replace(name, "up/lone/six", lost, 1)] = o.Sum
		}
	}
	if len(files) != 1506 || gone == 0 || lone == 0 {
		t.Fatalf("%d files, records %d and %d", len(files), gone, lone)
	}

	whole := func(what, dir string) {
		t.Helper()
		got := map[string]string{}
		for name, o := range treeOf(t, dir) {
			if o.Mode.IsRegular() {
				got[name] = o.Sum
			}
		}
		if !maps.Equal(got, files) {
			t.Errorf("%s: %d files of %d", what, len(got), len(files))
		}
	}
	read := func(what string, device ...string) {
		t.Helper()
		args := func(cmd string, paths ...string) []string {
			if len(device) == 0 {
				for i := range paths {
					paths[i] = what + ":" + paths[i]
				}
				return append([]string{cmd}, paths...)
			}
			return append(append([]string{cmd}, device...), paths...)
		}
		out, errs, code := try(args("find", "/")...)
		lines := strings.Split(out, "\n")
		for name := range files {
			if !slices.Contains(lines, "/"+name) {
				t.Fatalf("%s: find does not tell %s", what, name)
			}
		}
		for _, s := range []string{"/docs:", "/many:", "/gone:"} {
			if code != 3 || !strings.Contains(errs, s) {
				t.Errorf("%s: find exits with %d and says %s", what, code, errs)
			}
		}
		short := t.TempDir()
		if _, errs, code := try(append(args("cp", "/short/FIVE"), short)...); code != 0 || !strings.Contains(errs, "note: /short/five") {
			t.Errorf("%s: cp of what no folder lists exits with %d and says %s", what, code, errs)
		}
		if _, errs, code := try(args("cat", "/short/FOUR")...); code != 1 || !strings.Contains(errs, "not in the image") {
			t.Errorf("%s: cat of nothing exits with %d and says %s", what, code, errs)
		}
		dir := t.TempDir()
		_, errs, code = try(append(args("cp", "/"), dir)...)
		if code != 3 || !strings.Contains(errs, "/gone") || !strings.Contains(errs, "/docs") || !strings.Contains(errs, "note: /short/five") {
			t.Errorf("%s: cp exits with %d and says %s", what, code, errs)
		}
		whole(what, dir)
		if got := treeOf(t, dir)["short"]; got.Mtime != want["short"].Mtime {
			t.Errorf("%s: time of a folder that was opened again: %v, not %v", what, got.Mtime, want["short"].Mtime)
		}
		if got := vitrine(t, args("cat", "/docs/sub/two", orphans+"/three")...); got != "docs/sub/twogone/three" {
			t.Errorf("%s: cat tells %q", what, got)
		}
	}
	read(img, "--device", img)
	set := t.TempDir()
	vitrine(t, "capture", img, "-o", set)
	read(set)
	mounted(t, set, nil, func(dir string) {
		copied := t.TempDir()
		sh(t, "cp", "-r", filepath.Join(dir, "docs"), filepath.Join(dir, "many"), filepath.Join(dir, "sound"), filepath.Join(dir, "gone"), copied)
		for _, name := range []string{"short/five", lost} { // a mount lists what folders list
			delete(files, name)
		}
		whole("mount", copied)
	})
}

// removeOnlyEntry takes the name out of the index of a folder that has one.
func removeOnlyEntry(r []byte) {
	node := r[bytes.Index(r, []byte("$\x00I\x003\x000\x00"))+8+16:]
	entry := node[16:]
	n := binary.LittleEndian.Uint16(entry[8:])
	copy(entry, entry[n:n+16]) // the entry that ends the list
	binary.LittleEndian.PutUint32(node[4:], 16+16)
}

// utf16Name is a name as $FILE_NAME has it, with its length and the name space
// that ntfs-3g gives it.
func utf16Name(s string) []byte {
	b := []byte{byte(len(s)), 0}
	for _, c := range s {
		b = append(b, byte(c), 0)
	}
	return b
}
