//go:build long

package reader

import "testing"

func TestEveryFlippedByte(t *testing.T) { flipEvery(t, 1) }
