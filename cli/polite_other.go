//go:build !linux && !windows

package cli

// bePolite does nothing here.
func bePolite() {}
