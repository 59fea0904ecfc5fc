//go:build linux

package testvol

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"
)

// Node is what a tree says about one name.
type Node struct {
	Mode   fs.FileMode // type bits only
	Size   int64       // of files
	MTime  time.Time   // in UTC
	Links  uint64      // of files
	Sum    string      // SHA-256 of a file's contents, hexadecimal
	Target string      // of links
}

// String shows a node on one line, for comparisons.
func (n Node) String() string {
	return fmt.Sprintf("%v size=%d mtime=%v links=%d %s %s", n.Mode, n.Size, n.MTime, n.Links, n.Sum, n.Target)
}

// Record reads a whole tree: path from its root ('/' separated, no leading
// '/'; the root is ".") to node.
func Record(t testing.TB, dir string) map[string]Node {
	t.Helper()
	tree := map[string]Node{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		tree[filepath.ToSlash(rel)], err = node(path, d)
		return err
	})
	if err != nil {
		t.Fatalf("record %s: %v", dir, err)
	}
	return tree
}

func node(path string, d fs.DirEntry) (Node, error) {
	info, err := d.Info()
	if err != nil {
		return Node{}, err
	}
	n := Node{Mode: info.Mode().Type(), MTime: info.ModTime().UTC()}
	switch {
	case n.Mode.IsRegular():
		n.Size = info.Size()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n.Links = uint64(st.Nlink)
		}
		n.Sum, err = Sum(path)
	case n.Mode&fs.ModeSymlink != 0:
		n.Target, err = os.Readlink(path)
	}
	return n, err
}

// Sum is the SHA-256 of a file's contents in hexadecimal.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// Diff reports how two trees differ, at most 20 names; ok rows are not shown.
func Diff(want, got map[string]Node) []string {
	var out []string
	for _, p := range sortedKeys(want, got) {
		w, inW := want[p]
		g, inG := got[p]
		switch {
		case !inG:
			out = append(out, fmt.Sprintf("%s: missing, want %v", p, w))
		case !inW:
			out = append(out, fmt.Sprintf("%s: not expected, got %v", p, g))
		case w != g:
			out = append(out, fmt.Sprintf("%s:\n\twant %v\n\tgot  %v", p, w, g))
		}
	}
	if len(out) > 20 {
		out = append(out[:20], fmt.Sprintf("and %d more", len(out)-20))
	}
	return out
}

func sortedKeys(a, b map[string]Node) []string {
	var keys []string
	for p := range a {
		keys = append(keys, p)
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			keys = append(keys, p)
		}
	}
	sort.Strings(keys)
	return keys
}
