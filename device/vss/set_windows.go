package vss

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Options of a set. The zero value works.
type Options struct {
	// Timeout bounds each step in which applications take part; 0: 5 minutes.
	Timeout time.Duration
	// Retry is the pause before asking again while another program makes a
	// set; 0: 5 seconds.
	Retry time.Duration
}

func (o *Options) fill() {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.Retry <= 0 {
		o.Retry = 5 * time.Second
	}
}

// Methods of IVssBackupComponents and IVssAsync.
const (
	initializeForBackup  slot = 5
	setBackupState       slot = 6
	gatherWriterMetadata slot = 9
	freeWriterMetadata   slot = 12
	prepareForBackup     slot = 14
	abortBackup          slot = 15
	gatherWriterStatus   slot = 16
	getWriterStatusCount slot = 17
	freeWriterStatus     slot = 18
	getWriterStatus      slot = 19
	backupComplete       slot = 27
	startSnapshotSet     slot = 36
	addToSnapshotSet     slot = 37
	doSnapshotSet        slot = 38
	deleteSnapshots      slot = 39
	snapshotProperties   slot = 42
	isVolumeSupported    slot = 44

	asyncCancel slot = 3
	asyncWait   slot = 4
	asyncStatus slot = 5
)

// Set is a set of shadow copies, made at one moment.
type Set struct {
	o      Options
	thread *thread
	com    *object

	copies  []*shadow
	skipped map[string]error
	writers []string // that failed

	gathered, prepared, made bool

	// What calls read and write lies here, on the heap.
	id, null windows.GUID
	async    *object
	status   HResult
	flag     int32
	prop     properties
	writer   writerStatus
}

// shadow is one volume's copy.
type shadow struct {
	volume string
	name   *uint16 // the volume's, for calls
	id     windows.GUID
	device string
}

// properties is VSS_SNAPSHOT_PROP.
type properties struct {
	id, set                                                   windows.GUID
	count                                                     int32
	device, volume, machine, service, exposedName, exposedDir *uint16
	provider                                                  windows.GUID
	attributes                                                int32
	created                                                   int64
	state                                                     int32
}

type writerStatus struct {
	count            uint32
	instance, writer windows.GUID
	name             *uint16 // a BSTR
	state            int32
	failure          HResult
}

// Create makes copies of volumes, each named as \\?\Volume{…}\ or X:\. Those that
// cannot have one are left out, see [Set.Skipped]; when that is all of them, the
// error is [ErrNone]. After an error nothing is left behind.
func Create(ctx context.Context, volumes []string, o Options) (*Set, error) {
	o.fill()
	s := &Set{o: o, skipped: map[string]error{}}
	if err := createComponents.Find(); err != nil {
		return nil, step("CreateVssBackupComponents", err)
	}
	var err error
	if s.thread, err = startThread(); err != nil {
		return nil, err
	}
	s.thread.do(func() {
		if err = s.create(ctx, volumes); err != nil {
			s.abandon()
		}
	})
	if err != nil {
		s.thread.stop()
		return nil, err
	}
	return s, nil
}

// Device is what to open in order to read a volume's copy; "" when it has none.
func (s *Set) Device(volume string) string {
	for _, c := range s.copies {
		if c.volume == volume {
			return c.device
		}
	}
	return ""
}

// Skipped says why a volume has no copy; nil when it has one.
func (s *Set) Skipped(volume string) error { return s.skipped[volume] }

// FailedWriters names applications that could not bring their files into order.
func (s *Set) FailedWriters() []string { return s.writers }

// Close tells the applications that the backup is complete, and deletes the
// copies.
func (s *Set) Close() (err error) {
	s.thread.do(func() {
		err = step("BackupComplete", s.wait(context.Background(), backupComplete))
		s.delete()
		s.com.release()
	})
	s.thread.stop()
	return err
}

func (s *Set) create(ctx context.Context, volumes []string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.choose(volumes); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.add(); err != nil {
		return err
	}
	s.prepared = true
	if err := s.wait(ctx, prepareForBackup); err != nil {
		return step("PrepareForBackup", err)
	}
	s.made = true
	if err := s.wait(ctx, doSnapshotSet); err != nil {
		return step("DoSnapshotSet", err)
	}
	s.forget()
	s.askWriters(ctx)
	return s.locate()
}

// begin says what kind of backup this is, and asks the applications for theirs.
func (s *Set) begin(ctx context.Context) error {
	r, _, _ := createComponents.Call(uintptr(unsafe.Pointer(&s.com)))
	if err := result(r); err != nil {
		return step("CreateVssBackupComponents", err)
	}
	if err := s.com.call(initializeForBackup, 0); err != nil {
		return step("InitializeForBackup", err)
	}
	const byComponents, bootable, partial, copyBackup = 0, 1, 0, 5 // VSS_BT_COPY leaves the applications' logs alone
	if err := s.com.call(setBackupState, byComponents, bootable, copyBackup, partial); err != nil {
		return step("SetBackupState", err)
	}
	s.gathered = true
	return step("GatherWriterMetadata", s.wait(ctx, gatherWriterMetadata))
}

