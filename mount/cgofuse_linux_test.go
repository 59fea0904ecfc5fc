//go:build cgofuse

package mount_test

import (
	"maps"
	"slices"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/mount/mounttest"
)

// TestPathDriver runs the suite with the driver of Windows over libfuse.
func TestPathDriver(t *testing.T) {
	t.Setenv("VITRINE_TEST_DRIVER", "cgofuse")
	for _, s := range []struct {
		name string
		test func(*testing.T)
	}{
		{"Sample", TestSample}, {"Timeline", TestTimelineMounted}, {"RemountedWritable", TestRemountedWritable},
		{"BadFiles", TestBadFiles}, {"TarSparse", TestTarSparse}, {"Streams", TestStreams}, {"StreamsByColon", TestStreamsByColon},
		{"NoStreams", TestNoStreams}, {"Owners", TestOwners}, {"Statfs", TestStatfs}, {"Raw", TestRaw},
		{"Parallel", TestParallel}, {"SeekDir", TestSeekDir}, {"NTFS", TestNTFS},
	} {
		t.Run(s.name, s.test)
	}
}

// TestPathDriverEqual mounts one volume with the driver of Windows and with the
// system's own, and compares every object: contents by their hashes, sizes, times,
// links, attributes.
func TestPathDriverEqual(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 128 << 20})
	testvol.With(t, img, func(dir string) {
		testvol.Fill(t, dir, 300, 9)
		testvol.Rich(t, dir)
	})
	t.Setenv(imageEnv, img)
	var trees []map[string]object
	for _, driver := range []string{"", "cgofuse"} {
		t.Setenv("VITRINE_TEST_DRIVER", driver)
		trees = append(trees, recordTree(mounttest.Serve(t, "ntfs").Dir))
	}
	fuse, byPath := trees[0], trees[1]
	files := 0
	for _, p := range slices.Sorted(maps.Keys(fuse)) {
		if byPath[p] != fuse[p] {
			t.Errorf("%q:\n by path %+v\n   FUSE  %+v", p, byPath[p], fuse[p])
		}
		if len(fuse[p].sum) == 64 {
			files++
		}
	}
	if len(byPath) != len(fuse) || files < 200 {
		t.Errorf("%d objects, by FUSE %d, of which %d files were read", len(byPath), len(fuse), files)
	}
}
