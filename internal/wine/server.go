package wine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Serve starts the server that all programs of the prefix share and keeps it
// until stop is called, and Windows' services with it. Else the first program
// starts it, and it ends some seconds after the last: one that comes just then
// finds it going. A prefix has one server; where it has one already, that is an
// error, since stop would end what others run in it.
func (p Prefix) Serve(ctx context.Context) (stop func(), err error) {
	s := exec.Command(server(), "-f", "-p")
	s.Env = p.Env()
	if err := s.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		s.Wait()
		close(ended)
	}()
	if err := p.awaitServer(s.Process.Pid, ended); err != nil {
		return nil, err
	}
	stop = func() {
		// A server that is ended by a signal leaves the services behind, for good.
		if p.Stop(context.Background()) != nil {
			s.Process.Signal(syscall.SIGTERM)
		}
		<-ended
	}
	if err := p.Command(ctx, "cmd", "/c", "exit").Run(); err != nil { // its output goes nowhere: the services hold it
		stop()
		return nil, err
	}
	return stop, nil
}

// awaitServer waits until the server takes connections: a program that comes
// before starts another. It works in the folder of its socket.
func (p Prefix) awaitServer(pid int, ended <-chan struct{}) error {
	for {
		select {
		case <-ended:
			return fmt.Errorf("%s has a server already; 'WINEPREFIX=%s wineserver -k' ends it", p.Dir, p.Dir)
		case <-time.After(10 * time.Millisecond):
		}
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/cwd/socket", pid)); err == nil {
			return nil
		}
	}
}
