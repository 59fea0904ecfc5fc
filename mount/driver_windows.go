package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	fuse "vitrine/internal/cgofuse"
	"vitrine/volume"
)

// Server is a mount that is being served by this process.
type Server struct {
	dir    string // "X:" or the folder
	opts   Options
	host   *fuse.FileSystemHost
	cancel context.CancelFunc
	done   chan struct{}
	known  chan struct{} // closed when the register has it, or it failed
	over   chan struct{} // closed when WinFsp has ended it
	entry  *entry
	event  windows.Handle
	deafen func() // ends listening for the end of the session
}

// Mount mounts the tree: on a drive letter ("X:"), on a free one ("*" or ""), or
// on a folder that must not exist yet. A process can mount once. It returns when
// the files can be used. The mount outlives ctx.
//
// A wrong place is a [*PointError]; WinFsp missing, too old or not running is a
// [*DriverError].
func Mount(ctx context.Context, t volume.FileSystem, dir string, o Options) (*Server, error) {
	if err := loadWinFsp(); err != nil {
		return nil, err
	}
	dir, point, err := winPoint(dir, &o)
	if err != nil {
		return nil, err
	}
	tree, ok := t.(*Tree)
	if !ok {
		tree = NewTree()
		if err := tree.AddVolume("", t); err != nil {
			return nil, err
		}
	}
	return start(ctx, tree, dir, point, o)
}

// Everybody reports whether a mount that this process makes on dir is seen by
// everybody on the machine: an administrator's drive letters are, since a letter
// of its own would show to no program of the same person without those rights.
func Everybody(dir string) bool {
	_, letter := driveLetter(dir)
	return letter && windows.GetCurrentProcessToken().IsElevated()
}

// winPoint checks the place. dir is what people call it, point is what WinFsp
// is told: for an administrator a letter that all sessions see.
func winPoint(where string, o *Options) (dir, point string, err error) {
	used, err := usedLetters()
	if err != nil {
		return "", "", err
	}
	if where == "" || where == "*" {
		letter, ok := freeLetter(used)
		if !ok {
			return "", "", &PointError{"*", errNoLetter}
		}
		where = string(letter) + ":"
	}
	if letter, ok := driveLetter(where); ok {
		return winDrive(where, letter, used)
	}
	return winFolder(where, o)
}

