package mount

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vitrine/volume"
)

// Server is a mount that is being served by this process.
type Server struct {
	dir    string
	device string // "0:52"
	opts   Options
	cancel context.CancelFunc
	done   chan struct{}
	entry  *entry
}

// Mount mounts the tree on folder dir and serves it until it is unmounted. It
// returns when the files can be used. The mount outlives ctx, whose values it
// keeps.
//
// A wrong folder is a [*PointError], a missing driver or right a
// [*DriverError].
func Mount(ctx context.Context, t volume.FileSystem, dir string, o Options) (*Server, error) {
	real, err := checkPoint(dir, &o)
	if err != nil {
		return nil, err
	}
	fd, err := attach(real, &o)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: real, opts: o, done: make(chan struct{})}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f, err := fuse.NewServer(newDriver(ctx, t, o), fmt.Sprintf("/dev/fd/%d", fd), fuseOptions(&o))
	if err != nil {
		s.cancel()
		detach(real, true)
		return nil, fmt.Errorf("%s: FUSE: %w", dir, err)
	}
	s.register()
	go s.serve(f)
	return s, nil
}

// fuseOptions are the settings that measurements have shown to matter. Listings
// always bring attributes: who lists a folder mostly asks for them, and asking
// file by file costs twice the time; who does not loses a tenth.
func fuseOptions(o *Options) *fuse.MountOptions {
	return &fuse.MountOptions{
		Name:                     fsSubtype,
		MaxWrite:                 maxRead,
		MaxBackground:            64,
		DisableSplice:            true,
		EnableSymlinkCaching:     true,
		ExplicitDataCacheControl: true,
		ExtraCapabilities:        fuse.CAP_ASYNC_DIO | fuse.CAP_NO_OPENDIR_SUPPORT,
		Logger:                   log.New(logWriter{o}, "", 0),
		PanicHandler: func(v any) fuse.Status {
			o.log("panic: %v\n%s", v, debug.Stack())
			return fuse.EIO
		},
	}
}

type logWriter struct{ o *Options }

func (w logWriter) Write(b []byte) (int, error) {
	w.o.log("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

func (s *Server) serve(f *fuse.Server) {
	f.Serve()
	s.cancel()
	s.entry.remove()
	close(s.done)
}

func (s *Server) register() {
	if m, ok := mountAt(s.dir); ok {
		s.device = m.Device
		widenReadAhead(m.Device)
	}
	var err error
	s.entry, err = enter(Record{
		PID: os.Getpid(), Dir: s.dir, Image: s.opts.Image, Point: s.opts.Point, Since: time.Now(),
	})
	if err != nil {
		s.opts.log("the list of mounts: %v", err)
	}
}

// widenReadAhead lets the kernel read 1 MiB ahead; only root can.
func widenReadAhead(device string) {
	os.WriteFile("/sys/class/bdi/"+device+"/read_ahead_kb", []byte("1024"), 0)
}

// Everybody is false: a mount is its user's, unless allow_other says otherwise.
func Everybody(string) bool { return false }

// Dir is the folder's real path.
func (s *Server) Dir() string { return s.dir }

// Done is closed when the mount has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Wait waits until the mount has ended.
func (s *Server) Wait() { <-s.done }

// Unmount unmounts and waits for the end. While somebody uses the mount it fails
// with [*BusyError] and the mount stays.
func (s *Server) Unmount() error {
	const tries, pause = 5, 20 * time.Millisecond
	var err error
	for i := range tries {
		if err = detach(s.dir, false); !errors.Is(err, ErrBusy) {
			break
		}
		time.Sleep(pause << i)
	}
	if err == nil {
		s.Wait()
	}
	return err
}

// Detach takes the mount away from the folder at once; those who use it go on,
// and the mount ends with the last of them.
func (s *Server) Detach() error { return detach(s.dir, true) }

// Abort ends the mount whoever uses it; they get errors.
func (s *Server) Abort() error {
	s.cancel()
	detach(s.dir, true)
	_, minor, _ := strings.Cut(s.device, ":")
	return os.WriteFile(filepath.Join("/sys/fs/fuse/connections", minor, "abort"), []byte("1"), 0)
}

// Run waits for the end and unmounts when the process is told to stop: by
// SIGINT, SIGTERM, SIGHUP or by ctx. If somebody still uses the mount then, it
// says who, takes the mount away from the folder and goes on until they have
// finished; the second signal ends it at once with [ErrBusy].
func (s *Server) Run(ctx context.Context, say func(line string)) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(signals)
	notify("READY=1\nSTATUS=serving " + s.dir)
	defer notify("STOPPING=1")
	select {
	case <-s.done:
		return nil
	case <-signals:
	case <-ctx.Done():
	}
	return s.stop(signals, say)
}

func (s *Server) stop(signals <-chan os.Signal, say func(string)) error {
	err := s.Unmount()
	if !errors.Is(err, ErrBusy) {
		return err
	}
	for len(signals) > 0 {
		<-signals // it may be the first once more, that ctx told of already
	}
	say(err.Error() + "; it ends when they have finished")
	if err := s.Detach(); err != nil {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-signals:
	}
	s.Abort()
	return err
}

// Unmount unmounts an image that is mounted on dir by this or another process,
// and waits until that process has let go of the image. With lazy it does not
// mind those who use the mount: it vanishes at once and ends with the last.
func Unmount(ctx context.Context, dir string, lazy bool) error {
	real, err := realDir(dir)
	if err != nil {
		return pointError(dir, err)
	}
	m, ok := mountAt(real)
	if !ok || !ours(m) {
		return &PointError{dir, ErrNotMounted}
	}
	owner := ownerOf(real)
	if err := detach(real, lazy); err != nil || lazy || owner.PID == os.Getpid() {
		return err
	}
	return waitGone(ctx, owner)
}

// ownerOf finds the process that serves the mount on dir.
func ownerOf(dir string) (r Record) {
	list, _ := Mounts()
	for _, r := range list {
		if r.Dir == dir && r.PID != 0 {
			return r
		}
	}
	return Record{}
}

// Stop tells the process of a record to end and waits until it has. With
// [ErrBusy] it goes on until the last user has finished.
func (r Record) Stop(ctx context.Context) error {
	if r.PID == 0 || startTime(r.PID) != r.Start {
		return nil
	}
	if err := unix.Kill(r.PID, unix.SIGTERM); err != nil && err != unix.ESRCH {
		return fmt.Errorf("process %d: %w", r.PID, err)
	}
	if err := waitGone(ctx, r); err != nil {
		return err
	}
	if startTime(r.PID) == r.Start {
		return fmt.Errorf("%s: %w", r.Device, ErrBusy)
	}
	return nil
}

// waitGone waits until the process that served a mount is gone. One that goes on
// with something else has let go of the image when its record is gone.
func waitGone(ctx context.Context, r Record) error {
	const most, pause = 2000, 5 * time.Millisecond
	for i := 0; i < most && r.PID != 0 && startTime(r.PID) == r.Start; i++ {
		if _, err := os.Stat(r.file); err != nil {
			i = max(i, most*9/10)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}
