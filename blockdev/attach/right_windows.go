package attach

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Allowed says whether this process may attach disks. The error wraps
// [os.ErrPermission].
func Allowed() error {
	if windows.GetCurrentProcessToken().IsElevated() {
		return nil
	}
	return fmt.Errorf("disks can be attached by administrators only: %w", os.ErrPermission)
}
