//go:build long && linux

package mount_test

import (
	"fmt"
	"testing"

	"vitrine/internal/testvol"
)

// TestRichNTFS is TestNTFS on volumes with all that testvol can make.
func TestRichNTFS(t *testing.T) {
	for _, o := range []testvol.Options{
		{Size: 700 << 20, Label: "Windows"},
		{Size: 700 << 20, Cluster: 1024},
	} {
		t.Run(fmt.Sprintf("cluster=%d,sector=%d", o.Cluster, o.Sector), func(t *testing.T) {
			img := testvol.Make(t, o)
			testvol.With(t, img, func(dir string) {
				testvol.Fill(t, dir, 3000, 7)
				testvol.Rich(t, dir)
			})
			compareNTFS(t, img)
		})
	}
}
