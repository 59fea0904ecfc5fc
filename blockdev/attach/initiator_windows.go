package attach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// Functions of Windows' iSCSI initiator. Source: iscsidsc.h of the SDK, and
// "iSCSI Discovery Library" in Microsoft's documentation.
var (
	iscsidsc        = windows.NewLazySystemDLL("iscsidsc.dll")
	addTarget       = iscsidsc.NewProc("AddIScsiStaticTargetW")
	removeTarget    = iscsidsc.NewProc("RemoveIScsiStaticTargetW")
	loginTarget     = iscsidsc.NewProc("LoginIScsiTargetW")
	logoutTarget    = iscsidsc.NewProc("LogoutIScsiTarget")
	devicesOf       = iscsidsc.NewProc("GetDevicesForIScsiSessionW")
	anyPort         = uintptr(0xFFFFFFFF) // ISCSI_ANY_INITIATOR_PORT
	deviceDeadline  = 30 * time.Second
	serviceDeadline = 30 * time.Second
)

// iscsiCode is an error of the initiator: one of Windows', or of its own.
type iscsiCode uint32

func (c iscsiCode) Error() string {
	if c < 0x10000 {
		return syscall.Errno(c).Error()
	}
	return fmt.Sprintf("error 0x%08X of the iSCSI initiator", uint32(c))
}

// Is knows a missing right.
func (c iscsiCode) Is(target error) bool { return c < 0x10000 && syscall.Errno(c).Is(target) }

// Codes that say that there is nothing to undo, from iscsierr.h.
const (
	noSession iscsiCode = 0xEFFF001C // ISDSC_INVALID_SESSION_ID
	noTarget  iscsiCode = 0xEFFF0029 // ISDSC_TARGET_NOT_FOUND
)

// iscsiErr is nil for success, and for a code that counts as such.
func iscsiErr(what string, r uintptr, fine ...iscsiCode) error {
	if r == 0 || slices.Contains(fine, iscsiCode(r)) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, iscsiCode(r))
}

// portal is ISCSI_TARGET_PORTALW.
type portal struct {
	symbolic, address [256]uint16
	socket            uint16
}

// loginOptions is ISCSI_LOGIN_OPTIONS.
type loginOptions struct {
	version, specified, flags, auth, headerDigest, dataDigest uint32
	connections, time2Wait, time2Retain                       uint32
	userLen, secretLen                                        uint32
	user, secret                                              *byte
}

// Parts of loginOptions that are meant.
const (
	withUser   = 0x20
	withSecret = 0x40
	withAuth   = 0x80
	authCHAP   = 1
)

// sessionID is ISCSI_UNIQUE_SESSION_ID.
type sessionID struct{ adapter, specific uint64 }

// sessionDevice is ISCSI_DEVICE_ON_SESSIONW.
type sessionDevice struct {
	initiator       [256]uint16
	target          [224]uint16
	scsiLength      uint32
	scsi            [4]uint8 // port, path, target, lun
	interfaceType   windows.GUID
	interfaceName   [260]uint16
	legacyName      [260]uint16
	kind            uint32
	disk, partition uint32
	instance        uint32
}

// session is a log-in to a target. What calls write to lies in it, on the heap.
type session struct {
	name    string // the target's
	portal  portal
	added   bool
	in      bool
	id      sessionID
	conn    sessionID
	options loginOptions
	secret  []byte
	user    []byte
	target  *uint16
	count   uint32
	devices [4]sessionDevice
}

