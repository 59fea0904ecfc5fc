//go:build cgofuse

package mount

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	fuse "vitrine/internal/cgofuse"
)

// MountByPath mounts the tree on folder dir with the driver that Windows uses,
// over libfuse: to test that driver on Linux. Call end to unmount.
func MountByPath(ctx context.Context, t *Tree, dir string, o Options) (end func() error, err error) {
	d := newPathDriver(ctx, t, o)
	connected, done := make(chan struct{}), make(chan bool, 1)
	d.inited = func() { close(connected) }
	host := fuse.NewFileSystemHost(d)
	host.SetCapReaddirPlus(true)
	host.SetUseIno(true)
	go func() { done <- host.Mount(dir, libfuseOptions(&o)) }()
	select {
	case <-done:
		return nil, fmt.Errorf("%s: libfuse refused to mount", dir)
	case <-connected:
	}
	for i := 0; i < 200 && !isMount(dir); i++ {
		time.Sleep(5 * time.Millisecond)
	}
	return func() error {
		if err := detach(dir, false); err != nil {
			return err
		}
		<-done
		return nil
	}, nil
}

func isMount(dir string) bool {
	m, ok := mountAt(dir)
	return ok && ours(m)
}

func libfuseOptions(o *Options) []string {
	opts := []string{"ro", "kernel_cache", "attr_timeout=86400", "entry_timeout=86400", "negative_timeout=86400",
		"subtype=" + fsSubtype, "fsname=" + escapeOption(sourceName(o))}
	if os.Geteuid() == 0 {
		opts = append(opts, "nosuid", "nodev")
	}
	if o.NoExec {
		opts = append(opts, "noexec")
	}
	if o.AllowOther {
		opts = append(opts, "allow_other", "default_permissions")
	}
	return []string{"-o", strings.Join(opts, ",")}
}
