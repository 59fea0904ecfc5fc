package ntfsparse

import (
	"io/fs"
	"testing"
)

func TestInterixKinds(t *testing.T) {
	for _, c := range []struct {
		data  string
		attrs uint32
		want  fs.FileMode
	}{
		{"", WinSystem, fs.ModeNamedPipe}, {"\x00", WinSystem, fs.ModeSocket}, {"x", WinSystem, 0}, {"\x00\x00", WinSystem, 0},
		{"", WinSystem | WinHidden, 0}, {"\x00", WinSystem | WinHidden, 0}, {"", 0, 0}, {"\x00", 0, 0},
	} {
		in := Info{resident: true, Size: int64(len(c.data)), data: []byte(c.data), StandardInfo: StandardInfo{Attributes: c.attrs}}
		if got := in.Mode(); got != c.want {
			t.Errorf("%q with attributes %#x: %v, want %v", c.data, c.attrs, got, c.want)
		}
	}
}
