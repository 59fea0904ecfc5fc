package wine

import (
	"context"
	"os/exec"
	"syscall"
)

// Serve starts the server that all programs of the prefix share and keeps it
// until stop is called, and Windows' services with it. Else the first program
// starts them, and they go on holding its output, so that whoever reads it
// waits.
func (p Prefix) Serve(ctx context.Context) (stop func(), err error) {
	s := exec.Command(server(), "-f", "-p")
	s.Env = p.Env()
	if err := s.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		// A server that is ended by a signal leaves the services behind, for good.
		if p.Stop(context.Background()) != nil {
			s.Process.Signal(syscall.SIGTERM)
		}
		s.Wait()
	}
	if err := p.Command(ctx, "cmd", "/c", "exit").Run(); err != nil { // its output goes nowhere
		stop()
		return nil, err
	}
	return stop, nil
}
