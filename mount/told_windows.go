package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// eventName is what another process sets to have process pid end what it
// serves.
func eventName(pid int) (*uint16, error) {
	return windows.UTF16PtrFromString(fmt.Sprintf(`Local\vitrine-unmount-%d`, pid))
}

// newEvent makes this process's event. All processes of the user may set it, also
// when this one has the rights of an administrator and they have not: what
// Explorer's menus start, for example.
func newEvent() (windows.Handle, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return 0, err
	}
	// For the system, administrators and the user; from medium integrity on.
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + user.User.Sid.String() + ")S:(ML;;NW;;;ME)")
	if err != nil {
		return 0, err
	}
	name, err := eventName(os.Getpid())
	if err != nil {
		return 0, err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	event, err := windows.CreateEvent(sa, 1, 0, name)
	if err != nil && event != 0 {
		windows.CloseHandle(event) // somebody else's
	}
	return event, err
}

// tell sets the event of the process that serves r.
func (r *Record) tell() error {
	name, err := eventName(r.PID)
	if err != nil {
		return err
	}
	event, err := windows.OpenEvent(windows.EVENT_MODIFY_STATE, false, name)
	if err == nil {
		err = windows.SetEvent(event)
		windows.CloseHandle(event)
	}
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return fmt.Errorf("%s is served by process %d, which has more rights: %w", r.Dir+r.Device, r.PID, os.ErrPermission)
	}
	return err
}

// awaitEnd waits until the process that serves r has ended, most of all for the
// time given, and says whether it has.
func (r *Record) awaitEnd(ctx context.Context, most time.Duration) (ended bool, err error) {
	for end := time.Now().Add(most); alive(r); time.Sleep(50 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			return false, ctx.Err()
		}
	}
	return true, nil
}
