package cli

import (
	"context"

	"vitrine/blockdev"
	"vitrine/blockdev/vdisk"
	"vitrine/mount"
)

// deviceFile shows a device as a raw file.
type deviceFile struct{ blockdev.Device }

// ReadAt reads with a context, as mounts need it.
func (d deviceFile) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return d.ReadAtContext(ctx, p, off)
}

// addFormats shows the first disk as virtual machines' programs want it: a fixed
// VHD, and a VMDK with its flat extent. A disk too large for a VHD has none.
func (s *shelf) addFormats(t *mount.Tree) error {
	if s.first.Size() <= vdisk.MaxVHD {
		vhd, err := vdisk.VHD(s.first, s.seed)
		if err != nil {
			return err
		}
		if err := t.AddRaw("disk.vhd", deviceFile{vhd}); err != nil {
			return err
		}
	}
	vmdk, err := vdisk.VMDK(s.first, "disk.raw", s.seed)
	if err != nil {
		return err
	}
	if err := t.AddRaw("disk.vmdk", deviceFile{blockdev.Bytes{B: vmdk}}); err != nil {
		return err
	}
	return t.AddRaw("disk.raw", deviceFile{vdisk.Flat(s.first)})
}
