package direct

import (
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// patience is how long a disk is looked at again and again: what a quick
	// one takes for some hundred kilobytes.
	patience = 150 * time.Microsecond
	// maxShy bounds the reads that are not waited for actively after one that
	// took longer.
	maxShy = 256
)

// Read reads as one pread of a file that Open gave, which may give less than
// was asked for. Awake, it does not sleep while the disk is at work: on an idle
// processor, and all the more on a virtual one, to be woken takes a third of
// what a quick disk takes to read. That is for whoever has nothing else to do
// and is waited for. One read at a time is waited for so; others, those after
// one that took long, and all where there is one processor, sleep as usual.
func Read(f *os.File, p []byte, off int64, awake bool) (int, error) {
	defer runtime.KeepAlive(f)
	if awake {
		if n, err, ok := wakeful.read(f, p, off); ok {
			return n, err
		}
	}
	return unix.Pread(int(f.Fd()), p, off)
}

var wakeful waiter

// waiter has one request of the kernel's asynchronous I/O under way at most.
type waiter struct {
	mu        sync.Mutex
	state     int // of the kernel's context
	context   uintptr
	request   controlBlock
	buf       *byte // of the request: what is on a goroutine's stack might be moved, this brings it to the heap
	list      [1]*controlBlock
	done      event
	now       unix.Timespec // zero
	shy, next int           // reads to go until one is waited for actively, and after the next failure
}

const (
	unknown = iota
	usable
	unusable
)

// controlBlock is struct iocb, event struct io_event (linux/aio_abi.h). All of
// what has no name is zero, among it the command: 0 is pread.
type controlBlock struct {
	_   uint64 // data
	_   uint64 // key, flags of the read
	_   uint32 // command, priority
	fd  uint32
	buf uint64
	n   uint64
	off int64
	_   uint64
	_   uint64 // flags, eventfd
}

type event struct {
	_   [2]uint64 // data, which request
	res int64     // bytes, or an error below zero
	_   int64
}

// read reports false where nothing was tried.
func (w *waiter) read(f *os.File, p []byte, off int64) (n int, err error, ok bool) {
	if len(p) == 0 || runtime.NumCPU() == 1 || !w.mu.TryLock() {
		return 0, nil, false
	}
	defer w.mu.Unlock()
	defer func() { w.buf = nil }()
	if w.shy--; w.shy >= 0 || !w.open() || !w.submit(f, p, off) || !w.await() {
		return 0, nil, false
	}
	if w.done.res < 0 {
		return 0, unix.Errno(-w.done.res), true
	}
	return int(w.done.res), nil, true
}

// open makes the kernel's context, once.
func (w *waiter) open() bool {
	if w.state == unknown {
		w.state = usable
		if _, _, e := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&w.context)), 0); e != 0 {
			w.state = unusable
		}
	}
	return w.state == usable
}

func (w *waiter) submit(f *os.File, p []byte, off int64) bool {
	w.buf = unsafe.SliceData(p)
	w.request = controlBlock{fd: uint32(f.Fd()), buf: uint64(uintptr(unsafe.Pointer(w.buf))), n: uint64(len(p)), off: off}
	w.list[0] = &w.request
	n, _, e := unix.Syscall(unix.SYS_IO_SUBMIT, w.context, 1, uintptr(unsafe.Pointer(&w.list)))
	if e == unix.ENOSYS || e == unix.EPERM {
		w.state = unusable
	}
	return n == 1 && e == 0
}

// await returns when nothing is under way any more. It reports false where it
// is not known what became of it.
func (w *waiter) await() bool {
	for began := time.Now(); time.Since(began) < patience; {
		if n, _, e := unix.RawSyscall6(unix.SYS_IO_GETEVENTS, w.context, 1, 1, uintptr(unsafe.Pointer(&w.done)), uintptr(unsafe.Pointer(&w.now)), 0); n == 1 && e == 0 {
			w.next = 0
			return true
		}
	}
	w.shy, w.next = w.next, min(max(1, 2*w.next), maxShy)
	for {
		n, _, e := unix.Syscall6(unix.SYS_IO_GETEVENTS, w.context, 1, 1, uintptr(unsafe.Pointer(&w.done)), 0, 0)
		if e == 0 && n == 1 {
			return true
		}
		if e != 0 && e != unix.EINTR {
			unix.Syscall(unix.SYS_IO_DESTROY, w.context, 0, 0) // waits for what is under way
			w.state = unusable
			return false
		}
	}
}
