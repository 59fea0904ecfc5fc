package vss

import (
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	ole32    = windows.NewLazySystemDLL("ole32.dll")
	oleaut32 = windows.NewLazySystemDLL("oleaut32.dll")
	vssapi   = windows.NewLazySystemDLL("vssapi.dll")

	coInitializeSecurity = ole32.NewProc("CoInitializeSecurity")
	sysFreeString        = oleaut32.NewProc("SysFreeString")
	createComponents     = vssapi.NewProc("CreateVssBackupComponentsInternal")
	freeProperties       = vssapi.NewProc("VssFreeSnapshotPropertiesInternal")
)

// object is a COM object: its first word points to its methods. It is never in
// Go's memory.
type object struct{ methods *[64]uintptr }

// slot is the number of a method, those of IUnknown included.
type slot int

const slotRelease slot = 2

// call calls a method. What arguments point to must be on Go's heap, or
// outside, and outlive the call.
func (o *object) call(m slot, args ...uintptr) error {
	all := append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)
	r, _, _ := syscall.SyscallN(o.methods[m], all...)
	return result(r)
}

// result is the error in what a function returned; a success may have a code
// too.
func result(r uintptr) error {
	if int32(r) < 0 {
		return HResult(r)
	}
	return nil
}

func (o *object) release() {
	if o != nil {
		o.call(slotRelease)
	}
}

// thread is a thread of the system that COM knows, on which all calls are made.
type thread struct{ work chan func() }

// startThread gives a thread in the multi-threaded apartment.
func startThread() (*thread, error) {
	t := &thread{make(chan func())}
	ready := make(chan error)
	go t.run(ready)
	return t, <-ready
}

func (t *thread) run(ready chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
	if err := windows.CoInitializeEx(0, windows.COINIT_MULTITHREADED); err != nil && err != syscall.Errno(1) {
		ready <- step("CoInitializeEx", err)
		return
	}
	defer windows.CoUninitialize()
	err := secure()
	ready <- err
	if err != nil {
		return
	}
	for f := range t.work {
		f()
	}
}

// do runs f on the thread and waits for it.
func (t *thread) do(f func()) {
	done := make(chan struct{})
	t.work <- func() { defer close(done); f() }
	<-done
}

func (t *thread) stop() { close(t.work) }

// secure sets the security of this process's COM, once, as the service demands:
// applications that take part call back.
var secure = sync.OnceValue(func() error {
	if err := coInitializeSecurity.Find(); err != nil {
		return err
	}
	const privacy, impersonate = 6, 3
	r, _, _ := coInitializeSecurity.Call(0, ^uintptr(0), 0, 0, privacy, impersonate, 0, 0, 0)
	if err := result(r); err != nil && err != codeTooLate {
		return step("CoInitializeSecurity", err)
	}
	return nil
})
