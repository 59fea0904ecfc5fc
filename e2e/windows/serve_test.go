package windows

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve starts a server on the machine and gives the first address that it
// prints; it is killed at the test's end.
func (m *machine) serve(t *testing.T, args ...string) string {
	t.Helper()
	c := m.command(nil, append([]string{"serve"}, args...)...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(out).ReadString('\n')
		line <- s
	}()
	select {
	case s := <-line:
		return strings.Fields(s + " ?")[0]
	case <-time.After(time.Minute):
		t.Fatal("the server prints no address")
	}
	return ""
}

// TestServe has qemu on this side read and write what the program serves on
// Windows' side.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	raw, restored := filepath.Join(dir, "volume.img"), filepath.Join(dir, "restored.img")
	newVolume(t, raw)
	images := shared.Path(`C:\served`)
	native(t, "capture", raw, "-o", images)
	native(t, "restore", images, restored, "--yes")
	before := hashes(t, images)
	t.Run("nbd", func(t *testing.T) {
		tool(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", restored, shared.serve(t, "nbd", `C:\served`, "--listen", "127.0.0.1:0"))
	})
	t.Run("iscsi", func(t *testing.T) {
		u, err := url.Parse(shared.serve(t, "iscsi", `C:\served`, "--listen", "127.0.0.1:0"))
		must(t, err)
		st, err := os.Stat(restored)
		must(t, err)
		target := strings.Split(u.Path, "/")[1]
		partition := fmt.Sprintf("driver=raw,offset=1048576,size=%d,file.driver=iscsi,file.transport=tcp,file.portal=%s,file.target=%s,file.lun=0", st.Size(), u.Host, target)
		tool(t, "qemu-img", "compare", "--image-opts", "driver=raw,file.filename="+restored, partition)
	})
	for protocol, flag := range map[string]string{"nbd": "--overlay", "iscsi": `--overlay-file=C:\changes`} {
		t.Run(protocol+" "+flag, func(t *testing.T) {
			uri := shared.serve(t, protocol, `C:\served`, "--listen", "127.0.0.1:0", flag)
			tool(t, "qemu-io", "-f", "raw", "-c", "write -P 9 2M 3M", "-c", "discard 10M 1M", "-c", "flush", "-c", "read -P 9 2M 3M", "-c", "read -P 0 10M 1M", uri)
		})
	}
	for path, sum := range hashes(t, images) {
		if before[path] != sum {
			t.Errorf("%s has changed", path)
		}
	}
}
