package volume

import (
	"bytes"
	"testing"
)

func TestDetectNothing(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, 512), make([]byte, 1<<20), bytes.Repeat([]byte{0xff}, 300<<10)} {
		if info := Detect(bytes.NewReader(b), int64(len(b))); info != (FSInfo{}) {
			t.Errorf("%d bytes: %+v", len(b), info)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, m := range []string{"NTFS    ", "EXFAT   ", "MSWIN4.1", "-FVE-FS-"} {
		b := make([]byte, 1024)
		copy(b[3:], m)
		b[510], b[511], b[12], b[13] = 0x55, 0xaa, 2, 8
		f.Add(b)
	}
	f.Add([]byte("LUKS\xba\xbe"))
	f.Add(append(make([]byte, 1024), make([]byte, 1024)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if info := Detect(bytes.NewReader(b), int64(len(b))); info.Cluster < 0 {
			t.Fatalf("%+v", info)
		}
	})
}
