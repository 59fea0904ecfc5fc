//go:build !windows

package attach

// Allowed is nil: here, [Attach] finds out by itself.
func Allowed() error { return nil }
