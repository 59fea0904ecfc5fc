package mount

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32         = windows.NewLazySystemDLL("user32.dll")
	registerClass  = user32.NewProc("RegisterClassExW")
	freeClass      = user32.NewProc("UnregisterClassW")
	createWindow   = user32.NewProc("CreateWindowExW")
	destroyWindow  = user32.NewProc("DestroyWindow")
	defWindow      = user32.NewProc("DefWindowProcW")
	getMessage     = user32.NewProc("GetMessageW")
	dispatch       = user32.NewProc("DispatchMessageW")
	postMessage    = user32.NewProc("PostMessageW")
	postQuit       = user32.NewProc("PostQuitMessage")
	sessionClass   = windows.StringToUTF16Ptr("VitrineSession")
	sessionCaption = windows.StringToUTF16Ptr("Vitrine")
)

// Messages, from winuser.h of the SDK.
const (
	msgDestroy    = 0x02
	msgClose      = 0x10
	msgQuery      = 0x11 // WM_QUERYENDSESSION
	msgEndSession = 0x16
	msgOurs       = 0x8001 // WM_APP + 1: stop listening
)

// windowClass is WNDCLASSEXW.
type windowClass struct {
	size, style                        uint32
	proc                               uintptr
	classExtra, windowExtra            int32
	instance, icon, cursor, background windows.Handle
	menu, name                         *uint16
	smallIcon                          windows.Handle
}

// message is MSG.
type message struct {
	window         windows.HWND
	id             uint32
	wParam, lParam uintptr
	time           uint32
	x, y           int32
	private        uint32
}

// atSessionEnd calls end when the user logs off, the system shuts down, or
// somebody asks this process to close (taskkill); Windows waits some seconds for
// it to return. A program without a console, or one that uses windows, is told
// in no other way: it takes a window, which nobody sees. Where there can be none
// there is no session either, and nothing is done.
func atSessionEnd(end func()) (stop func()) {
	made, gone := make(chan windows.HWND), make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread() // which owns the window
		defer runtime.UnlockOSThread()
		listen(end, made)
	}()
	window, ok := <-made
	return func() {
		if ok {
			postMessage.Call(uintptr(window), msgOurs, 0, 0)
		}
		<-gone
	}
}

// listen makes the window, tells it, and serves it until it is gone.
func listen(end func(), made chan<- windows.HWND) {
	defer close(made)
	if createWindow.Find() != nil {
		return
	}
	c := &windowClass{proc: windows.NewCallback(answers(end)), name: sessionClass}
	c.size = uint32(unsafe.Sizeof(*c))
	if r, _, _ := registerClass.Call(uintptr(unsafe.Pointer(c))); r == 0 {
		return
	}
	defer freeClass.Call(uintptr(unsafe.Pointer(sessionClass)), 0)
	w, _, _ := createWindow.Call(0, uintptr(unsafe.Pointer(sessionClass)), uintptr(unsafe.Pointer(sessionCaption)), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if w == 0 {
		return
	}
	made <- windows.HWND(w)
	m := &message{}
	for {
		if r, _, _ := getMessage.Call(uintptr(unsafe.Pointer(m)), 0, 0, 0); int32(r) <= 0 {
			return
		}
		dispatch.Call(uintptr(unsafe.Pointer(m)))
	}
}

// answers is the window's procedure.
func answers(end func()) func(w windows.HWND, id uint32, wParam, lParam uintptr) uintptr {
	return func(w windows.HWND, id uint32, wParam, lParam uintptr) uintptr {
		switch {
		case id == msgQuery:
			return 1
		case id == msgClose, id == msgEndSession && wParam != 0:
			end()
		case id == msgOurs:
			destroyWindow.Call(uintptr(w))
		case id == msgDestroy:
			postQuit.Call(0)
		default:
			r, _, _ := defWindow.Call(uintptr(w), uintptr(id), wParam, lParam)
			return r
		}
		return 0
	}
}
