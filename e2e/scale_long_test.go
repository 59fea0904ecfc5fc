//go:build long

package e2e

var scale = scaleOf{points: 11, small: 100_000, volume: 8 << 30, trees: []string{"/usr", "/usr/local/go"}}
