package attach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vitrine/blockdev"
	"vitrine/blockdev/nbd"
)

// Controls of the kernel's NBD client. Source: linux/nbd.h.
const (
	nbdSetSock       = 0xab00
	nbdSetBlockSize  = 0xab01
	nbdDoIt          = 0xab03
	nbdClearSock     = 0xab04
	nbdSetSizeBlocks = 0xab07
	nbdDisconnect    = 0xab08
	nbdSetFlags      = 0xab0a
)

const (
	readyTime   = 10 * time.Second
	releaseTick = 200 * time.Millisecond
)

// kernelNBD is a device of the kernel's NBD client that this process serves.
type kernelNBD struct {
	f    *os.File // the device; the kernel lets go of it when this process ends
	done chan struct{}
}

// attachNBD hands dev to a free device of the kernel's NBD client. It fails with
// [ErrUnavailable] where the kernel has none.
//
// The kernel's older interface is the right one here: the call that runs the
// device ends with its process, and the device with the call. A device made
// through netlink would outlive a killed process.
func attachNBD(ctx context.Context, dev blockdev.Device, o *DiskOptions) (*kernelNBD, error) {
	srv := &nbd.Server{Exports: []*nbd.Export{{Device: dev}}, OnError: func(_ net.Addr, err error) { o.log(err.Error()) }}
	socket, flags, err := serveSocket(ctx, srv)
	if err != nil {
		return nil, err
	}
	defer socket.Close() // the kernel holds its own reference
	d := &kernelNBD{done: make(chan struct{})}
	started := make(chan error, 1)
	go d.run(socket, dev, flags, started)
	if err := <-started; err != nil {
		return nil, err
	}
	if err := d.ready(o); err != nil {
		return nil, errors.Join(err, d.end())
	}
	return d, nil
}

// serveSocket serves over a pair of sockets and returns the client's end, past
// the negotiation, with the flags of the export.
func serveSocket(ctx context.Context, srv *nbd.Server) (client *os.File, flags uint16, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	client, server := os.NewFile(uintptr(fds[0]), "nbd"), os.NewFile(uintptr(fds[1]), "nbd")
	conn, err := net.FileConn(server)
	server.Close()
	if err != nil {
		client.Close()
		return nil, 0, err
	}
	go srv.ServeConn(ctx, conn)
	flags, err = shakeHands(client)
	if err != nil {
		client.Close()
	}
	return client, flags, err
}

// shakeHands asks for the default export in the oldest way, whose answer has no
// frills: its size and its flags.
func shakeHands(c io.ReadWriter) (flags uint16, err error) {
	const fixedNoZeroes, exportName = 3, 1
	var greeting [18]byte
	if _, err := io.ReadFull(c, greeting[:]); err != nil {
		return 0, err
	}
	hello := binary.BigEndian.AppendUint32(nil, fixedNoZeroes)
	hello = append(hello, "IHAVEOPT"...)
	hello = binary.BigEndian.AppendUint32(hello, exportName)
	hello = binary.BigEndian.AppendUint32(hello, 0)
	if _, err := c.Write(hello); err != nil {
		return 0, err
	}
	var export [10]byte
	_, err = io.ReadFull(c, export[:])
	return binary.BigEndian.Uint16(export[8:]), err
}

// run takes a device and runs it to its end. The kernel wants one thread for
// all of it, and a signal to that thread would end the device.
func (d *kernelNBD) run(socket *os.File, dev blockdev.Device, flags uint16, started chan<- error) {
	runtime.LockOSThread() // and never unlocked: the thread's signals are blocked
	err := blockSignals()
	if err == nil {
		err = d.take(int(socket.Fd()))
	}
	if err == nil {
		err = d.describe(dev, flags)
	}
	started <- err
	if err != nil {
		return
	}
	unix.IoctlSetInt(int(d.f.Fd()), nbdDoIt, 0)
	unix.IoctlSetInt(int(d.f.Fd()), nbdClearSock, 0)
	d.f.Close()
	close(d.done)
}

func blockSignals() error {
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	return unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil)
}

// take gives the socket to the first device that has none.
func (d *kernelNBD) take(socket int) error {
	for i := 0; ; i++ {
		f, err := openUnpolled(fmt.Sprintf("/dev/nbd%d", i), os.O_RDWR)
		if err != nil {
			return fmt.Errorf("%w: no free NBD device: %w", ErrUnavailable, err)
		}
		err = unix.IoctlSetInt(int(f.Fd()), nbdSetSock, socket)
		if err == nil {
			d.f = f
			return nil
		}
		f.Close()
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("%w: %s: %w", ErrUnavailable, f.Name(), err)
		}
	}
}

// describe tells the kernel sizes and abilities; after a failure the device is
// free again.
func (d *kernelNBD) describe(dev blockdev.Device, flags uint16) error {
	sector := dev.SectorSize()
	for _, c := range []struct {
		request uint
		value   int
	}{
		{nbdSetBlockSize, sector},
		{nbdSetSizeBlocks, int(dev.Size() / int64(sector))},
		{nbdSetFlags, int(flags)},
	} {
		if err := unix.IoctlSetInt(int(d.f.Fd()), c.request, c.value); err != nil {
			unix.IoctlSetInt(int(d.f.Fd()), nbdClearSock, 0)
			d.f.Close()
			return fmt.Errorf("%s: %w", d.Path(), err)
		}
	}
	return nil
}

// ready waits until the device runs and has its partitions, which the kernel
// looks for when the device is opened.
func (d *kernelNBD) ready(o *DiskOptions) error {
	deadline := time.Now().Add(readyTime)
	for !d.running() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w: it does not start", d.Path(), ErrUnavailable)
		}
		time.Sleep(time.Millisecond)
	}
	f, err := openUnpolled(d.Path(), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	return addPartitions(f, o.Partitions)
}

// running says that the kernel shows the process that runs the device.
func (d *kernelNBD) running() bool {
	_, err := os.Stat("/sys/block/" + filepath.Base(d.Path()) + "/pid")
	return err == nil
}

// Path is the device's name: /dev/nbd3.
func (d *kernelNBD) Path() string { return d.f.Name() }

// Detach ends the device unless it is in use; then it fails with [ErrBusy].
func (d *kernelNBD) Detach() error {
	if user := User(d.Path()); user != "" {
		return fmt.Errorf("%s: %w: by %s", d.Path(), ErrBusy, user)
	}
	return d.end()
}

// end ends the device, used or not.
func (d *kernelNBD) end() error {
	select {
	case <-d.done:
		return nil
	default:
	}
	removePartitions(d.Path())
	if err := unix.IoctlSetInt(int(d.f.Fd()), nbdDisconnect, 0); err != nil {
		return fmt.Errorf("%s: %w", d.Path(), err)
	}
	<-d.done
	return nil
}

// removePartitions takes the partitions away that would else stay, empty, until
// the device is next used. One that is in use stays.
func removePartitions(path string) {
	f, err := openUnpolled(path, os.O_RDONLY)
	if err != nil {
		return
	}
	defer f.Close()
	for _, n := range nodes(path) {
		number, _ := strconv.Atoi(strings.TrimPrefix(n[strings.LastIndex(n, "/")+1:], filepath.Base(path)+"p"))
		blkpg(f, unix.BLKPG_DEL_PARTITION, unix.BlkpgPartition{Pno: int32(number)})
	}
}

// Close lets go of the device: it ends when nothing is mounted from it or laid
// over it any more.
func (d *kernelNBD) Close() error {
	go func() {
		for ; User(d.Path()) != ""; time.Sleep(releaseTick) {
		}
		d.end()
	}()
	return nil
}
