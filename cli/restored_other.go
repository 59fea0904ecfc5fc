//go:build !windows

package cli

import (
	"context"

	"vitrine/device"
	"vitrine/restore"
)

// settle has nothing to do here.
func (e *env) settle(context.Context, *restore.Plan, *device.Target) {}
