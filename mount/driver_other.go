//go:build !linux && !windows

package mount

import (
	"context"
	"runtime"

	"vitrine/volume"
)

// Server is a mount that is being served by this process.
type Server struct{}

var errAbsent = &DriverError{ErrNoDriver, "this build cannot mount on " + runtime.GOOS + "; ls, cat, cp and serve work without"}

// Mount is not there on this system.
func Mount(context.Context, volume.FileSystem, string, Options) (*Server, error) {
	return nil, errAbsent
}

// Unmount is not there on this system.
func Unmount(context.Context, string, bool) error { return errAbsent }

// Everybody is false: nothing is mounted.
func Everybody(string) bool { return false }

// Dir is the folder's real path.
func (s *Server) Dir() string { return "" }

// Done is closed when the mount has ended.
func (s *Server) Done() <-chan struct{} { return nil }

// Wait waits until the mount has ended.
func (s *Server) Wait() {}

// Unmount unmounts and waits for the end.
func (s *Server) Unmount() error { return errAbsent }

// Detach takes the mount away from the folder at once.
func (s *Server) Detach() error { return errAbsent }

// Abort ends the mount whoever uses it.
func (s *Server) Abort() error { return errAbsent }

// Run waits for the end and unmounts when the process is told to stop.
func (s *Server) Run(context.Context, func(string)) error { return errAbsent }

func alive(*Record) bool                     { return false }
func addUnregistered(list []Record) []Record { return list }
func startTime(int) string                   { return "" }

// Stop is for attached disks, which this system does not have.
func (Record) Stop(context.Context) error { return errAbsent }
