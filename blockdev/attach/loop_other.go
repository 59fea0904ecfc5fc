//go:build !linux

package attach

import (
	"context"
	"fmt"

	"vitrine/blockdev"
)

// LoopDevice is an attached loop device: Linux only.
type LoopDevice struct{}

var errAbsent = fmt.Errorf("%w: loop devices are Linux's", ErrUnavailable)

// Loop fails: loop devices are Linux's.
func Loop(string, LoopOptions) (*LoopDevice, error) { return nil, errAbsent }

// Path is never called: there is no device.
func (*LoopDevice) Path() string { return "" }

// Partitions fails.
func (*LoopDevice) Partitions() ([]string, error) { return nil, errAbsent }

// Detach fails.
func (*LoopDevice) Detach() error { return errAbsent }

// Close fails.
func (*LoopDevice) Close() error { return errAbsent }

// Attached finds none.
func Attached() ([]Device, error) { return nil, nil }

// User finds none.
func User(string) string { return "" }

// Partitions finds none.
func Partitions(string) ([]string, error) { return nil, errAbsent }

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
