package attach

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"vitrine/blockdev"
	"vitrine/blockdev/iscsi"
	"vitrine/device"
)

// volumeTime is how long the system is given to find the volumes of a new disk.
const volumeTime = 6 * time.Second

// Disk is a disk of Windows that shows a [blockdev.Device].
type Disk struct {
	number int
	undo   func() error // logs out, or detaches the copy
	stop   func()       // what served it, and the guard
	done   chan struct{}
	mu     sync.Mutex
	ended  bool
}

// Attach makes a disk of the system that shows dev: writable if dev is a
// [blockdev.Writable], else write-protected. It needs the rights of an
// administrator.
//
// It serves dev over iSCSI on this machine alone and logs Windows' own initiator
// in. Where that cannot be, it copies what is in use into a VHDX file in o.Dir
// and attaches that.
func Attach(dev blockdev.Device, o DiskOptions) (*Disk, error) {
	d, err := attachISCSI(dev, &o)
	if err != nil {
		o.log("by iSCSI: " + err.Error())
		d, err = attachVHDX(dev, &o, err)
	}
	if err != nil {
		return nil, err
	}
	_, writable := dev.(blockdev.Writable)
	if err := device.Online(d.Path(), writable); err != nil {
		o.log("bring it online: " + err.Error())
	}
	return d, nil
}

// attachISCSI serves the disk and logs in.
func attachISCSI(dev blockdev.Device, o *DiskOptions) (*Disk, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(rand.Text())
	t := &iscsi.Target{Name: "iqn.2026-01.vitrine:" + id, Auth: &iscsi.CHAP{User: "vitrine", Secret: rand.Text()[:16]},
		LUNs: []*iscsi.LUN{{Device: dev, Serial: strings.ToUpper(id[:16])}}}
	srv := &iscsi.Server{Targets: []*iscsi.Target{t}, MaxConns: 8, OnError: func(_ net.Addr, err error) { o.log(err.Error()) }}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(ctx, l) }()
	end := func() { cancel(); <-served }

	s, err := login(t.Name, t.Auth.User, t.Auth.Secret, uint16(l.Addr().(*net.TCPAddr).Port))
	if err != nil {
		end()
		return nil, err
	}
	unguard, err := startGuard(o.Guard, s.guarded())
	if err != nil {
		err = errors.Join(err, s.logout())
		end()
		return nil, err
	}
	d := &Disk{undo: s.logout, stop: func() { end(); unguard() }, done: make(chan struct{})}
	if d.number, err = s.disk(ctx); err != nil {
		err = errors.Join(err, s.logout())
		d.stop()
		return nil, err
	}
	return d, nil
}

// attachVHDX attaches a copy; why says what was tried before.
func attachVHDX(dev blockdev.Device, o *DiskOptions, why error) (*Disk, error) {
	v, err := attachCopy(context.Background(), dev, o.Dir, nil)
	if err != nil {
		return nil, fmt.Errorf("%w; %w", why, err)
	}
	unguard, err := startGuard(o.Guard, v.guarded())
	if err != nil {
		return nil, errors.Join(err, v.detach())
	}
	d := &Disk{undo: v.detach, stop: unguard, done: make(chan struct{})}
	if d.number, err = v.disk(); err != nil {
		err = errors.Join(err, v.detach())
		d.stop()
		return nil, err
	}
	return d, nil
}

// Path is the disk's name: \\.\PhysicalDrive3.
func (d *Disk) Path() string { return fmt.Sprintf(`\\.\PhysicalDrive%d`, d.number) }

// Done is closed when the disk is gone.
func (d *Disk) Done() <-chan struct{} { return d.done }

// Detach ends the disk and waits until it is gone. While it is in use it fails
// with [ErrBusy] and stays.
func (d *Disk) Detach(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return nil
	}
	release, err := device.HoldVolumes(d.Path())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	err = errors.Join(release(), d.undo()) // the volumes are at rest; open handles would hinder the log-out
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path(), err)
	}
	d.ended = true
	d.stop()
	close(d.done)
	return nil
}

// Release lets go of the disk: it ends as soon as nobody uses it.
func (d *Disk) Release() error {
	go func() {
		for d.Detach(context.Background()) != nil {
			time.Sleep(time.Second)
		}
	}()
	return nil
}

// Partitions waits for the volumes of a disk and tells where they are mounted.
func Partitions(path string) ([]string, error) {
	return device.AwaitVolumes(path, volumeTime), nil
}

// User finds none: locking the volumes tells.
func User(string) string { return "" }

// Attached finds none: the register has them.
func Attached() ([]Device, error) { return nil, nil }
