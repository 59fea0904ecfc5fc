//go:build long

package e2e

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outside is an address of this machine that a guest can reach and that it is
// told in a discovery: not the loopback's.
func outside(t *testing.T) string {
	t.Helper()
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Fatal("this machine has no IPv4 address beside the loopback's")
	return ""
}

// TestOpenISCSI has open-iscsi and the kernel's initiator use what is served.
func TestOpenISCSI(t *testing.T) {
	img, images, host := threeSystems(t), t.TempDir(), outside(t)
	vitrine(t, "capture", img, "-o", images, "--all-sectors")
	before := sums(t, images)
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, []byte("four small words"))
	g := guest{
		script: "iscsi.sh", vars: contents(t, img),
		modules:  []string{"virtio_pci", "virtio_net", "crc32c_generic", "ext4", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859-1", "fuse", "sd_mod", "iscsi_tcp"},
		programs: []string{"iscsid", "iscsiadm", "ntfs-3g", "fstrim", "blockdev"},
		files:    map[string]string{"etc/iscsi/iscsid.conf": filepath.Join(labDir(t), "etc/iscsi/iscsid.conf")},
	}
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"P1", "P2", "P3"} {
		at := 1<<20 + i*40<<20
		g.vars[name] = md5Of(b[at : at+40<<20])
	}
	g.vars["HOST"], g.vars["SECRET"] = host, "four small words"
	uri := serve(t, "iscsi", images, "--listen", host+":0", "--user", "ann", "--secret-file", secret)
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	g.vars["RO"], g.vars["IQN"] = u.Port(), strings.Split(u.Path, "/")[1]
	g.vars["RW"] = portOf(t, serve(t, "iscsi", images, "--overlay", "--listen", host+":0"))
	uri, kill := serveToKill(t, "iscsi", images, "--listen", host+":0")
	g.vars["KILL"] = portOf(t, uri)
	g.asked = map[string]func(){"kill": kill}
	g.run(t)
	checkSums(t, images, before)
}
