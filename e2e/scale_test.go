//go:build !long

package e2e

// scale is how large the volumes of these tests are.
var scale = scaleOf{points: 3, small: 1500, volume: 384 << 20}
