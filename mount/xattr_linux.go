package mount

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"vitrine/volume"
)

func (d *driver) showsStreams() bool { return d.opts.Streams != StreamsNone }

func (d *driver) GetXAttr(_ <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	v, err := readXattr(d.ctx, d.tree, volume.ID(h.NodeId), name, d.showsStreams())
	return d.answer(h.NodeId, v, err, dest)
}

func (d *driver) ListXAttr(_ <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	names, err := listXattrs(d.ctx, d.tree, volume.ID(h.NodeId), d.showsStreams(), d.opts.AllXattrs)
	var list []byte
	for _, name := range names {
		if len(list)+len(name)+1 > maxXattrList {
			break // Linux could not tell them all
		}
		list = append(append(list, name...), 0)
	}
	return d.answer(h.NodeId, list, err, dest)
}

// answer passes on a value, or its size when the caller asked for that with
// too small a buffer.
func (d *driver) answer(id uint64, v []byte, err error, dest []byte) (uint32, fuse.Status) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fuse.ENODATA
	case errors.Is(err, errTooBig):
		return 0, fuse.Status(syscall.E2BIG)
	case err != nil:
		return 0, d.status("extended attribute", id, err)
	case len(dest) < len(v):
		return uint32(len(v)), fuse.ERANGE
	}
	copy(dest, v)
	return uint32(len(v)), fuse.OK
}
