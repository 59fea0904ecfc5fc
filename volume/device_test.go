package volume

import "testing"

// TestDevice: what Linux packs is taken apart, large numbers, too.
func TestDevice(t *testing.T) {
	for _, n := range [][2]uint32{{8, 1}, {0, 0}, {0xFFF, 0xFF}, {0x12345678, 0x9ABCDEF0}, {1<<32 - 1, 1<<32 - 1}} {
		a := Attr{Rdev: makedev(n[0], n[1])}
		if major, minor := a.Device(); [2]uint32{major, minor} != n {
			t.Errorf("%v becomes %d:%d", n, major, minor)
		}
	}
}