// usedLetters has a bit for each letter that stands for something, A first.
func usedLetters() (used uint32, err error) {
	if used, err = windows.GetLogicalDrives(); err != nil {
		return 0, err
	}
	for l := byte('A'); l <= 'Z'; l++ {
		if _, err := os.Stat(string(l) + `:\`); err == nil {
			used |= 1 << (l - 'A')
		}
	}
	return used, nil
}

var errNoLetter = errors.New("no drive letter is free")

func winDrive(where string, letter byte, used uint32) (dir, point string, err error) {
	dir = string(letter) + ":"
	if used&(1<<(letter-'A')) != 0 {
		return "", "", &PointError{where, ErrMounted}
	}
	if windows.GetCurrentProcessToken().IsElevated() {
		return dir, `\\.\` + dir, nil
	}
	return dir, dir, nil
}

func winFolder(where string, o *Options) (dir, point string, err error) {
	dir, err = filepath.Abs(where)
	if err != nil {
		return "", "", err
	}
	info, err := os.Stat(filepath.Dir(dir))
	switch {
	case err != nil:
		return "", "", &PointError{where, ErrMissing}
	case !info.IsDir():
		return "", "", &PointError{where, ErrNotFolder}
	}
	if _, err := os.Lstat(dir); err == nil {
		return "", "", &PointError{where, errFolderExists}
	}
	return dir, dir, nil
}

var errFolderExists = errors.New("it exists already; on Windows the folder is made by mounting")

func start(ctx context.Context, t *Tree, dir, point string, o Options) (*Server, error) {
	space, err := t.StatFS(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, opts: o, done: make(chan struct{}), known: make(chan struct{}), over: make(chan struct{})}
	defer close(s.known)
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d := newPathDriver(ctx, t, o)
	connected := make(chan struct{})
	d.inited = func() { close(connected) }
	s.host = fuse.NewFileSystemHost(d)
	s.host.SetCapCaseInsensitive(true)
	s.host.SetCapReaddirPlus(true)
	s.host.SetCapDeleteAccess(true)
	s.host.SetCapReadOnly(true)
	go s.serve(point, winfspOptions(&o, space, t.time))
	if err := s.await(connected); err != nil {
		s.cancel()
		return nil, err
	}
	s.register()
	return s, nil
}

func (s *Server) serve(point string, args []string) {
	s.host.Mount(point, args) // WinFsp tells its reasons to its own log
	close(s.over)
	<-s.known
	s.entry.remove()
	s.cancel()
	close(s.done)
	if s.deafen != nil {
		s.deafen() // it may be waiting for the end itself
	}
}

// patience is how long a letter may take to appear or to vanish.
const patience = 10 * time.Second

// await waits until the files can be seen: WinFsp connects before that.
func (s *Server) await(connected <-chan struct{}) error {
	select {
	case <-connected:
	case <-s.over:
		return &DriverError{ErrNoDriver, "WinFsp refused to mount on " + s.dir}
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := os.Stat(s.dir + `\`); err == nil {
			return nil
		}
		select {
		case <-s.over:
			return &DriverError{ErrNoDriver, "WinFsp refused to mount on " + s.dir}
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.host.Unmount()
	return fmt.Errorf("%s did not appear", s.dir)
}

func (s *Server) register() {
	var err error
	s.entry, err = enter(Record{PID: os.Getpid(), Dir: s.dir, Image: s.opts.Image, Point: s.opts.Point, Since: time.Now(), Everybody: Everybody(s.dir)})
	if err != nil {
		s.opts.log("the list of mounts: %v", err)
	}
	s.deafen = atSessionEnd(func() { s.Unmount() })
	s.event, err = newEvent()
	if err != nil {
		s.opts.log("unmounting from elsewhere: %v", err)
		return
	}
	go s.obey()
}

// obey unmounts when another process says so; it ends with the mount.
func (s *Server) obey() {
	const pause = 100 // ms
	defer windows.CloseHandle(s.event)
	for {
		select {
		case <-s.done:
			return
		default:
		}
		if r, err := windows.WaitForSingleObject(s.event, pause); err != nil || r == windows.WAIT_OBJECT_0 {
			s.host.Unmount()
			return
		}
	}
}

// Dir is the drive ("X:") or the folder.
func (s *Server) Dir() string { return s.dir }

// Done is closed when the mount has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Wait waits until the mount has ended.
func (s *Server) Wait() { <-s.done }

// Unmount unmounts and waits for the end. Windows does not refuse it to mounts
// that are in use.
func (s *Server) Unmount() error {
	s.host.Unmount()
	select {
	case <-s.done:
		return nil
	case <-time.After(patience):
		return &BusyError{Dir: s.dir}
	}
}

// Detach is Unmount.
func (s *Server) Detach() error { return s.Unmount() }

// Abort is Unmount, but lets nobody wait for an answer.
func (s *Server) Abort() error {
	s.cancel()
	return s.Unmount()
}

// Run waits for the end and unmounts when the process is told to stop: by
// Ctrl-C, the closing of its window, log-off, or ctx.
func (s *Server) Run(ctx context.Context, _ func(line string)) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	select {
	case <-s.done:
		return nil
	case <-signals:
	case <-ctx.Done():
	}
	return s.Unmount()
}

// Unmount unmounts an image that is mounted on a drive or folder by this or
// another process, and waits until that process has ended. One that does not
// listen is ended, and so is one that listens but has not ended after a minute:
// on a busy machine much is to be written and told before. The error wraps [os.ErrPermission] when that process has more
// rights than this one.
func Unmount(ctx context.Context, dir string, _ bool) error {
	r, err := findRecord(dir)
	if err != nil {
		return err
	}
	told := r.tell()
	if errors.Is(told, os.ErrPermission) {
		return told
	}
	most := time.Minute
	if told != nil {
		most = patience
	}
	if ended, err := r.awaitEnd(ctx, most); ended || err != nil {
		return err
	}
	p, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(r.PID))
	if err == nil {
		err = windows.TerminateProcess(p, 1)
		windows.CloseHandle(p)
	}
	if err != nil && alive(&r) {
		return &PointError{dir, err}
	}
	return nil
}

func findRecord(dir string) (Record, error) {
	name := dir
	if letter, ok := driveLetter(dir); ok {
		name = string(letter) + ":"
	} else if abs, err := filepath.Abs(dir); err == nil {
		name = abs
	}
	list, err := Mounts()
	for _, r := range list {
		if strings.EqualFold(r.Dir, name) {
			return r, nil
		}
	}
	if err == nil {
		err = &PointError{dir, ErrNotMounted}
	}
	return Record{}, err
}

// alive says that the process of a record still runs; WinFsp ends a mount with
// its process. One that this process may not even look at runs.
func alive(r *Record) bool {
	start, err := processStart(r.PID)
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || err == nil && r.Start != "" && start == r.Start
}

func addUnregistered(list []Record) []Record { return list }

// startTime tells one process from a later one with the same number. Empty when
// there is no such process.
func startTime(pid int) string {
	start, _ := processStart(pid)
	return start
}

var errEnded = errors.New("the process has ended")

func processStart(pid int) (string, error) {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(p)
	var code uint32
	const running = 259 // STILL_ACTIVE
	if err := windows.GetExitCodeProcess(p, &code); err != nil || code != running {
		return "", errors.Join(errEnded, err)
	}
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(p, &created, &exited, &kernel, &user); err != nil {
		return "", err
	}
	return fmt.Sprint(created.Nanoseconds()), nil
}
