//go:build long

package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// md5Of is the sum that guests compare with: they are too slow for another.
func md5Of(b []byte) string {
	h := md5.Sum(b)
	return hex.EncodeToString(h[:])
}

// contents are the sums of a disk of threeSystems and of its files.
func contents(t *testing.T, img string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	ntfs, ext, fat := threeFiles()
	return map[string]string{
		"SIZE": strconv.Itoa(len(b)), "DISK": md5Of(b),
		"AFILE": md5Of(ntfs), "ANOTHER": md5Of(ext), "THIRD": md5Of(fat),
	}
}

func portOf(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// TestKernelNBD has the kernel's NBD client use what is served.
func TestKernelNBD(t *testing.T) {
	img, images := threeSystems(t), t.TempDir()
	vitrine(t, "capture", img, "-o", images, "--all-sectors")
	before := sums(t, images)
	g := guest{
		script: "nbd.sh", vars: contents(t, img),
		modules:  []string{"virtio_pci", "virtio_net", "crc32c_generic", "ext4", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859-1", "fuse", "nbd"},
		programs: []string{"nbd-client", "ntfs-3g", "fstrim", "blockdev"},
	}
	g.vars["HOST"] = "10.0.2.2"
	g.vars["RO"] = portOf(t, serve(t, "nbd", images, "--listen", "127.0.0.1:0"))
	overlaid := serve(t, "nbd", images, "--overlay", "--listen", "127.0.0.1:0")
	g.vars["RW"] = portOf(t, overlaid)
	uri, kill := serveToKill(t, "nbd", images, "--listen", "127.0.0.1:0")
	g.vars["KILL"] = portOf(t, uri)
	g.asked = map[string]func(){"kill": kill}
	g.run(t)
	checkOverlay(t, overlaid)
	checkSums(t, images, before)
}

// checkOverlay has the checkers look at what the guest left in the overlay.
func checkOverlay(t *testing.T, uri string) {
	t.Helper()
	dir := t.TempDir()
	for i, check := range [][]string{{"ntfsfix", "-n"}, {"fsck.ext4", "-f", "-n"}, {"fsck.vfat", "-n"}} {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/partition-" + strconv.Itoa(i+1)
		file := filepath.Join(dir, strconv.Itoa(i))
		sh(t, "nbdcopy", u.String(), file)
		sh(t, check[0], append(check[1:], file)...)
	}
}
