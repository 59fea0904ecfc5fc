//go:build windows || cgofuse

package mount

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	fuse "vitrine/internal/cgofuse"

	"vitrine/volume"
)

// pathDriver answers requests that name files by their paths, as cgofuse makes
// them: on Windows over WinFsp, and for tests on Linux over libfuse. Where
// Windows differs, it follows what the system's own NTFS would show.
type pathDriver struct {
	tree    *Tree
	opts    Options
	ctx     context.Context
	windows bool

	uid, gid uint32
	open     handles
	complaints
	known  pathCache
	inited func() // called when the system has connected
}

func newPathDriver(ctx context.Context, t *Tree, o Options) *pathDriver {
	return &pathDriver{
		tree: t, opts: o, ctx: ctx, windows: runtime.GOOS == "windows",
		uid: o.uid(), gid: o.gid(), inited: func() {},
	}
}

// pathErrnos says how FUSE calls the classes of errors.
var pathErrnos = map[class]int{
	classIO:          fuse.EIO,
	classNotExist:    fuse.ENOENT,
	classNotDir:      fuse.ENOTDIR,
	classIsDir:       fuse.EISDIR,
	classPermission:  fuse.EACCES,
	classInvalid:     fuse.EINVAL,
	classUnsupported: fuse.EOPNOTSUPP,
	classEncrypted:   fuse.EACCES,
	classNotCaptured: fuse.ENODATA,
	classCanceled:    fuse.EINTR,
	classTimeout:     fuse.ETIMEDOUT,
}

func (d *pathDriver) errno(op, path string, err error) int {
	if err == nil {
		return 0
	}
	return -pathErrnos[d.class(&d.opts, op, path, err)]
}

// rescue turns a panic into an error of one request.
func (d *pathDriver) rescue(errc *int) {
	if v := recover(); v != nil {
		d.opts.log("panic: %v\n%s", v, debug.Stack())
		*errc = -fuse.EIO
	}
}

// pathCache remembers the numbers of folders and files by path. It is emptied
// when it is full.
type pathCache struct {
	mu  sync.RWMutex
	ids map[string]volume.ID
}

// maxPaths bounds the paths that are remembered.
const maxPaths = 8192

func (c *pathCache) get(p string) (volume.ID, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	id, ok := c.ids[p]
	return id, ok
}

func (c *pathCache) put(p string, id volume.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil || len(c.ids) >= maxPaths {
		c.ids = map[string]volume.ID{}
	}
	c.ids[p] = id
}

// find gives the number of the object at a path.
func (d *pathDriver) find(p string) (volume.ID, error) {
	if p == "/" {
		return d.tree.Root(), nil
	}
	if id, ok := d.known.get(p); ok {
		return id, nil
	}
	dir, name := path.Split(p)
	parent, err := d.find(path.Clean(dir))
	if err != nil {
		return 0, err
	}
	a, err := d.lookup(parent, name)
	if err != nil {
		return 0, err
	}
	d.known.put(p, a.ID)
	return a.ID, nil
}