// choose sorts out the volumes that can have a copy.
func (s *Set) choose(volumes []string) error {
	for _, v := range volumes {
		name, err := windows.UTF16PtrFromString(v)
		if err != nil {
			return step("IsVolumeSupported", err)
		}
		s.flag = 0
		args := append(byValue(&s.null), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&s.flag)))
		err = s.com.call(isVolumeSupported, args...)
		switch code, _ := errors.AsType[HResult](err); {
		case err != nil && !code.unsupported():
			return step("IsVolumeSupported", err)
		case err != nil:
			s.skipped[v] = err
		case s.flag == 0:
			s.skipped[v] = codeNotSupported
		default:
			s.copies = append(s.copies, &shadow{volume: v, name: name})
		}
	}
	if len(s.copies) == 0 {
		return ErrNone
	}
	return nil
}

// start begins the set; only one program at a time can.
func (s *Set) start(ctx context.Context) error {
	deadline := time.Now().Add(s.o.Timeout)
	for {
		err := s.com.call(startSnapshotSet, uintptr(unsafe.Pointer(&s.id)))
		if err != codeInProgress || time.Now().After(deadline) {
			return step("StartSnapshotSet", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.o.Retry):
		}
	}
}

func (s *Set) add() error {
	kept := s.copies[:0]
	for _, c := range s.copies {
		args := append([]uintptr{uintptr(unsafe.Pointer(c.name))}, byValue(&s.null)...)
		err := s.com.call(addToSnapshotSet, append(args, uintptr(unsafe.Pointer(&c.id)))...)
		if code, ok := errors.AsType[HResult](err); ok && code.unsupported() {
			s.skipped[c.volume] = err
			continue
		}
		if err != nil {
			return step("AddToSnapshotSet", fmt.Errorf("%s: %w", c.volume, err))
		}
		kept = append(kept, c)
	}
	if s.copies = kept; len(kept) == 0 {
		return ErrNone
	}
	return nil
}

// forget frees what the applications told.
func (s *Set) forget() {
	if s.gathered {
		s.com.call(freeWriterMetadata)
	}
	s.gathered = false
}

// askWriters notes the applications that failed. That the answer is missing
// changes nothing about the copies.
func (s *Set) askWriters(ctx context.Context) {
	if s.wait(ctx, gatherWriterStatus) != nil {
		return
	}
	defer s.com.call(freeWriterStatus)
	w := &s.writer
	if s.com.call(getWriterStatusCount, uintptr(unsafe.Pointer(&w.count))) != nil {
		return
	}
	const firstFailed, lastFailed = 6, 15 // VSS_WS_FAILED_AT_…
	for i := range min(w.count, 1000) {
		err := s.com.call(getWriterStatus, uintptr(i), uintptr(unsafe.Pointer(&w.instance)), uintptr(unsafe.Pointer(&w.writer)),
			uintptr(unsafe.Pointer(&w.name)), uintptr(unsafe.Pointer(&w.state)), uintptr(unsafe.Pointer(&w.failure)))
		if err != nil {
			continue
		}
		if w.state >= firstFailed && w.state <= lastFailed {
			s.writers = append(s.writers, windows.UTF16PtrToString(w.name))
		}
		sysFreeString.Call(uintptr(unsafe.Pointer(w.name)))
		w.name = nil
	}
}

// locate finds the devices of the copies.
func (s *Set) locate() error {
	for _, c := range s.copies {
		args := append(byValue(&c.id), uintptr(unsafe.Pointer(&s.prop)))
		if err := s.com.call(snapshotProperties, args...); err != nil {
			return step("GetSnapshotProperties", err)
		}
		if s.prop.device != nil {
			c.device = windows.UTF16PtrToString(s.prop.device)
		}
		freeProperties.Call(uintptr(unsafe.Pointer(&s.prop)))
		s.prop = properties{}
		if c.device == "" {
			return step("GetSnapshotProperties", errors.New("it names no device"))
		}
	}
	return nil
}

// wait starts what the service does by itself, and waits until it has.
func (s *Set) wait(ctx context.Context, m slot) error {
	s.async = nil
	if err := s.com.call(m, uintptr(unsafe.Pointer(&s.async))); err != nil {
		return err
	}
	if s.async == nil {
		return errors.New("the service gave nothing to wait for")
	}
	defer s.async.release()
	const pause = 200 // milliseconds
	for deadline := time.Now().Add(s.o.Timeout); ; {
		if err := s.async.call(asyncWait, pause); err != nil {
			return err
		}
		s.status = asyncPending
		if err := s.async.call(asyncStatus, uintptr(unsafe.Pointer(&s.status)), 0); err != nil {
			return err
		}
		switch {
		case s.status == asyncFinished:
			return nil
		case s.status != asyncPending:
			return s.status
		case ctx.Err() != nil:
			s.async.call(asyncCancel)
			return ctx.Err()
		case time.Now().After(deadline):
			s.async.call(asyncCancel)
			return ErrTimeout
		}
	}
}

// abandon undoes what create did before it failed.
func (s *Set) abandon() {
	if s.com == nil {
		return
	}
	s.forget()
	if s.prepared {
		s.com.call(abortBackup)
	}
	if s.made {
		s.delete()
	}
	s.com.release()
}

// delete deletes the copies, which otherwise the service does when it notices
// that nobody holds them.
func (s *Set) delete() {
	const kindSet, force = 2, 1
	args := slices.Concat(byValue(&s.id), []uintptr{kindSet, force, uintptr(unsafe.Pointer(&s.flag)), uintptr(unsafe.Pointer(&s.null))})
	s.com.call(deleteSnapshots, args...)
	runtime.KeepAlive(s)
}
