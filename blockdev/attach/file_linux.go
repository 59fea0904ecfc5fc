package attach

import (
	"context"
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vitrine/blockdev"
)

const fileNode = 2 // the node of the one file; 1 is the folder

// forever is how long the kernel may trust what it was told, in seconds: the
// file never grows and nobody else writes to it.
const forever = 1 << 30

// fileFS is a FUSE file system of one file, whose contents are a device's.
type fileFS struct {
	fuse.RawFileSystem
	name string
	dev  blockdev.Device
	rw   blockdev.Writable // nil: read-only
	ctx  context.Context
	log  func(string)
}

func newFileFS(ctx context.Context, dev blockdev.Device, o *DiskOptions) *fileFS {
	f := &fileFS{RawFileSystem: fuse.NewDefaultRawFileSystem(), name: o.name(), dev: dev, ctx: ctx, log: o.log}
	f.rw, _ = dev.(blockdev.Writable)
	return f
}

// status tells an error to the kernel, and in words to the log.
func (f *fileFS) status(what string, err error) fuse.Status {
	switch {
	case err == nil:
		return fuse.OK
	case errors.Is(err, blockdev.ErrNoSpace):
		f.log(what + ": " + err.Error())
		return fuse.Status(syscall.ENOSPC)
	case errors.Is(err, blockdev.ErrReadOnly):
		return fuse.EROFS
	case errors.Is(err, blockdev.ErrRange):
		return fuse.EINVAL
	}
	f.log(what + ": " + err.Error())
	return fuse.EIO
}

func (f *fileFS) attr(node uint64, a *fuse.Attr) {
	*a = fuse.Attr{Ino: node, Nlink: 1, Mode: unix.S_IFDIR | 0o500, Blksize: 4096}
	if node != fileNode {
		return
	}
	a.Mode = unix.S_IFREG | 0o400
	if f.rw != nil {
		a.Mode |= 0o200
	}
	a.Size = uint64(f.dev.Size())
	a.Blocks = a.Size / 512
}

// Lookup finds the file.
func (f *fileFS) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if h.NodeId != fuse.FUSE_ROOT_ID || name != f.name {
		return fuse.ENOENT
	}
	out.NodeId, out.AttrValid, out.EntryValid = fileNode, forever, forever
	f.attr(fileNode, &out.Attr)
	return fuse.OK
}

// GetAttr describes the folder or the file.
func (f *fileFS) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.AttrValid = forever
	f.attr(in.NodeId, &out.Attr)
	return fuse.OK
}

// SetAttr lets times pass and nothing else.
func (f *fileFS) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.Valid&(fuse.FATTR_SIZE|fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID) != 0 {
		return fuse.EPERM
	}
	out.AttrValid = forever
	f.attr(in.NodeId, &out.Attr)
	return fuse.OK
}

// Open opens the file.
func (f *fileFS) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.rw == nil && in.Flags&(unix.O_WRONLY|unix.O_RDWR) != 0 {
		return fuse.EROFS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH
	return fuse.OK
}

// Read reads from the device.
func (f *fileFS) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	off, size := int64(in.Offset), f.dev.Size()
	if off < 0 || off >= size {
		return fuse.ReadResultData(nil), fuse.OK
	}
	buf = buf[:min(int64(len(buf)), size-off)]
	if err := blockdev.ReadFull(f.ctx, f.dev, buf, off); err != nil {
		return nil, f.status("read", err)
	}
	return fuse.ReadResultData(buf), fuse.OK
}

// Write writes to the device.
func (f *fileFS) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	off := int64(in.Offset)
	if f.rw == nil {
		return 0, fuse.EROFS
	}
	if err := blockdev.Check(off, int64(len(data)), f.dev.Size()); err != nil {
		return 0, fuse.Status(syscall.EFBIG)
	}
	n, err := f.rw.WriteAtContext(f.ctx, data, off)
	return uint32(n), f.status("write", err)
}

// Fallocate is how a loop device discards and zeroes.
func (f *fileFS) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	hole := in.Mode&unix.FALLOC_FL_PUNCH_HOLE != 0
	if !hole && in.Mode&unix.FALLOC_FL_ZERO_RANGE == 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	off, n := int64(in.Offset), int64(in.Length)
	if f.rw == nil {
		return fuse.EROFS
	}
	if err := blockdev.Check(off, n, f.dev.Size()); err != nil {
		return fuse.EINVAL
	}
	return f.status("discard", f.rw.ZeroRange(f.ctx, off, n, hole))
}

// Fsync flushes the device.
func (f *fileFS) Fsync(<-chan struct{}, *fuse.FsyncIn) fuse.Status {
	if f.rw == nil {
		return fuse.OK
	}
	return f.status("flush", f.rw.Flush(f.ctx))
}

// StatFs has nothing to tell.
func (f *fileFS) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	out.Bsize, out.NameLen = 4096, 255
	return fuse.OK
}

// Access and Flush are not wanted: the kernel then does not ask again.
func (f *fileFS) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// Flush is called at each close; there is nothing to do.
func (f *fileFS) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }
