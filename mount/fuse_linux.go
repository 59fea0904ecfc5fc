package mount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vitrine/volume"
)

// valid is how long the kernel may trust what it was told. Images never change.
const valid = 24 * time.Hour

// blockSize is the size of reads that suits the files.
const blockSize = 4096

// driver answers the kernel's requests from a tree. Node ids are the tree's
// own numbers, so that it has nothing to remember but open files.
//
// Interrupts are not passed on: programs with timers expect a disk's reads to
// be uninterruptible. Requests end when the mount does, through ctx.
type driver struct {
	fuse.RawFileSystem
	tree volume.FileSystem
	opts Options
	ctx  context.Context

	uid, gid  uint32
	file, dir uint32 // permission bits
	open      handles
	listings  listings
	complaints
}

func newDriver(ctx context.Context, t volume.FileSystem, o Options) *driver {
	return &driver{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		tree:          t, opts: o, ctx: ctx,
		uid: o.uid(), gid: o.gid(),
		file: 0o777 &^ uint32(o.fileMask()), dir: 0o777 &^ uint32(o.dirMask()),
	}
}

func (d *driver) String() string { return fsSubtype }

// errnos says how Linux calls the classes of errors.
var errnos = map[class]fuse.Status{
	classIO:          fuse.EIO,
	classNotExist:    fuse.ENOENT,
	classNotDir:      fuse.ENOTDIR,
	classIsDir:       fuse.EISDIR,
	classPermission:  fuse.EACCES,
	classInvalid:     fuse.EINVAL,
	classUnsupported: fuse.Status(syscall.EOPNOTSUPP),
	classEncrypted:   fuse.EACCES,
	classNotCaptured: fuse.ENODATA,
	classCanceled:    fuse.EINTR,
	classTimeout:     fuse.Status(syscall.ETIMEDOUT),
}

// status tells an error to the kernel, and to the log what the kernel cannot
// be told.
func (d *driver) status(op string, id uint64, err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	return errnos[d.class(&d.opts, op, id, err)]
}

// Lookup also remembers what is not there.
func (d *driver) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	a, err := d.tree.Lookup(d.ctx, volume.ID(h.NodeId), name)
	if errors.Is(err, fs.ErrNotExist) && d.opts.Streams == StreamsColon && strings.Contains(name, ":") {
		a, err = d.lookupStream(volume.ID(h.NodeId), name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		out.SetEntryTimeout(valid) // no node: the name does not exist
		return fuse.OK
	}
	if err != nil {
		return d.status("lookup", h.NodeId, err)
	}
	d.entry(&a, out)
	return fuse.OK
}

func (d *driver) lookupStream(dir volume.ID, name string) (volume.Attr, error) {
	if t, ok := d.tree.(interface {
		LookupStream(context.Context, volume.ID, string) (volume.Attr, error)
	}); ok {
		return t.LookupStream(d.ctx, dir, name)
	}
	return volume.Attr{}, fs.ErrNotExist
}

func (d *driver) entry(a *volume.Attr, out *fuse.EntryOut) {
	out.NodeId, out.Generation = uint64(a.ID), uint64(a.Gen)
	out.SetEntryTimeout(valid)
	out.SetAttrTimeout(valid)
	d.attr(a, &out.Attr)
}

func (d *driver) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	a, err := d.tree.Attr(d.ctx, volume.ID(in.NodeId))
	if err != nil {
		return d.status("attributes", in.NodeId, err)
	}
	out.SetTimeout(valid)
	d.attr(&a, &out.Attr)
	return fuse.OK
}

// modes are the kinds of objects as Linux has them.
var modes = [...]uint32{
	volume.Dir: unix.S_IFDIR, volume.File: unix.S_IFREG, volume.Symlink: unix.S_IFLNK,
	volume.Fifo: unix.S_IFIFO, volume.Socket: unix.S_IFSOCK, volume.CharDev: unix.S_IFCHR,
	volume.BlockDev: unix.S_IFBLK,
}

// typeOf is the kind's mode; what is none of them is a file.
func typeOf(k volume.Kind) uint32 {
	if int(k) < len(modes) && modes[k] != 0 {
		return modes[k]
	}
	return unix.S_IFREG
}

