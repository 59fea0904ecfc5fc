//go:build !windows

package attach

// Guard fails: nothing here takes a guard.
func Guard([]string) error { return ErrUnavailable }
