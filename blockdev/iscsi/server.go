package iscsi

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"vitrine/blockdev"
)

// Limits that no option changes.
const (
	queueDepth    = 32       // commands of a session at a time
	maxImmediates = 8        // immediate commands beside them
	maxTransfer   = 32 << 20 // bytes of one command
	maxHeld       = 8 << 20  // bytes of one that must be in memory as a whole
	maxPiece      = 1 << 20  // bytes of others that are held at once
	loginTime     = 30 * time.Second
	ioTime        = 30 * time.Second // for one PDU to, or one burst from, an initiator
	graceTime     = 5 * time.Second  // for running commands when the server stops
)

// Server serves targets. Its fields must not change while it serves.
type Server struct {
	Targets []*Target
	// MaxConns bounds connections; more are closed at once. 0: 64.
	MaxConns int
	// MaxMemory bounds the bytes that all running commands hold, beside the
	// 64 KiB that may come with each. 0: 256 MiB; at least 16 MiB.
	MaxMemory int64
	// OnError, if set, is told why a connection ended badly. It may be called
	// in parallel.
	OnError func(client net.Addr, err error)

	once   sync.Once
	memory *semaphore.Weighted
	slots  *semaphore.Weighted

	mu       sync.Mutex
	sessions map[string]*conn // by target, initiator and ISID
	lastTSIH uint16
}

// Target is one name with its disks.
type Target struct {
	// Name is an iSCSI name: "iqn.2026-01.example:disk".
	Name string
	// LUNs are the disks; the place is the number. At most 256.
	LUNs []*LUN
	// Auth, if set, demands CHAP.
	Auth *CHAP
}

// LUN is one disk.
type LUN struct {
	Device blockdev.Device
	// ReadOnly write-protects a writable device.
	ReadOnly bool
	// Serial tells this disk apart from all others, also from the disk that
	// the image was taken of; at most 32 printable characters.
	Serial string
	// Product is shown as the disk's model; at most 16 characters. "": "Image".
	Product string

	unit unit
}

// Serve accepts connections from l, which it closes, until ctx ends; then
// running commands get a few seconds to finish. It may be called for several
// listeners. The error is nil after ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if err := s.init(); err != nil {
		l.Close()
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if nc != nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // out of descriptors, most likely: wait and go on
			time.Sleep(50 * time.Millisecond)
		case !s.slots.TryAcquire(1):
			nc.Close()
		default:
			conns.Go(func() { defer s.slots.Release(1); s.serve(ctx, nc) })
		}
	}
}

func (s *Server) serve(ctx context.Context, nc net.Conn) {
	err := s.ServeConn(ctx, nc)
	if err != nil && ctx.Err() == nil && s.OnError != nil {
		s.OnError(nc.RemoteAddr(), err)
	}
}

// ServeConn serves one connection, which it closes, until the initiator leaves
// or ctx ends.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) error {
	if err := s.init(); err != nil {
		nc.Close()
		return err
	}
	c := newConn(ctx, s, nc)
	defer c.close()
	defer c.detach()
	ok, err := c.login()
	if ok && err == nil {
		err = c.fullFeature()
	}
	return c.ending(err)
}

// Ends that are told.
var (
	errTimeout = errors.New("the initiator sends no data")
	errDeaf    = errors.New("the initiator takes no answers")
	errSlow    = errors.New("the initiator does not log in")
	errCut     = errors.New("the initiator hung up in the middle of a message")
)

// ending is what to tell of a connection that ended with err: nothing when the
// initiator hung up, or when it was no fault of its own.
func (c *conn) ending(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ctx.Err() != nil:
		return nil
	case c.why != nil: // reading only noticed that the connection was closed
		return c.why
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	case err == io.EOF, broken(err):
		return nil
	}
	return err
}

// broken says that the connection is no more, for whatever reason.
func broken(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}

func (s *Server) init() (err error) {
	s.once.Do(func() { s.prepare() })
	for _, t := range s.Targets {
		if len(t.LUNs) > 256 || len(t.Name) > 223 || t.Name == "" {
			err = errors.Join(err, fmt.Errorf("target %.40q: a name of at most 223 bytes and at most 256 disks", t.Name))
		}
		for i, l := range t.LUNs {
			if l.unit.blocks == 0 {
				err = errors.Join(err, fmt.Errorf("target %.40q: disk %d has no sector", t.Name, i))
			}
		}
	}
	return err
}