func (d *driver) mode(a *volume.Attr) uint32 {
	switch {
	case a.Kind == volume.Symlink:
		return unix.S_IFLNK | 0o777
	case a.HasPOSIX:
		return typeOf(a.Kind) | uint32(a.Perm)&0o7777
	case a.Kind == volume.Dir:
		return unix.S_IFDIR | d.dir
	}
	return typeOf(a.Kind) | d.file
}

func (d *driver) owner(a *volume.Attr) (uid, gid uint32) {
	uid, gid = d.uid, d.gid
	if a.HasPOSIX && !d.opts.SetUID {
		uid = a.UID
	}
	if a.HasPOSIX && !d.opts.SetGID {
		gid = a.GID
	}
	return uid, gid
}

func (d *driver) attr(a *volume.Attr, out *fuse.Attr) {
	out.Ino, out.Size, out.Blocks = uint64(a.ID), uint64(max(0, a.Size)), blocks(a)
	out.Mode, out.Nlink = d.mode(a), max(1, a.Links)
	out.Uid, out.Gid = d.owner(a)
	out.Rdev = encodeDev(a.Rdev)
	out.Blksize = blockSize
	out.Atime, out.Atimensec = seconds(a.AccessTime)
	out.Mtime, out.Mtimensec = seconds(a.ModTime)
	out.Ctime, out.Ctimensec = seconds(a.ChangeTime)
}

// encodeDev packs a device number as the FUSE protocol does.
func encodeDev(dev uint64) uint32 {
	major, minor := unix.Major(dev), unix.Minor(dev)
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// seconds splits a time; one that is not recorded shows as 1970.
func seconds(t time.Time) (sec uint64, nsec uint32) {
	if t.IsZero() {
		return 0, 0
	}
	return uint64(t.Unix()), uint32(t.Nanosecond())
}

// Statx adds the birth time.
func (d *driver) Statx(_ <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	a, err := d.tree.Attr(d.ctx, volume.ID(in.NodeId))
	if err != nil {
		return d.status("attributes", in.NodeId, err)
	}
	var plain fuse.Attr
	d.attr(&a, &plain)
	out.SetTimeout(valid)
	out.Statx = statx(&plain)
	out.RdevMajor, out.RdevMinor = unix.Major(a.Rdev), unix.Minor(a.Rdev)
	if !a.BirthTime.IsZero() {
		out.Mask |= unix.STATX_BTIME
		out.Btime.Sec, out.Btime.Nsec = seconds(a.BirthTime)
	}
	return fuse.OK
}

func statx(a *fuse.Attr) fuse.Statx {
	return fuse.Statx{
		Mask: unix.STATX_BASIC_STATS, Blksize: a.Blksize, Nlink: a.Nlink,
		Uid: a.Uid, Gid: a.Gid, Mode: uint16(a.Mode), Ino: a.Ino, Size: a.Size, Blocks: a.Blocks,
		Atime: fuse.SxTime{Sec: a.Atime, Nsec: a.Atimensec},
		Mtime: fuse.SxTime{Sec: a.Mtime, Nsec: a.Mtimensec},
		Ctime: fuse.SxTime{Sec: a.Ctime, Nsec: a.Ctimensec},
	}
}

func (d *driver) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	target, err := d.tree.ReadLink(d.ctx, volume.ID(h.NodeId))
	if err != nil {
		return nil, d.status("link", h.NodeId, err)
	}
	if len(target) >= unix.PathMax {
		return nil, fuse.Status(syscall.ENAMETOOLONG)
	}
	return []byte(target), fuse.OK
}

// OpenDir is not wanted: the kernel then caches folders by itself.
func (d *driver) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	return fuse.ENOSYS
}

func (d *driver) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return d.list(in, false, func(e *volume.Entry) bool {
		return out.AddDirEntry(dirEntry(e))
	})
}

func (d *driver) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return d.list(in, true, func(e *volume.Entry) bool {
		node := out.AddDirLookupEntry(dirEntry(e))
		if node != nil && e.Attr != nil {
			d.entry(e.Attr, node)
		}
		return node != nil
	})
}

// dots is how many entries the driver itself puts before those of the tree.
const dots = 2

