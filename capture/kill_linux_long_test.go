//go:build linux && long

package capture

import "testing"

func TestKillOften(t *testing.T) { kill(t, 200, 22) }
