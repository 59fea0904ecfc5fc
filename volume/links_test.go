package volume

import (
	"testing"

	"vitrine/ntfsparse"
)

func TestPlaceOf(t *testing.T) {
	const wsl = ntfsparse.TagLXSymlink
	for _, c := range []struct {
		target string
		tag    uint32
		dir    string
		path   string
		place  LinkPlace
	}{
		{"a/b", 0, "/d", "a/b", LinkFolder},
		{"../a", wsl, "/d", "../a", LinkFolder},
		{"/a/b", 0, "/d", "/a/b", LinkRoot},
		{"C:/a", 0, "/d", "/a", LinkDrive},
		{"D:", 0, "/d", "/", LinkDrive},
		{"C:a", 0, "/d", "C:a", LinkFolder}, // a stream, or a name of Linux
		{"Volume{0}/a", 0, "/d", "Volume{0}/a", LinkFolder},
		{"//srv/share/a", ntfsparse.TagSymlink, "/d", "//srv/share/a", LinkAway},
		{"/home/a", wsl, "/d", "/home/a", LinkAway},
		{"//home/a", wsl, "/d", "/home/a", LinkAway},
		{"/mnt/c", wsl, "/d", "/", LinkDrive},
		{"/mnt/d/a/b", wsl, "/d", "/a/b", LinkDrive},
		{"/mnt/disk", wsl, "/d", "/mnt/disk", LinkAway},
		{"/mnt/", wsl, "/d", "/mnt", LinkAway},
		{"/bin/sh", wsl, "/lxss/rootfs/usr/bin", "/lxss/rootfs/bin/sh", LinkRoot},
		{"/bin/sh", wsl, "/rootfs", "/rootfs/bin/sh", LinkRoot},
		{"/bin/sh", wsl, "/my rootfs", "/bin/sh", LinkAway},
	} {
		if p, place := PlaceOf(c.target, c.tag, c.dir); p != c.path || place != c.place {
			t.Errorf("%s in %s: %s, %d; want %s, %d", c.target, c.dir, p, place, c.path, c.place)
		}
	}
}