// list yields "." and "..", then the tree's entries. The kernel's offset 1 is
// behind ".", 2 behind "..", and above that the tree's cookie plus two.
func (d *driver) list(in *fuse.ReadIn, attrs bool, yield func(*volume.Entry) bool) fuse.Status {
	id := volume.ID(in.NodeId)
	for i := in.Offset; i < dots; i++ {
		e := volume.Entry{Name: "..."[:i+1], Cookie: i + 1 - dots, ID: id, Kind: volume.Dir}
		if !yield(&e) {
			return fuse.OK
		}
	}
	after := uint64(0)
	if in.Offset > dots {
		after = in.Offset - dots
	}
	if in.Offset == 0 {
		d.listings.follow(d.ctx, d.tree, id, attrs)
	}
	entries := d.listings.take(id, after, attrs)
	if entries == nil {
		var err error
		entries, err = d.listings.readPiece(d.ctx, d.tree, id, after, attrs)
		if err != nil && (len(entries) > 0 || after > 0) {
			err = d.listed(&d.opts, d.pathOf(id), err)
		}
		if len(entries) == 0 { // an error behind entries comes again
			return d.status("list", in.NodeId, err)
		}
	}
	for i := range entries {
		if !yield(&entries[i]) {
			d.listings.put(&listing{dir: id, after: after, attrs: attrs, entries: entries[i:]})
			break
		}
		after = entries[i].Cookie
	}
	return fuse.OK
}

// pathOf names a folder for the log.
func (d *driver) pathOf(id volume.ID) string {
	if p, ok := d.tree.(volume.Paths); ok {
		if path, err := p.Path(d.ctx, id); err == nil {
			return path
		}
	}
	return fmt.Sprintf("number %d", id)
}

func dirEntry(e *volume.Entry) fuse.DirEntry {
	return fuse.DirEntry{Name: e.Name, Ino: uint64(e.ID), Mode: typeOf(e.Kind), Off: e.Cookie + dots}
}

// changing are the flags with which a file is opened to be changed.
const changing = unix.O_WRONLY | unix.O_RDWR | unix.O_TRUNC | unix.O_APPEND | unix.O_CREAT

func (d *driver) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.Flags&changing != 0 {
		return fuse.EROFS
	}
	f, err := d.tree.Open(d.ctx, volume.ID(in.NodeId))
	if err != nil {
		return d.status("open", in.NodeId, err)
	}
	out.Fh = d.open.keep(f)
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH
	return fuse.OK
}

func (d *driver) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { d.open.close(in.Fh) }

func (d *driver) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f := d.open.get(in.Fh)
	if f == nil {
		return nil, fuse.EBADF
	}
	n, err := readWhole(d.ctx, f, buf, int64(in.Offset))
	if err != nil {
		return nil, d.status("read", in.NodeId, err)
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Lseek finds data and holes.
func (d *driver) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	f := d.open.get(in.Fh)
	if f == nil {
		return fuse.EBADF
	}
	wantHole := in.Whence == unix.SEEK_HOLE
	if !wantHole && in.Whence != unix.SEEK_DATA {
		return fuse.EINVAL
	}
	off, size := int64(in.Offset), f.Size()
	if off < 0 || off >= size {
		return fuse.Status(syscall.ENXIO)
	}
	at, err := seek(d.ctx, f, off, size, wantHole)
	if err != nil {
		return d.status("seek", in.NodeId, err)
	}
	if at >= size && !wantHole {
		return fuse.Status(syscall.ENXIO)
	}
	out.Offset = uint64(min(at, size))
	return fuse.OK
}

func (d *driver) StatFs(_ <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	s, err := d.statfs(volume.ID(h.NodeId))
	if err != nil {
		return d.status("space", h.NodeId, err)
	}
	out.Blocks, out.Bfree, out.Bavail = s.Blocks, s.Free, s.Free
	out.Files, out.Ffree = s.Files, s.FreeFiles
	out.Bsize, out.Frsize = uint32(s.BlockSize), uint32(s.BlockSize)
	out.NameLen = uint32(s.NameMax)
	return fuse.OK
}

func (d *driver) statfs(id volume.ID) (volume.StatFS, error) {
	if t, ok := d.tree.(interface {
		StatFSAt(context.Context, volume.ID) (volume.StatFS, error)
	}); ok {
		return t.StatFSAt(d.ctx, id)
	}
	return d.tree.StatFS(d.ctx)
}

// Access and Flush are not wanted: the kernel then does not ask again.
func (d *driver) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }
func (d *driver) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status   { return fuse.ENOSYS }

func (d *driver) OnUnmount() {
	d.listings.ahead.Wait()
	d.open.closeAll()
}
