//go:build !linux

package attach

import "fmt"

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
