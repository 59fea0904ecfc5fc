// Package image is the bridge from package reader to package blockdev: a disk
// or partition of a point as a [blockdev.Device].
//
//	dev := image.Device(point.Disks()[0].View)
//	cow, err := overlay.Open(path, dev, image.ID(point.Tail().Root, "disk"), overlay.Options{})
package image

import (
	"context"
	"crypto/sha256"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
	"vitrine/index"
	"vitrine/reader"
)

// Device returns the view as a read-only device.
func Device(v *reader.View) blockdev.Device { return device{v} }

type device struct{ *reader.View }

// kinds translates what the map of a point says.
var kinds = [...]blockdev.Kind{
	index.Hole:        blockdev.Hole,
	index.Data:        blockdev.Data,
	index.Zero:        blockdev.Zero,
	index.NotCaptured: blockdev.NotCaptured,
	index.Unreadable:  blockdev.Unreadable,
}

// Extents yields what the point's map says of the range.
func (d device) Extents(ctx context.Context, off, n int64, yield func(off, n int64, k blockdev.Kind) bool) error {
	if err := blockdev.Check(off, n, d.Size()); err != nil {
		return err
	}
	return d.View.Extents(ctx, off, n, func(e reader.Extent) bool {
		return yield(e.Off, e.Len, kinds[e.Kind])
	})
}

// ID names what an overlay lies over: the point, by its root, and which of its
// disks or partitions, by a name of the caller's.
func ID(root index.Hash, what string) overlay.ID {
	return sha256.Sum256(append(root[:], what...))
}
