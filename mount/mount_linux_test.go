package mount_test

import (
	"testing"

	"vitrine/mount"
	"vitrine/mount/mounttest"
	"vitrine/volume"
)

func TestMain(m *testing.M) {
	mounttest.Main(m, map[string]mounttest.Server{
		"sample": func() (volume.FileSystem, mount.Options) { return sampleTree(), mount.Options{} },
	})
}

// must is for what cannot fail in a test.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func sampleTree() *mount.Tree {
	t := mount.NewTree()
	must(t.AddVolume("", mounttest.Sample()))
	return t
}

func bad(path string) bool { return path == "/bad" }

func TestSample(t *testing.T) {
	c := mounttest.Serve(t, "sample")
	mounttest.Compare(t, sampleTree(), c.Dir, mounttest.Comparison{Skip: bad})
	mounttest.ReadOnly(t, c.Dir, "streams/file", "empty")
}
