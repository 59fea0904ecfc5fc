package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vitrine/blockdev"
)

// maxRequest is the largest read or write that the kernel sends, in bytes.
const maxRequest = 1 << 20

// Disk is a device of the operating system that shows a [blockdev.Device].
type Disk struct {
	dev interface {
		Path() string
		Detach() error // unless it is in use
		Close() error  // as soon as it is not in use
	}
	done chan struct{}
}

// Attach makes a block device of the system that shows dev: writable if dev is a
// [blockdev.Writable], else write-protected. It needs the rights of root. The
// disk is served by this process until it is detached, and ends with it.
//
// It goes through the kernel's NBD client where there is one, else through FUSE
// and a loop device.
func Attach(dev blockdev.Device, o DiskOptions) (*Disk, error) {
	ctx, cancel := context.WithCancel(context.Background())
	d, err := attachDisk(ctx, dev, &o)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() { <-d.done; cancel() }()
	os.WriteFile("/sys/block/"+filepath.Base(d.Path())+"/queue/read_ahead_kb", []byte("1024"), 0) // no harm if not
	return d, nil
}

func attachDisk(ctx context.Context, dev blockdev.Device, o *DiskOptions) (*Disk, error) {
	n, err := attachNBD(ctx, dev, o)
	if err == nil {
		return &Disk{n, n.done}, nil
	}
	if !errors.Is(err, ErrUnavailable) {
		o.log("the kernel's NBD client: " + err.Error())
	}
	return attachFile(ctx, dev, o)
}

// attachFile lays a loop device over a FUSE file, which lies in a mount
// namespace that only one thread ever sees and that ends with it. The file lives
// on in the loop device alone: there is no mount that a killed process could
// leave behind.
func attachFile(ctx context.Context, dev blockdev.Device, o *DiskOptions) (*Disk, error) {
	d := &Disk{done: make(chan struct{})}
	err := apart(func() error { return d.mount(newFileFS(ctx, dev, o), o) })
	return d, err
}

// apart runs f on a thread in a mount namespace of its own, which ends with the
// thread.
func apart(f func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: so the thread ends here
		if unix.Gettid() == unix.Getpid() {
			err = apart(f) // the main thread cannot end: another does it
			runtime.UnlockOSThread()
			return
		}
		if err = unshare(); err == nil {
			err = f()
		}
	}()
	<-done
	return err
}

func unshare() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// mount mounts the file over some folder of this thread's, and lays the loop
// device over it.
func (d *Disk) mount(f *fileFS, o *DiskOptions) error {
	dir := os.TempDir()
	srv, err := fuse.NewServer(f, dir, f.options())
	if err != nil {
		return fmt.Errorf("%w: FUSE: %w", ErrUnavailable, err)
	}
	go func() { srv.Serve(); close(d.done) }()
	d.dev, err = Loop(filepath.Join(dir, f.name), LoopOptions{
		ReadOnly: f.rw == nil, SectorSize: f.dev.SectorSize(),
		NoPartitions: len(o.Partitions) == 0, Partitions: o.Partitions,
	})
	return errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH))
}

func (f *fileFS) options() *fuse.MountOptions {
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if f.rw == nil {
		flags |= unix.MS_RDONLY
	}
	return &fuse.MountOptions{
		Name: "vitrine-disk", DirectMountStrict: true, DirectMountFlags: flags,
		MaxWrite: maxRequest, MaxBackground: 64, DisableSplice: true,
		ExplicitDataCacheControl: true, ExtraCapabilities: fuse.CAP_ASYNC_DIO,
		Logger: log.New(io.Discard, "", 0),
		PanicHandler: func(v any) fuse.Status {
			f.log(fmt.Sprintf("panic: %v\n%s", v, debug.Stack()))
			return fuse.EIO
		},
	}
}

// Path is the device's name: /dev/nbd0 or /dev/loop3.
func (d *Disk) Path() string { return d.dev.Path() }

// Partitions waits for the nodes of the partitions and returns their names.
func (d *Disk) Partitions() ([]string, error) { return Partitions(d.Path()) }

// Done is closed when the device is gone, whoever ended it.
func (d *Disk) Done() <-chan struct{} { return d.done }

// Detach ends the device and waits until it is gone. While it is in use it
// fails with [ErrBusy] and stays.
func (d *Disk) Detach(ctx context.Context) error {
	if err := d.dev.Detach(); err != nil {
		return err
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release lets go of the device: it ends as soon as nobody uses it, which Done
// tells.
func (d *Disk) Release() error { return d.dev.Close() }