// login logs the initiator in to a target that listens on 127.0.0.1. Nothing of
// it survives a restart of the system.
func login(target, user, secret string, port uint16) (*session, error) {
	if err := loginTarget.Find(); err != nil {
		return nil, fmt.Errorf("%w: Windows' iSCSI initiator: %w", ErrUnavailable, err)
	}
	if err := startService("MSiSCSI"); err != nil {
		return nil, fmt.Errorf("%w: the service of Windows' iSCSI initiator: %w", ErrUnavailable, err)
	}
	s, err := newSession(target)
	if err != nil {
		return nil, err
	}
	s.portal.socket = port
	copy(s.portal.address[:], windows.StringToUTF16("127.0.0.1"))
	s.user, s.secret = []byte(user), []byte(secret)
	s.options = loginOptions{specified: withUser | withSecret | withAuth, auth: authCHAP,
		userLen: uint32(len(user)), secretLen: uint32(len(secret)), user: &s.user[0], secret: &s.secret[0]}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), s.logout())
	}
	return s, nil
}

func newSession(target string) (s *session, err error) {
	s = &session{name: target}
	s.target, err = windows.UTF16PtrFromString(target)
	return s, err
}

// start makes the target known, until the service starts anew, and logs in. A
// portal would be asked for its targets at every start of the system.
func (s *session) start() error {
	const persistent = 0
	r, _, _ := addTarget.Call(uintptr(unsafe.Pointer(s.target)), 0, 0, persistent, 0, 0, 0)
	if err := iscsiErr("AddIScsiStaticTarget", r); err != nil {
		return err
	}
	s.added = true
	const informational = 0
	r, _, _ = loginTarget.Call(uintptr(unsafe.Pointer(s.target)), informational, 0, anyPort, uintptr(unsafe.Pointer(&s.portal)), 0, 0,
		uintptr(unsafe.Pointer(&s.options)), 0, 0, persistent, uintptr(unsafe.Pointer(&s.id)), uintptr(unsafe.Pointer(&s.conn)))
	if err := iscsiErr("LoginIScsiTarget", r); err != nil {
		return err
	}
	s.in = true
	return nil
}

// disk waits until the system has made a disk of the session, and gives its
// number.
func (s *session) disk(ctx context.Context) (int, error) {
	for end := time.Now().Add(deviceDeadline); ; {
		s.count = uint32(len(s.devices))
		r, _, _ := devicesOf.Call(uintptr(unsafe.Pointer(&s.id)), uintptr(unsafe.Pointer(&s.count)), uintptr(unsafe.Pointer(&s.devices)))
		const isDisk = 7 // FILE_DEVICE_DISK
		if r == 0 && s.count > 0 && s.devices[0].kind == isDisk && s.devices[0].disk != 0xFFFFFFFF {
			return int(s.devices[0].disk), nil
		}
		if time.Now().After(end) {
			return 0, errors.Join(errNoDisk, iscsiErr("GetDevicesForIScsiSession", r))
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var errNoDisk = errors.New("the system did not make a disk of it")

// logout undoes the log-in. What of it failed can be tried again; what somebody
// else has undone is done.
func (s *session) logout() error {
	if s.in {
		r, _, _ := logoutTarget.Call(uintptr(unsafe.Pointer(&s.id)))
		if err := iscsiErr("LogoutIScsiTarget", r, noSession); err != nil {
			return err
		}
		s.in = false
	}
	if s.added {
		r, _, _ := removeTarget.Call(uintptr(unsafe.Pointer(s.target)))
		if err := iscsiErr("RemoveIScsiStaticTarget", r, noTarget); err != nil {
			return err
		}
		s.added = false
	}
	return nil
}

// startService starts a service that is not started by itself. One that does
// not exist is left to those who need it.
func startService(name string) error {
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	h, err := windows.OpenService(m.Handle, n, windows.SERVICE_START|windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil
	}
	if err != nil {
		return err
	}
	s := &mgr.Service{Name: name, Handle: h}
	defer s.Close()
	for end := time.Now().Add(serviceDeadline); ; time.Sleep(200 * time.Millisecond) {
		st, err := s.Query()
		switch {
		case err != nil:
			return err
		case st.State == svc.Running:
			return nil
		case time.Now().After(end):
			return errors.New("it does not start")
		case st.State == svc.Stopped:
			if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
				return err
			}
		}
	}
}
