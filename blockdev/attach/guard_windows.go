package attach

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// A guard is another process that undoes an attachment when the process that
// serves it is killed: the initiator would else go on looking for its target.

// startGuard starts this program with words, which make it call [Guard] with
// what follows them.
func startGuard(words, what []string) (stop func(), err error) {
	if len(words) == 0 {
		return func() {}, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(append(append([]string(nil), words...), strconv.Itoa(os.Getpid())), what...)
	const ownJob = 0x01000000 // CREATE_BREAKAWAY_FROM_JOB
	for _, flags := range []uint32{windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP | ownJob, windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP} {
		cmd := exec.Command(exe, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: flags}
		if err = cmd.Start(); err == nil {
			return func() { cmd.Process.Kill(); cmd.Wait() }, nil
		}
	}
	return nil, fmt.Errorf("start a guard: %w", err)
}

// guarded are what a guard undoes a session by.
func (s *session) guarded() []string {
	return []string{"iscsi", strconv.FormatUint(s.id.adapter, 10), strconv.FormatUint(s.id.specific, 10), s.name}
}

func (v *virtual) guarded() []string { return []string{"file", v.file} }

// Guard waits until the process that args name has ended, and undoes what it
// left attached.
func Guard(args []string) error {
	if len(args) < 3 {
		return errGuard
	}
	pid, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return errGuard
	}
	undo, err := undoing(args[1:])
	if err != nil {
		return err
	}
	if p, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid)); err == nil {
		windows.WaitForSingleObject(p, windows.INFINITE)
		windows.CloseHandle(p)
	}
	for range 60 {
		if err = undo(); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return err
}

var errGuard = errors.New("this is for Vitrine's own use")

func undoing(what []string) (func() error, error) {
	switch {
	case what[0] == "file" && len(what) == 2:
		return func() error { return os.Remove(what[1]) }, nil
	case what[0] == "iscsi" && len(what) == 4:
		adapter, err := strconv.ParseUint(what[1], 10, 64)
		specific, err2 := strconv.ParseUint(what[2], 10, 64)
		s, err3 := newSession(what[3])
		if err := errors.Join(err, err2, err3); err != nil {
			return nil, errGuard
		}
		s.id, s.in, s.added = sessionID{adapter, specific}, true, true
		return s.logout, nil
	}
	return nil, errGuard
}
