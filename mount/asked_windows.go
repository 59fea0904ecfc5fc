package mount

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Asked gives a context that also ends when another process calls
// [Record.Stop] for what this one serves. Done frees what that takes.
func Asked(ctx context.Context) (asked context.Context, done func(), err error) {
	asked, cancel := context.WithCancel(ctx)
	event, err := windows.CreateEvent(nil, 1, 0, eventName(os.Getpid()))
	if err != nil {
		cancel()
		return nil, nil, err
	}
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		windows.WaitForSingleObject(event, windows.INFINITE)
		cancel()
	}()
	return asked, func() {
		windows.SetEvent(event)
		<-waited
		windows.CloseHandle(event)
	}, nil
}

// Stop has the process that serves an attached disk detach it, and waits until
// that has ended. While the disk is in use it fails with [ErrBusy].
func (r Record) Stop(ctx context.Context) error {
	p, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(r.PID))
	if err != nil {
		return nil // it is gone
	}
	defer windows.CloseHandle(p)
	event, err := windows.OpenEvent(windows.EVENT_MODIFY_STATE, false, eventName(r.PID))
	if err != nil {
		return &DriverError{ErrNoRight, fmt.Sprintf("process %d serves %s: %v", r.PID, r.Device, err)}
	}
	defer windows.CloseHandle(event)
	if err := windows.SetEvent(event); err != nil {
		return err
	}
	for end := time.Now().Add(stopPatience); time.Now().Before(end); {
		if s, err := windows.WaitForSingleObject(p, 50); err != nil || s == windows.WAIT_OBJECT_0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s: %w", r.Device, ErrBusy)
}

// stopPatience is how long programs are given to let go of a disk.
const stopPatience = 20 * time.Second
