package mounttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vitrine/volume"
)

// Comparison says what is compared.
type Comparison struct {
	Skip func(path string) bool // what is not looked at, with all beneath
	Fast bool                   // no contents, no extended attributes
}

// Compare walks ref and checks that folder dir, a mount of it, shows the same:
// names, numbers, kinds, sizes, times, links, contents, streams.
func Compare(t *testing.T, ref volume.FileSystem, dir string, o Comparison) {
	t.Helper()
	c := &comparer{t: t, ref: ref, Comparison: o, seen: map[volume.ID]bool{}}
	if c.Skip == nil {
		c.Skip = func(string) bool { return false }
	}
	a, err := ref.Attr(t.Context(), ref.Root())
	if err != nil {
		t.Fatal(err)
	}
	c.object(dir, &a)
	c.folder(dir, "", ref.Root())
	if c.count == 0 {
		t.Error("nothing to compare")
	}
	t.Logf("compared %d objects", c.count)
}

type comparer struct {
	Comparison
	t     *testing.T
	ref   volume.FileSystem
	count int
	seen  map[volume.ID]bool
}

func (c *comparer) folder(dir, rel string, id volume.ID) {
	var want []string
	var entries []volume.Entry
	err := c.ref.ReadDir(c.t.Context(), id, 0, true, func(e *volume.Entry) bool {
		want = append(want, e.Name)
		entries = append(entries, *e)
		return true
	})
	if err != nil {
		c.t.Errorf("%s: reference: %v", rel, err)
		return
	}
	c.listing(dir, want)
	for _, e := range entries {
		if p := rel + "/" + e.Name; !c.Skip(p) {
			c.entry(dir+"/"+e.Name, p, &e)
		}
	}
}

func (c *comparer) listing(dir string, want []string) {
	f, err := os.Open(dir)
	if err != nil {
		c.t.Errorf("%v", err)
		return
	}
	defer f.Close()
	got, err := f.Readdirnames(-1)
	if err != nil {
		c.t.Errorf("%s: %v", dir, err)
	}
	want = slices.Clone(want)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		c.t.Errorf("%s: lists %d names, want %d:\n%.2000q\n%.2000q", dir, len(got), len(want), got, want)
	}
}

func (c *comparer) entry(path, rel string, e *volume.Entry) {
	c.count++
	if e.Attr == nil {
		c.t.Errorf("%s: no attributes: %v", rel, e.Err)
		return
	}
	c.object(path, e.Attr)
	switch {
	case e.Kind == volume.Symlink:
		c.symlink(path, e.ID)
	case e.Kind == volume.Dir && !c.seen[e.ID]:
		c.seen[e.ID] = true
		c.folder(path, rel, e.ID)
		c.xattrs(path, e.ID)
	case e.Kind == volume.File && !c.Fast:
		c.contents(path, e.ID)
		c.xattrs(path, e.ID)
	}
}

var kinds = map[volume.Kind]uint32{
	volume.Dir: unix.S_IFDIR, volume.File: unix.S_IFREG, volume.Symlink: unix.S_IFLNK, volume.Other: unix.S_IFREG,
	volume.Fifo: unix.S_IFIFO, volume.Socket: unix.S_IFSOCK, volume.CharDev: unix.S_IFCHR, volume.BlockDev: unix.S_IFBLK,
}

// object compares the attributes that every object has.
func (c *comparer) object(path string, attr *volume.Attr) {
	copied := *attr
	a := &copied
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_ALL, &st); err != nil {
		c.t.Errorf("%s: %v", path, err)
		return
	}
	c.same(path, "inode", st.Ino, uint64(a.ID))
	c.same(path, "kind", uint64(st.Mode)&unix.S_IFMT, uint64(kinds[a.Kind]))
	c.same(path, "size", st.Size, uint64(a.Size))
	c.same(path, "links", uint64(st.Nlink), uint64(a.Links))
	wantBlocks := uint64(a.Alloc+511) / 512
	if a.Kind == volume.File && a.Size > 0 {
		wantBlocks = max(1, wantBlocks) // GNU tar -S reads no file without any
	}
	c.same(path, "blocks", st.Blocks, wantBlocks)
	c.sameTime(path, "modified", st.Mtime, a.ModTime)
	c.sameTime(path, "accessed", st.Atime, a.AccessTime)
	c.sameTime(path, "changed", st.Ctime, a.ChangeTime)
	if Driver() == "cgofuse" { // libfuse 2 cannot pass birth times on
		a.BirthTime = time.Time{}
	}
	c.same(path, "has birth time", uint64(st.Mask&unix.STATX_BTIME)/unix.STATX_BTIME, b2u(!a.BirthTime.IsZero()))
	c.sameTime(path, "born", st.Btime, a.BirthTime)
	if a.HasPOSIX {
		c.same(path, "mode", uint64(st.Mode)&0o7777, uint64(a.Perm))
		c.same(path, "uid", uint64(st.Uid), uint64(a.UID))
		c.same(path, "gid", uint64(st.Gid), uint64(a.GID))
	}
	if a.Kind == volume.CharDev || a.Kind == volume.BlockDev {
		c.same(path, "device", unix.Mkdev(st.Rdev_major, st.Rdev_minor), a.Rdev)
	}
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (c *comparer) same(path, what string, got, want uint64) {
	if got != want {
		c.t.Errorf("%s: %s is %#x, want %#x", path, what, got, want)
	}
}

