//go:build !windows && !linux

package device

import "context"

// freeze: there is no snapshot to be had here yet.
func (d *Device) freeze(_ context.Context, o SourceOptions) error {
	if o.Snapshot != SnapshotAuto {
		return refuse(d.info.Path, ErrUnsupported, "there are no snapshots on this system")
	}
	return nil
}
