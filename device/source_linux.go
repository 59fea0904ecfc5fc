package device

import (
	"context"
	"errors"
	"fmt"
)

// freeze reads a logical volume in use from a snapshot of it. Of all else there
// is none to be had: --snapshot auto reads it as it is.
func (d *Device) freeze(ctx context.Context, o SourceOptions) error {
	return d.freezeWith(ctx, o, live, runLVM)
}

func (d *Device) freezeWith(ctx context.Context, o SourceOptions, s system, lvm lvmTool) error {
	if o.Snapshot == SnapshotVSS {
		return refuse(d.info.Path, ErrUnsupported, "shadow copies are Windows' own")
	}
	must := o.Snapshot == SnapshotLVM
	dev, err := devOf(d.info.Path)
	if err != nil || !s.onLVM(dev) {
		if must {
			return refuse(d.info.Path, ErrNoSnapshot, "is no logical volume of LVM")
		}
		return nil
	}
	if _, rw := s.inUse(dev); !rw && !must {
		return nil
	}
	snap, err := newLVMSnapshot(ctx, lvm, s.dev, d.info.Path)
	switch {
	case err == nil:
	case must || !errors.Is(err, ErrNoSnapshot):
		return fmt.Errorf("%s: %w", d.info.Path, err)
	default:
		d.remarks = append(d.remarks, err.Error())
		return nil
	}
	d.frozen = true
	d.remarks = append(d.remarks, fmt.Sprintf("it was read from an LVM snapshot of %s", snap.of.full()))
	return d.parts.add(part{0, d.info.Size, snap, snap.Close})
}
