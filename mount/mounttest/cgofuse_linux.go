//go:build cgofuse

package mounttest

import (
	"context"

	"vitrine/mount"
	"vitrine/volume"
)

func init() {
	drivers["cgofuse"] = func(ctx context.Context, t volume.FileSystem, dir string, o mount.Options) (func() error, error) {
		return mount.MountByPath(ctx, t.(*mount.Tree), dir, o)
	}
}
