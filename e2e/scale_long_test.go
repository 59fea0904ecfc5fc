//go:build long

package e2e

import (
	"os"
	"path/filepath"
)

// VITRINE_E2E_TREES names other folders than /usr and Go's, separated by ':'.
var scale = scaleOf{points: 11, small: 100_000, volume: 10 << 30, trees: trees("/usr:/usr/local/go")}

func trees(list string) []string {
	if v := os.Getenv("VITRINE_E2E_TREES"); v != "" {
		list = v
	}
	return filepath.SplitList(list)
}
