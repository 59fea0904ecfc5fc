//go:build cgofuse

package mount_test

import "testing"

// TestPathDriver runs the suite with the driver of Windows over libfuse.
func TestPathDriver(t *testing.T) {
	t.Setenv("VITRINE_TEST_DRIVER", "cgofuse")
	for _, s := range []struct {
		name string
		test func(*testing.T)
	}{
		{"Sample", TestSample}, {"Timeline", TestTimelineMounted}, {"RemountedWritable", TestRemountedWritable},
		{"BadFiles", TestBadFiles}, {"Streams", TestStreams}, {"StreamsByColon", TestStreamsByColon},
		{"NoStreams", TestNoStreams}, {"Owners", TestOwners}, {"Statfs", TestStatfs}, {"Raw", TestRaw},
		{"Parallel", TestParallel}, {"SeekDir", TestSeekDir}, {"NTFS", TestNTFS},
	} {
		t.Run(s.name, s.test)
	}
}
