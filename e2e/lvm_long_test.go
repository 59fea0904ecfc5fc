//go:build long

package e2e

import (
	"path/filepath"
	"testing"
	"time"
)

// TestLVMSnapshots captures logical volumes in use, classic and thin, in a
// guest: this machine's kernel may have neither.
func TestLVMSnapshots(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	sh(t, "truncate", "-s", "256M", disk)
	g := guest{
		script:   "lvm.sh",
		modules:  []string{"virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "dm-mod", "dm-snapshot", "dm-thin-pool"},
		programs: []string{"lvm", "mke2fs", "e2fsck", "thin_check", program},
		disks:    []string{"-drive", "file=" + disk + ",if=virtio,format=raw,cache=unsafe"},
		time:     30 * time.Minute,
	}
	g.run(t)
}
