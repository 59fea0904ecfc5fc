package ntfsparse

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// FS shows the volume as an [fs.FS], with the volume's own files left out of
// the root and links not followed. It also is an fs.ReadDirFS, fs.StatFS,
// fs.ReadLinkFS; open files are io.ReaderAt and io.Seeker. Names that are not
// valid UTF-16, which fs.FS cannot express, have their lone surrogates
// replaced by characters of the last private-use plane, U+100000 above them.
func (v *Volume) FS() fs.FS { return volumeFS{v} }

type volumeFS struct{ v *Volume }

var (
	_ fs.ReadDirFS  = volumeFS{}
	_ fs.StatFS     = volumeFS{}
	_ fs.ReadLinkFS = volumeFS{}
)

// A lone surrogate becomes the character with its number in the last plane;
// those characters themselves, and the mark, are written behind the mark.
const (
	surrogatePlane = 0x100000
	surrogateMark  = surrogatePlane + 0xE000
)

// fsName makes a name valid UTF-8, fsUnname undoes it.
func fsName(s string) string {
	if !strings.Contains(s, "\xED") && !strings.Contains(s, "\xF4") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		c, n := decodeWTF8(s)
		if c >= 0xD800 && c <= 0xDFFF {
			c += surrogatePlane
		} else if c >= surrogatePlane+0xD800 && c <= surrogateMark {
			b.WriteRune(surrogateMark)
		}
		b.WriteRune(c)
		s = s[n:]
	}
	return b.String()
}

func fsUnname(s string) string {
	if !strings.Contains(s, "\xF4") {
		return s
	}
	var b []byte
	marked := false
	for _, c := range s {
		switch {
		case c == surrogateMark && !marked:
			marked = true
			continue
		case c >= surrogatePlane+0xD800 && c < surrogateMark && !marked:
			b = appendName(b, le.AppendUint16(nil, uint16(c-surrogatePlane)))
		default:
			b = utf8.AppendRune(b, c)
		}
		marked = false
	}
	return string(b)
}

func (s volumeFS) file(op, name string) (*File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	f, err := s.v.lookupExact(name)
	if errors.Is(err, ErrNotDir) || errors.Is(err, ErrDeleted) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return f, nil
}

// lookupExact follows a path of names as they are spelled.
func (v *Volume) lookupExact(name string) (*File, error) {
	f, err := v.Root()
	if name == "." || err != nil {
		return f, err
	}
	for part := range strings.SplitSeq(name, "/") {
		d, err := f.Dir()
		if err != nil {
			return nil, err
		}
		e, err := d.Lookup(fsUnname(part))
		if err != nil {
			return nil, err
		}
		if f, err = v.Follow(&e); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Open opens a file or folder.
func (s volumeFS) Open(name string) (fs.File, error) {
	f, err := s.file("open", name)
	if err != nil {
		return nil, err
	}
	info := newFileInfo(path.Base(name), f)
	if info.IsDir() {
		return &openDir{info: info, f: f}, nil
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return &openLink{info}, nil
	}
	data, err := f.Open()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{io.NewSectionReader(data, 0, data.Size()), info}, nil
}

// Stat and Lstat are the same, since links are not followed.
func (s volumeFS) Stat(name string) (fs.FileInfo, error) { return s.Lstat(name) }

// Lstat describes a file or folder.
func (s volumeFS) Lstat(name string) (fs.FileInfo, error) {
	f, err := s.file("stat", name)
	if err != nil {
		return nil, err
	}
	return newFileInfo(path.Base(name), f), nil
}

// ReadLink gives the target of a link.
func (s volumeFS) ReadLink(name string) (string, error) {
	f, err := s.file("readlink", name)
	if err != nil {
		return "", err
	}
	in := f.Info()
	target, err := in.LinkTarget()
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

// ReadDir lists a folder, sorted by name.
func (s volumeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := s.file("readdir", name)
	if err != nil {
		return nil, err
	}
	list, err := f.listNames()
	if err != nil {
		err = &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return list, err
}

// listNames reads the folder's names; those that lead nowhere are left out and
// end up in the error.
func (f *File) listNames() ([]fs.DirEntry, error) {
	d, err := f.Dir()
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	var bad error
	d.Read(0, func(e DirEntry, err error) bool {
		if err == nil && !f.v.IsMetafile(&e) {
			var child *File
			if child, err = f.v.Follow(&e); err == nil {
				list = append(list, fs.FileInfoToDirEntry(newFileInfo(fsName(e.Name()), child)))
			}
		}
		if bad == nil {
			bad = err
		}
		return true
	})
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, bad
}

// fileInfo is an fs.FileInfo over Info, which Sys gives.
type fileInfo struct {
	name string
	in   Info
}

func newFileInfo(name string, f *File) *fileInfo { return &fileInfo{name, f.Info()} }

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return i.in.Size }
func (i *fileInfo) ModTime() time.Time { return i.in.Modified.Time() }
func (i *fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *fileInfo) Sys() any           { return &i.in }

// Mode has the permissions that WSL stored, or readable for all.
func (i *fileInfo) Mode() fs.FileMode {
	m := i.in.Mode() | 0o444
	if m.IsDir() {
		m |= 0o111
	}
	if p, _ := i.in.POSIX(); p.HasMod {
		m = m.Type() | fs.FileMode(p.Mode&0o777)
	}
	return m
}

// openFile is an open file.
type openFile struct {
	*io.SectionReader
	info *fileInfo
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *openFile) Close() error               { return nil }

// openLink is an open link, which has no contents to read.
type openLink struct{ info *fileInfo }

func (o *openLink) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *openLink) Close() error               { return nil }

func (o *openLink) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.info.name, Err: fs.ErrInvalid}
}

// openDir is an open folder.
type openDir struct {
	info   *fileInfo
	f      *File
	rest   []fs.DirEntry
	listed bool
}

func (o *openDir) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *openDir) Close() error               { return nil }

func (o *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.info.name, Err: ErrIsDir}
}

// ReadDir lists the next n names, or with n <= 0 all.
func (o *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	var err error
	if !o.listed {
		o.rest, err = o.f.listNames()
		o.listed = true
	}
	take := len(o.rest)
	if n > 0 {
		take = min(n, take)
	}
	out := o.rest[:take]
	o.rest = o.rest[take:]
	if n > 0 && len(out) == 0 && err == nil {
		err = io.EOF
	}
	return out, err
}
