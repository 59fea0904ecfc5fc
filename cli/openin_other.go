//go:build !linux

package cli

import "os"

// openIn opens a folder of dir.
func openIn(dir *os.Root, name string) (*os.Root, error) { return dir.OpenRoot(name) }
