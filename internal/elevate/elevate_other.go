//go:build !windows

package elevate

import "errors"

// ErrDeclined says that the user did not agree.
var ErrDeclined = errors.New("not agreed to")

// Possible is false: here, sudo does it.
func Possible() bool { return false }

// Restart fails: here, sudo does it.
func Restart([]string) (exitCode int, err error) { return 0, errors.ErrUnsupported }
