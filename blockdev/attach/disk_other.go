//go:build !linux && !windows

package attach

import (
	"context"

	"vitrine/blockdev"
)

// Attached finds none.
func Attached() ([]Device, error) { return nil, nil }

// Partitions finds none.
func Partitions(string) ([]string, error) { return nil, errAbsent }

// User finds none.
func User(string) string { return "" }

// Disk is an attached disk: Linux only.
type Disk struct{ *LoopDevice }

// Attach fails: attaching is not there yet on this system.
func Attach(blockdev.Device, DiskOptions) (*Disk, error) { return nil, errAbsent }

// Done is never called: there is no disk.
func (*Disk) Done() <-chan struct{} { return nil }

// Detach fails.
func (*Disk) Detach(context.Context) error { return errAbsent }

// Release fails.
func (*Disk) Release() error { return errAbsent }
