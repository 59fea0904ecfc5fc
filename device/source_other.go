//go:build !windows

package device

import "context"

// freeze: there is no snapshot to be had here yet.
func (d *Device) freeze(_ context.Context, o SourceOptions) error {
	if o.Snapshot == SnapshotVSS {
		return refuse(d.info.Path, ErrUnsupported, "shadow copies are Windows' own")
	}
	return nil
}