func (s *Server) prepare() {
	if s.MaxConns <= 0 {
		s.MaxConns = 64
	}
	if s.MaxMemory <= 0 {
		s.MaxMemory = 256 << 20
	}
	s.memory = semaphore.NewWeighted(max(s.MaxMemory, 2*maxHeld)) // what is compared is there twice
	s.slots = semaphore.NewWeighted(int64(s.MaxConns))
	s.sessions = map[string]*conn{}
	for _, t := range s.Targets {
		for _, l := range t.LUNs {
			l.unit.prepare(l)
		}
	}
}

func (s *Server) target(name string) *Target {
	for _, t := range s.Targets {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// enter makes c the session of its initiator. An older one with the same
// identity ends first, as section 6.3.5 wants.
func (s *Server) enter(c *conn) {
	for {
		s.mu.Lock()
		old := s.sessions[c.identity()]
		if old == nil {
			s.lastTSIH = max(1, s.lastTSIH+1)
			c.tsih = s.lastTSIH
			s.sessions[c.identity()] = c
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		old.hangUp(nil)
		<-old.gone
	}
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[c.identity()] == c {
		delete(s.sessions, c.identity())
	}
}

// each calls f for every session of a target.
func (s *Server) each(t *Target, f func(c *conn)) {
	s.mu.Lock()
	var all []*conn
	for _, c := range s.sessions {
		if c.target == t {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// conn is one connection, and the session that it carries.
type conn struct {
	s      *Server
	ctx    context.Context // ends when the server stops
	work   context.Context // of commands: ends when the connection is closed
	cancel context.CancelFunc
	quit   func() bool
	nc     net.Conn
	r      *bufio.Reader
	gone   chan struct{}

	// Settled by the login.
	initiator string
	isid      [6]byte
	target    *Target // nil in a discovery session
	tsih      uint16
	p         params

	mu          sync.Mutex // guards what follows
	expCmdSN    uint32
	outstanding uint32 // commands that count in the window
	immediates  int
	tasks       map[uint32]*task // by initiator task tag
	held        map[uint32]*task // by CmdSN: came too early
	nextTTT     uint32
	why         error // it was hung up on, when that is to be told

	wmu    sync.Mutex // guards sending
	statSN uint32

	order     chan *task
	running   sync.WaitGroup // commands
	functions sync.WaitGroup // of task management
	managers  chan struct{}  // bounds them
}

func newConn(ctx context.Context, s *Server, nc net.Conn) *conn {
	c := &conn{s: s, ctx: ctx, nc: nc, r: bufio.NewReaderSize(nc, 16<<10), gone: make(chan struct{}), p: newParams(),
		tasks: map[uint32]*task{}, held: map[uint32]*task{}, order: make(chan *task, queueDepth+maxImmediates),
		managers: make(chan struct{}, maxImmediates)}
	c.work, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.quit = context.AfterFunc(ctx, func() {
		nc.SetReadDeadline(time.Unix(1, 0))
		t := time.AfterFunc(graceTime, func() { nc.Close() })
		context.AfterFunc(c.work, func() { t.Stop() })
	})
	return c
}

// hangUp ends the connection beside the reading of PDUs. The first reason counts;
// nil, and that it had ended or was broken already, are none.
func (c *conn) hangUp(why error) {
	c.mu.Lock()
	if c.why == nil && c.work.Err() == nil && !broken(why) {
		c.why = why
	}
	c.mu.Unlock()
	c.nc.Close()
}

func (c *conn) close() {
	c.quit()
	c.nc.Close()
	c.cancel()
}

// identity names the session: RFC 7143's I_T nexus.
func (c *conn) identity() string {
	name := ""
	if c.target != nil {
		name = c.target.Name
	} else {
		name = fmt.Sprintf("discovery %p", c)
	}
	return name + "\x00" + c.nexus()
}

// nexus names the initiator port, as persistent reservations know it.
func (c *conn) nexus() string { return fmt.Sprintf("%s,i,0x%x", c.initiator, c.isid) }

// send sends a PDU. Those with a status get the next StatSN.
func (c *conn) send(p *pdu, status bool) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if p.op() != opDataIn || status {
		p.set(24, c.statSN)
	}
	if status {
		c.statSN++
	}
	c.window(p)
	c.nc.SetWriteDeadline(time.Now().Add(ioTime))
	bufs := net.Buffers(p.encode(c.p.digests))
	_, err := bufs.WriteTo(c.nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errDeaf
	}
	return err
}

// window tells the initiator which commands it may send.
func (c *conn) window(p *pdu) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.set(28, c.expCmdSN)
	p.set(32, c.expCmdSN+queueDepth-c.outstanding-1)
}

// naa makes a locally assigned NAA name out of a serial number.
func naa(serial string) [8]byte {
	sum := sha256.Sum256([]byte("vitrine disk " + serial))
	sum[0] = sum[0]&0x0f | 0x30
	return [8]byte(sum[:8])
}
