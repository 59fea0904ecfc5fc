package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Asked gives a context that also ends when another process calls
// [Record.Stop] for what this one serves, and at the end of the session: Windows
// then waits some seconds for done, which also frees what this takes.
func Asked(ctx context.Context) (asked context.Context, done func(), err error) {
	asked, cancel := context.WithCancel(ctx)
	event, err := newEvent()
	if err != nil {
		cancel()
		return nil, nil, err
	}
	waited, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(waited)
		windows.WaitForSingleObject(event, windows.INFINITE)
		cancel()
	}()
	deafen := atSessionEnd(func() {
		cancel()
		<-over
	})
	return asked, func() {
		close(over)
		deafen()
		windows.SetEvent(event)
		<-waited
		windows.CloseHandle(event)
	}, nil
}

// Stop has the process that serves an attached disk detach it, and waits until
// that has ended. While the disk is in use it fails with [ErrBusy]; when that
// process has more rights than this one, with [os.ErrPermission].
func (r Record) Stop(ctx context.Context) error {
	if err := r.tell(); err != nil {
		if !errors.Is(err, os.ErrPermission) && !alive(&r) {
			return nil // it is gone
		}
		return err
	}
	ended, err := r.awaitEnd(ctx, stopPatience)
	if !ended && err == nil {
		err = fmt.Errorf("%s: %w", r.Device, ErrBusy)
	}
	return err
}

// stopPatience is how long programs are given to let go of a disk.
const stopPatience = 20 * time.Second
