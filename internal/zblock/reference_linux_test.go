package zblock

import (
	"bytes"
	"os/exec"
	"testing"
)

// TestReference has the reference decoder read the frames.
func TestReference(t *testing.T) {
	for name, l := range levels {
		t.Run(name, func(t *testing.T) {
			e := New(l)
			blocks := files(t, 500)
			for _, b := range cases() {
				blocks = append(blocks, b)
			}
			var frames, plain []byte
			for _, b := range blocks {
				var ok bool
				if frames, ok = e.Encode(frames, b, Size); ok {
					plain = append(plain, b...)
				}
			}
			cmd := exec.Command("zstd", "-d", "-c")
			cmd.Stdin = bytes.NewReader(frames)
			got, err := cmd.Output()
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("zstd gave %d bytes of %d; %v", len(got), len(plain), err)
			}
		})
	}
}
