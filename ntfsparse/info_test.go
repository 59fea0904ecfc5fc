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

// TestFarReparse: a link whose reparse point lies outside its record, and cannot be read, is
// not an empty file.
func TestFarReparse(t *testing.T) {
	point := make([]byte, 8+12+2)
	le.PutUint32(point, TagSymlink)
	le.PutUint16(point[4:], 14)
	le.PutUint16(point[8+2:], 2)
	point[8+12] = 'x'
	size := int64(len(point))
	for _, kind := range []uint16{0, FlagDirectory} {
		b := newRB(200, 4096, 1024, 64)
		lcn := b.alloc(1, point)
		b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "l", 3, WinReparse)))
		put := func(n int64) {
			rest := b.res(TypeData, "", 0, nil)
			if kind != 0 {
				rest = b.ixRoot()
			}
			b.put(30, 1, FlagInUse|kind, 0, b.si(WinReparse), b.fn(5, 5, "l", 3, WinReparse), rest,
				b.nonres(TypeReparse, "", 0, 0, 0, n-1, runs(n, lcn), n*4096, size, size))
		}
		for _, c := range []struct {
			what     string
			clusters int64
			times    int // that the disk fails
			sound    bool
			passing  bool
		}{{"sound", 1, 0, true, false}, {"unreadable", 1, -1, false, true}, {"beyond the volume", 1000, 0, false, false}} {
			put(c.clusters)
			v, disk := b.openFlaky(t)
			disk.from, disk.to, disk.times = lcn*4096, lcn*4096+4096, c.times
			f, err := v.Lookup("l")
			if err != nil {
				t.Fatal(err)
			}
			in := f.Info()
			if (in.Damage == nil) != c.sound || in.NoSize == c.sound || (in.Passing() != nil) != c.passing || (in.Mode()&fs.ModeSymlink != 0) != c.sound {
				t.Errorf("%s: %v, damage %v, size not known: %v, passing: %v", c.what, in.Mode(), in.Damage, in.NoSize, in.Passing())
			}
			v.Infos([]Ref{MakeRef(30, 1)}, func(_ int, in *Info, err error) {
				if (err != nil) != c.passing || (in.Damage == nil) != c.sound {
					t.Errorf("%s: listed with %v, damage %v", c.what, err, in.Damage)
				}
			})
			if _, err := f.Open(); kind == 0 && (err == nil) != c.sound {
				t.Errorf("%s: opened with %v", c.what, err)
			}
			mark := map[bool]string{false: "!"}[c.sound]
			wantVisits(t, c.what, v, "/", "/l"+mark)
		}
	}
}
