//go:build long && linux

package volume

import (
	"strings"
	"testing"
)

// The rarer kinds, as their own tools make them.
func TestDetectRareKinds(t *testing.T) {
	for _, c := range []mkfs{
		{"f2fs", 128 << 20, 4096, []string{"mkfs.f2fs", "-q", "-l", "flash ü"}},
		{"luks", 32 << 20, 0, []string{"cryptsetup", "-q", "luksFormat", "--type", "luks2", "--label", "secret", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "/etc/hostname"}},
		{"luks", 32 << 20, 0, []string{"cryptsetup", "-q", "luksFormat", "--type", "luks1", "--pbkdf-force-iterations", "1000", "--key-file", "/etc/hostname"}},
		{"jfs", 32 << 20, 0, []string{"mkfs.jfs", "-q"}},
		{"reiserfs", 64 << 20, 0, []string{"mkreiserfs", "-q", "-ff"}},
		{"nilfs2", 160 << 20, 0, []string{"mkfs.nilfs2", "-q", "-f"}},
		{"minix", 16 << 20, 0, []string{"mkfs.minix"}},
		{"udf", 32 << 20, 2048, []string{"mkudffs", "-b", "2048"}},
	} {
		t.Run(strings.Join(c.cmd[:1], " "), func(t *testing.T) {
			img := blank(t, c.size)
			tool(t, "", c.cmd[0], append(c.cmd[1:], img)...)
			got := detectFile(t, img)
			if got.Kind != c.kind || got.Cluster != c.cluster {
				t.Errorf("kind %q, cluster %d, want %q, %d", got.Kind, got.Cluster, c.kind, c.cluster)
			}
			if got.ID != "" && got.ID != blkid(t, img, "UUID") {
				t.Errorf("id %q; blkid says %q", got.ID, blkid(t, img, "UUID"))
			}
			if got.Label != "" && got.Label != blkid(t, img, "LABEL") {
				t.Errorf("label %q; blkid says %q", got.Label, blkid(t, img, "LABEL"))
			}
		})
	}
}

// Kinds that are made out of a folder.
func TestDetectArchives(t *testing.T) {
	for _, c := range []struct {
		kind string
		cmd  func(img, dir string) []string
	}{
		{"squashfs", func(img, dir string) []string { return []string{"mksquashfs", dir, img, "-quiet", "-noappend"} }},
		{"erofs", func(img, dir string) []string { return []string{"mkfs.erofs", "--quiet", img, dir} }},
		{"iso9660", func(img, dir string) []string {
			return []string{"genisoimage", "-quiet", "-V", "DISC 1", "-o", img, dir}
		}},
		{"cramfs", func(img, dir string) []string { return []string{"mkfs.cramfs", dir, img} }},
	} {
		t.Run(c.kind, func(t *testing.T) {
			img := blank(t, 0)
			cmd := c.cmd(img, "../volume")
			tool(t, "", cmd[0], cmd[1:]...)
			got := detectFile(t, img)
			if got.Kind != c.kind {
				t.Errorf("%+v", got)
			}
			if c.kind == "iso9660" && (got.Label != "DISC 1" || got.ID != blkid(t, img, "UUID")) {
				t.Errorf("%+v, blkid says %q", got, blkid(t, img, "UUID"))
			}
		})
	}
}

func TestDetectLVM(t *testing.T) {
	img := blank(t, 32<<20)
	dev := loop(t, img, 512)
	tool(t, "", "pvcreate", "-q", "--driverloaded", "n", "-ff", "-y", "--config", "devices{use_devicesfile=0}", dev)
	got := detectFile(t, img)
	if got.Kind != "lvm" || got.ID != blkid(t, img, "UUID") {
		t.Errorf("%+v, blkid says %q", got, blkid(t, img, "UUID"))
	}
}
