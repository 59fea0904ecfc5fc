//go:build !linux

package decomp

import "testing"

func reportCPU(_ *testing.B, _ int, run func()) { run() }
