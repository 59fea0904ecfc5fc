//go:build !linux

package direct

import (
	"errors"
	"os"
)

// Suits reports that no file takes direct I/O here.
func Suits(*os.File, int) bool { return false }

// Open opens nothing here.
func Open(*os.File, int) (*os.File, error) { return nil, errors.ErrUnsupported }
