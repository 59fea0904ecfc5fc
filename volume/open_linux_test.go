package volume

import (
	"errors"
	"io"
	"os"
	"testing"
)

// gappy fails to read some of a volume.
type gappy struct {
	r    io.ReaderAt
	gaps []Extent
}

var errGap = errors.New("bad sector")

func (g gappy) ReadAt(p []byte, off int64) (int, error) {
	for _, e := range g.gaps {
		if off < e.Off+e.Len && e.Off < off+int64(len(p)) {
			return 0, errGap
		}
	}
	return g.r.ReadAt(p, off)
}

// TestOpenUnreadable: what cannot be read is not said to be something unknown;
// an unreadable boot sector is made good by its backup.
func TestOpenUnreadable(t *testing.T) {
	const size = 8 << 20
	img := func(args ...string) string {
		path := blank(t, size)
		tool(t, "", args[0], append(args[1:], path)...)
		return path
	}
	ntfs, ext := img("mkntfs", "-qfF", "-s", "512"), img("mkfs.ext4", "-q")
	zeros := blank(t, size)
	for _, c := range []struct {
		name, path string
		gaps       []Extent
		want       error
	}{
		{"sound", ntfs, nil, nil},
		{"boot sector", ntfs, []Extent{{0, 512}}, nil},
		{"head", ntfs, []Extent{{0, 4096}}, nil},
		{"all", ntfs, []Extent{{0, size}}, errGap},
		{"all but the boot sector", ntfs, []Extent{{512, size}}, errGap},
		{"both boot sectors", ntfs, []Extent{{0, 512}, {size - 512, 512}}, errGap},
		{"nothing", zeros, nil, ErrUnsupported},
		{"nothing, unreadable head", zeros, []Extent{{0, 512}}, errGap},
		{"another", ext, nil, ErrUnsupported},
		{"another, unreadable end", ext, []Extent{{size - 4096, 4096}}, ErrUnsupported},
	} {
		f, err := os.Open(c.path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := gappy{f, c.gaps}
		if _, err := OpenFS(r, size); !errors.Is(err, c.want) {
			t.Errorf("%s: OpenFS: %v, want %v", c.name, err, c.want)
		}
		if _, err := OpenUsed(r, size); !errors.Is(err, c.want) {
			t.Errorf("%s: OpenUsed: %v, want %v", c.name, err, c.want)
		}
	}
}
