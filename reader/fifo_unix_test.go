//go:build unix

package reader

import (
	"syscall"
	"testing"
)

func fifo(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o644)) }