func (d *pathDriver) lookup(dir volume.ID, name string) (volume.Attr, error) {
	a, err := d.lookupExactly(dir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if real, ok := recallSurrogates(name); ok && d.windows {
		return d.lookupExactly(dir, real)
	}
	if d.opts.Streams == StreamsColon && strings.Contains(name, ":") {
		return d.tree.LookupStream(d.ctx, dir, name)
	}
	return a, err
}

func (d *pathDriver) lookupExactly(dir volume.ID, name string) (volume.Attr, error) {
	if !d.windows {
		return d.tree.Lookup(d.ctx, dir, name)
	}
	a, _, err := d.tree.LookupFold(d.ctx, dir, name)
	return a, err
}

// Init is called when the mount is there.
func (d *pathDriver) Init() { d.inited() }

// Destroy is called when it has ended.
func (d *pathDriver) Destroy() { d.open.closeAll() }

func (d *pathDriver) Statfs(p string, out *fuse.Statfs_t) (errc int) {
	defer d.rescue(&errc)
	id, err := d.find(p)
	if err != nil {
		return d.errno("space", p, err)
	}
	s, err := d.tree.StatFSAt(d.ctx, id)
	if err != nil {
		return d.errno("space", p, err)
	}
	*out = fuse.Statfs_t{
		Bsize: uint64(s.BlockSize), Frsize: uint64(s.BlockSize), Blocks: s.Blocks, Bfree: s.Free, Bavail: s.Free,
		Files: s.Files, Ffree: s.FreeFiles, Favail: s.FreeFiles, Namemax: uint64(s.NameMax),
	}
	return 0
}

func (d *pathDriver) Getattr(p string, out *fuse.Stat_t, _ uint64) (errc int) {
	defer d.rescue(&errc)
	if link, ok := strings.CutSuffix(p, "/."); ok && link != "" {
		return d.followed(link, out)
	}
	id, err := d.find(path.Clean(p))
	if err != nil {
		return d.errno("attributes", p, err)
	}
	a, err := d.tree.Attr(d.ctx, id)
	if err != nil {
		return d.errno("attributes", p, err)
	}
	d.stat(&a, out)
	return 0
}

// followed answers the question whether a link leads to a folder: WinFsp asks
// for "link/.".
func (d *pathDriver) followed(p string, out *fuse.Stat_t) int {
	a, err := d.follow(p)
	if err == nil && a.Kind != volume.Dir {
		err = volume.ErrNotDir
	}
	if err != nil {
		return d.errno("attributes", p, err)
	}
	d.stat(&a, out)
	return 0
}

// maxLinks bounds the links that are followed one after another.
const maxLinks = 40

func (d *pathDriver) follow(p string) (a volume.Attr, err error) {
	for range maxLinks {
		id, err := d.find(path.Clean(p))
		if err != nil {
			return a, err
		}
		if a, err = d.tree.Attr(d.ctx, id); err != nil || a.Kind != volume.Symlink {
			return a, err
		}
		target, err := d.tree.ReadLink(d.ctx, id)
		if err != nil {
			return a, err
		}
		p = path.Join(path.Dir(p), target)
	}
	return a, fs.ErrNotExist
}

// leadsAway says that a link's target lies outside what is mounted: on another
// drive. WinFsp cannot show such a link.
func (d *pathDriver) leadsAway(a *volume.Attr) bool {
	if !d.windows || a.Kind != volume.Symlink {
		return false
	}
	target, err := d.tree.ReadLink(d.ctx, a.ID)
	_, drive := volume.CutDrive(target)
	return err != nil || drive || strings.HasPrefix(target, "/") || strings.HasPrefix(target, `\\`)
}

// pathModes are the kinds of objects.
var pathModes = [...]uint32{
	volume.Dir: fuse.S_IFDIR, volume.File: fuse.S_IFREG, volume.Symlink: fuse.S_IFLNK, volume.Fifo: fuse.S_IFIFO,
	volume.Socket: fuse.S_IFSOCK, volume.CharDev: fuse.S_IFCHR, volume.BlockDev: fuse.S_IFBLK,
}

// mode is kind and permissions. On Windows everything is permitted by mode, and
// refused as write-protected: a lack of permission would make Explorer offer
// to become administrator, which cannot help.
func (d *pathDriver) mode(a *volume.Attr) uint32 {
	kind := uint32(fuse.S_IFREG)
	if int(a.Kind) < len(pathModes) && pathModes[a.Kind] != 0 {
		kind = pathModes[a.Kind]
	}
	switch {
	case d.leadsAway(a):
		return fuse.S_IFDIR | 0o777 // shown as an empty folder
	case d.windows && a.Kind > volume.Symlink:
		return fuse.S_IFREG | 0o777
	case d.windows || a.Kind == volume.Symlink:
		return kind | 0o777
	case a.HasPOSIX:
		return kind | uint32(a.Perm)&0o7777
	case a.Kind == volume.Dir:
		return kind | 0o777&^uint32(d.opts.dirMask())
	}
	return kind | 0o777&^uint32(d.opts.fileMask())
}

func (d *pathDriver) stat(a *volume.Attr, out *fuse.Stat_t) {
	*out = fuse.Stat_t{
		Ino: uint64(a.ID), Mode: d.mode(a), Nlink: max(1, a.Links), Uid: d.uid, Gid: d.gid, Rdev: a.Rdev,
		Size: max(0, a.Size), Blksize: 4096, Blocks: int64(blocks(a)),
		Atim: timespec(a.AccessTime), Mtim: timespec(a.ModTime), Ctim: timespec(a.ChangeTime),
		Birthtim: timespec(a.BirthTime), Flags: flags(a.Win),
	}
	if a.HasPOSIX && !d.windows {
		out.Uid, out.Gid = a.UID, a.GID
	}
	if d.opts.SetUID {
		out.Uid = d.opts.UID
	}
	if d.opts.SetGID {
		out.Gid = d.opts.GID
	}
}

func timespec(t time.Time) fuse.Timespec {
	if t.IsZero() {
		return fuse.Timespec{}
	}
	return fuse.NewTimespec(t)
}

// Attributes of Windows [MS-FSCC 2.6] that cgofuse can pass on.
const (
	winReadOnly = 0x1
	winHidden   = 0x2
	winSystem   = 0x4
	winArchive  = 0x20
)

func flags(win uint32) (f uint32) {
	for _, x := range [...]struct{ win, flag uint32 }{
		{winReadOnly, fuse.UF_READONLY}, {winHidden, fuse.UF_HIDDEN}, {winSystem, fuse.UF_SYSTEM}, {winArchive, fuse.UF_ARCHIVE},
	} {
		if win&x.win != 0 {
			f |= x.flag
		}
	}
	return f
}

func (d *pathDriver) Readlink(p string) (errc int, target string) {
	defer d.rescue(&errc)
	id, err := d.find(p)
	if err == nil {
		target, err = d.tree.ReadLink(d.ctx, id)
	}
	if err == nil && d.windows {
		target = escapeSurrogates(target)
	}
	return d.errno("link", p, err), target
}

func (d *pathDriver) Opendir(p string) (errc int, fh uint64) {
	defer d.rescue(&errc)
	id, err := d.find(path.Clean(p))
	return d.errno("open", p, err), uint64(id)
}

// Readdir gives the whole folder at once; its handle is the folder's number.
func (d *pathDriver) Readdir(p string, fill func(name string, stat *fuse.Stat_t, off int64) bool, _ int64, fh uint64) (errc int) {
	defer d.rescue(&errc)
	id := volume.ID(fh)
	a, err := d.tree.Attr(d.ctx, id)
	if err != nil {
		return d.errno("list", p, err)
	}
	var st fuse.Stat_t
	d.stat(&a, &st)
	if !fill(".", &st, 0) || !fill("..", nil, 0) || d.leadsAway(&a) {
		return 0
	}
	some := false
	err = d.tree.ReadDir(d.ctx, id, 0, true, func(e *volume.Entry) bool {
		some = true
		return fill(d.shown(e.Name), d.entryStat(e), 0)
	})
	if err != nil && some {
		err = d.listed(&d.opts, p, err)
	}
	return d.errno("list", p, err)
}

func (d *pathDriver) shown(name string) string {
	if d.windows {
		return escapeSurrogates(name)
	}
	return name
}

func (d *pathDriver) entryStat(e *volume.Entry) *fuse.Stat_t {
	if e.Attr == nil {
		return nil
	}
	var st fuse.Stat_t
	d.stat(e.Attr, &st)
	return &st
}

func (d *pathDriver) Releasedir(string, uint64) int { return 0 }

// Getpath tells how the volume spells a path.
func (d *pathDriver) Getpath(p string, _ uint64) (errc int, real string) {
	defer d.rescue(&errc)
	id, real := d.tree.Root(), "/"
	for _, name := range split(p) {
		a, spelled, err := d.tree.LookupFold(d.ctx, id, name)
		if err != nil {
			return d.errno("path", p, err), ""
		}
		id, real = a.ID, path.Join(real, d.shown(spelled))
	}
	return 0, real
}

func (d *pathDriver) Open(p string, mode int) (errc int, fh uint64) {
	defer d.rescue(&errc)
	if mode&fuse.O_ACCMODE != fuse.O_RDONLY || mode&(fuse.O_TRUNC|fuse.O_APPEND|fuse.O_CREAT) != 0 {
		return -fuse.EROFS, noHandle
	}
	id, err := d.find(p)
	if err != nil {
		return d.errno("open", p, err), noHandle
	}
	f, err := d.tree.Open(d.ctx, id)
	if err != nil {
		return d.errno("open", p, err), noHandle
	}
	return 0, d.open.keep(f)
}

// noHandle is cgofuse's word for none.
const noHandle = ^uint64(0)

func (d *pathDriver) Read(p string, buf []byte, off int64, fh uint64) (n int) {
	defer d.rescue(&n)
	f := d.open.get(fh)
	if f == nil {
		return -fuse.EBADF
	}
	n, err := readWhole(d.ctx, f, buf, off)
	if err != nil {
		return d.errno("read", p, err)
	}
	return n
}

func (d *pathDriver) Flush(string, uint64) int          { return 0 }
func (d *pathDriver) Fsync(string, bool, uint64) int    { return 0 }
func (d *pathDriver) Fsyncdir(string, bool, uint64) int { return 0 }

func (d *pathDriver) Release(_ string, fh uint64) int {
	d.open.close(fh)
	return 0
}

func (d *pathDriver) showsStreams() bool { return d.opts.Streams != StreamsNone }

func (d *pathDriver) Listxattr(p string, fill func(name string) bool) (errc int) {
	defer d.rescue(&errc)
	id, err := d.find(p)
	if err != nil {
		return d.errno("extended attributes", p, err)
	}
	names, err := listXattrs(d.ctx, d.tree, id, d.showsStreams(), d.opts.AllXattrs)
	for _, name := range names {
		if !fill(name) {
			return -fuse.ERANGE
		}
	}
	return d.errno("extended attributes", p, err)
}

func (d *pathDriver) Getxattr(p, name string) (errc int, v []byte) {
	defer d.rescue(&errc)
	id, err := d.find(p)
	if err != nil {
		return d.errno("extended attribute", p, err), nil
	}
	v, err = readXattr(d.ctx, d.tree, id, name, d.showsStreams())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return -fuse.ENODATA, nil
	case errors.Is(err, errTooBig):
		return -fuse.E2BIG, nil
	}
	return d.errno("extended attribute", p, err), v
}