func (c *comparer) sameTime(path, what string, got unix.StatxTimestamp, want time.Time) {
	if want.IsZero() {
		want = time.Unix(0, 0)
	}
	if at := time.Unix(got.Sec, int64(got.Nsec)); !at.Equal(want) {
		c.t.Errorf("%s: %s at %v, want %v", path, what, at.UTC(), want)
	}
}

func (c *comparer) symlink(path string, id volume.ID) {
	want, err := c.ref.ReadLink(c.t.Context(), id)
	if err != nil {
		c.t.Errorf("%s: reference: %v", path, err)
	}
	if got, err := os.Readlink(path); got != want || err != nil {
		c.t.Errorf("%s: leads to %q (%v), want %q", path, got, err, want)
	}
}

func (c *comparer) contents(path string, id volume.ID) {
	f, err := os.Open(path)
	if err != nil {
		c.t.Errorf("%v", err)
		return
	}
	defer f.Close()
	w, err := c.ref.Open(c.t.Context(), id)
	if err != nil {
		c.t.Errorf("%s: reference: %v", path, err)
		return
	}
	defer w.Close()
	if at, err := firstDifference(f, reader{c.t.Context(), w}); at >= 0 || err != nil {
		c.t.Errorf("%s: contents differ at %d (%v)", path, at, err)
	}
	if s, ok := w.(volume.Sparse); ok && w.Size() > 0 && Driver() != "cgofuse" { // nor holes
		c.holes(path, f, s, w.Size())
	}
}

// reader reads an open file from its beginning.
type reader struct {
	ctx context.Context
	f   volume.OpenFile
}

func (r reader) ReadAt(p []byte, off int64) (int, error) { return r.f.ReadAt(r.ctx, p, off) }

// firstDifference compares two files to their ends; -1 when they are the same.
func firstDifference(got io.Reader, ref reader) (int64, error) {
	want := io.NewSectionReader(ref, 0, ref.f.Size())
	a, b := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(got, a)
		m, werr := io.ReadFull(want, b)
		if !bytes.Equal(a[:n], b[:m]) {
			return at, errors.Join(err, werr)
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return -1, nil
		}
		if err != nil || werr != nil {
			return at, errors.Join(err, werr)
		}
	}
}

// holes compares what SEEK_HOLE and SEEK_DATA say.
func (c *comparer) holes(path string, f *os.File, s volume.Sparse, size int64) {
	for off := int64(0); off < size; {
		end, hole, err := s.NextExtent(c.t.Context(), off)
		if err != nil || end <= off {
			c.t.Errorf("%s: reference extent at %d: %d, %v", path, off, end, err)
			return
		}
		want, whence := off, unix.SEEK_DATA
		if hole {
			whence = unix.SEEK_HOLE
		}
		if got, err := unix.Seek(int(f.Fd()), off, whence); got != want || err != nil {
			c.t.Errorf("%s: seek %d from %d: %d (%v), hole is %v", path, whence, off, got, err, hole)
			return
		}
		off = end
	}
}

// xattrs compares the listed attributes; streams must be among them.
func (c *comparer) xattrs(path string, id volume.ID) {
	if c.Fast {
		return
	}
	var want []string
	if s, ok := c.ref.(volume.Streams); ok {
		list, err := s.Streams(c.t.Context(), id)
		if err != nil {
			c.t.Errorf("%s: reference: %v", path, err)
		}
		for _, s := range list {
			if s.Size <= 64<<10 && len("user."+s.Name) <= 255 {
				want = append(want, "user."+s.Name)
			}
		}
	}
	got, err := ListXattr(path)
	if err != nil {
		c.t.Errorf("%s: list of extended attributes: %v", path, err)
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			c.t.Errorf("%s: extended attribute %q is missing in %q", path, name, got)
		}
	}
	for _, name := range got {
		if _, err := GetXattr(path, name); err != nil {
			c.t.Errorf("%s: extended attribute %q: %v", path, name, err)
		}
	}
}

// ListXattr lists the extended attributes of a file.
func ListXattr(path string) ([]string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 }), nil
}

// GetXattr reads an extended attribute of a file.
func GetXattr(path, name string) ([]byte, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(path, name, buf)
	if err != nil {
		return nil, &fs.PathError{Op: "getxattr " + name, Path: path, Err: err}
	}
	return buf[:n], nil
}
