package nbd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"vitrine/blockdev"
)

// request is one command of a client.
//
//	off len field
//	  0   4 magic  0x25609513
//	  4   2 flags
//	  6   2 type
//	  8   8 cookie
//	 16   8 offset bytes
//	 24   4 length bytes
type request struct {
	flags, cmd uint16
	cookie     uint64
	off        int64
	n          int64
	payload    []byte // of a write
}

const requestLen = 28

// job is a request that may run, or must be refused.
type job struct {
	r    *request
	bad  errno
	held int64 // bytes of the server's memory
}

// crowd is how many requests in turn go to workers at first, and after a client
// was seen to ask for more before it was answered.
const crowd = 64

// transmit serves requests until the client leaves. Requests run in parallel;
// it returns when all are done. Of a client that asks for one thing at a time,
// where the system tells that it does, reads run where they were received:
// handing them over would cost more than answering them from memory. Long ones
// do not, which a client may not take while it has something to send.
func (c *conn) transmit() error {
	c.nc.SetDeadline(time.Time{})
	p := pool{c: c, jobs: make(chan job)}
	defer p.wait()
	c.ahead = crowd
	for c.ctx.Err() == nil {
		c.in.eager = c.ahead == 0
		j, err := c.next()
		if c.work.Err() != nil {
			return nil // given up: an answer could not be sent
		}
		if err != nil || j.r.cmd == cmdDisc {
			return err
		}
		if c.r.Buffered() > 0 || c.busy.Load() > 0 || !c.in.looks() {
			c.ahead = crowd
		}
		if c.ahead == 0 && j.r.cmd == cmdRead && j.r.n <= maxPiece {
			c.alone = true
			c.run(j)
			c.alone = false
			continue
		}
		c.ahead = max(c.ahead-1, 0)
		p.hand(j)
	}
	return nil
}

// pool runs requests in parallel.
type pool struct {
	c       *conn
	jobs    chan job
	started int
	running sync.WaitGroup
}

// hand gives a request to a worker.
func (p *pool) hand(j job) {
	p.c.busy.Add(1)
	select {
	case p.jobs <- j: // somebody is idle
		return
	default:
	}
	if p.started < workers {
		p.started++
		p.running.Go(p.labour)
	}
	p.jobs <- j
}

// labour runs requests one after the other.
func (p *pool) labour() {
	for j := range p.jobs {
		p.c.run(j)
	}
}

func (p *pool) wait() {
	close(p.jobs)
	p.running.Wait()
}

// next reads a request, checks it, and waits until there is memory for it.
func (c *conn) next() (job, error) {
	r, err := c.readRequest()
	if err != nil || r.cmd == cmdDisc {
		return job{r: r}, err
	}
	bad := c.check(r)
	if bad != 0 {
		return job{r, bad, 0}, c.skipPayload(r)
	}
	held, err := c.admit(r)
	return job{r, 0, held}, err
}

func (c *conn) readRequest() (*request, error) {
	var h [requestLen]byte
	if n, err := io.ReadFull(c.r, h[:]); err != nil {
		if n == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) || c.ctx.Err() != nil) {
			return &request{cmd: cmdDisc}, nil
		}
		return nil, err
	}
	if m := be.Uint32(h[:]); m != magicRequest {
		return nil, fmt.Errorf("%w: request magic %#x", errProtocol, m)
	}
	return &request{
		flags: be.Uint16(h[4:]), cmd: be.Uint16(h[6:]), cookie: be.Uint64(h[8:]),
		off: int64(be.Uint64(h[16:])), n: int64(be.Uint32(h[24:])),
	}, nil
}

// allowed are the flags that a command may have.
var allowed = map[uint16]uint16{
	cmdRead:        cmdFlagFUA | cmdFlagDF,
	cmdWrite:       cmdFlagFUA,
	cmdFlush:       cmdFlagFUA,
	cmdTrim:        cmdFlagFUA,
	cmdCache:       cmdFlagFUA,
	cmdWriteZeroes: cmdFlagFUA | cmdFlagNoHole | cmdFlagFastZero,
	cmdBlockStatus: cmdFlagFUA | cmdFlagReqOne,
}

func (r *request) writes() bool {
	return r.cmd == cmdWrite || r.cmd == cmdTrim || r.cmd == cmdWriteZeroes
}

// check returns why a request cannot be run, or 0.
func (c *conn) check(r *request) errno {
	flags, known := allowed[r.cmd]
	outside := blockdev.Check(r.off, r.n, c.dev.Size()) != nil
	switch {
	case !known || r.flags&^flags != 0:
		return eInval
	case r.writes() && c.writable == nil:
		return ePerm
	case r.cmd == cmdFlush:
		return 0
	case outside && (r.cmd == cmdWrite || r.cmd == cmdWriteZeroes):
		return eNoSpc
	case outside, (r.cmd == cmdRead || r.cmd == cmdWrite) && r.n > maxRequest:
		return eInval
	case r.cmd == cmdRead && r.flags&cmdFlagDF != 0 && !c.structured:
		return eInval
	case r.cmd == cmdBlockStatus && (r.n == 0 || len(c.meta) == 0):
		return eInval
	}
	return 0
}

// skipPayload passes over what a refused write brought along.
func (c *conn) skipPayload(r *request) error {
	if r.cmd != cmdWrite {
		return nil
	}
	if r.n > 2*maxRequest {
		return fmt.Errorf("%w: a write of %d bytes", errProtocol, r.n)
	}
	return c.timed(func() error {
		_, err := io.CopyN(io.Discard, c.r, r.n)
		return err
	})
}

// timed runs a read from the client that must not take long.
func (c *conn) timed(read func() error) error {
	c.nc.SetReadDeadline(time.Now().Add(ioTime))
	if err := read(); err != nil {
		return err
	}
	c.nc.SetReadDeadline(time.Time{})
	return c.ctx.Err()
}

// admit waits until there is memory for the request, and reads the payload of
// a write. It returns how many bytes of memory the request holds.
func (c *conn) admit(r *request) (held int64, err error) {
	held = c.needs(r)
	if err := c.share.Acquire(c.work, held); err != nil {
		return 0, err
	}
	if err := c.s.memory.Acquire(c.work, held); err != nil {
		c.share.Release(held)
		return 0, err
	}
	if r.cmd == cmdWrite {
		r.payload = getBuffer(int(r.n))
		err = c.timed(func() error { _, err := io.ReadFull(c.r, r.payload); return err })
	}
	if err != nil {
		c.release(held)
	}
	return held, err
}

func (c *conn) release(held int64) {
	c.s.memory.Release(held)
	c.share.Release(held)
}

func (c *conn) needs(r *request) int64 {
	switch {
	case r.cmd == cmdWrite, r.cmd == cmdRead && c.whole(r):
		return bufferSize(r.n + headRoom)
	case r.cmd == cmdRead, r.cmd == cmdCache:
		return bufferSize(min(r.n, maxPiece) + headRoom)
	case r.cmd == cmdBlockStatus:
		return maxExtents * 8
	}
	return 0
}

// whole reports whether a read is answered in one piece.
func (c *conn) whole(r *request) bool { return !c.structured || r.flags&cmdFlagDF != 0 }

// run carries out a request and answers it. When the answer cannot be sent the
// connection is of no more use: closing it ends the reading side too, and
// nothing is worked out for requests that came with it.
func (c *conn) run(j job) {
	if err := c.answerRequest(j.r, j.bad); err != nil {
		c.nc.Close()
		c.cancel()
	}
	putBuffer(j.r.payload)
	c.release(j.held)
}

func (c *conn) answerRequest(r *request, bad errno) error {
	switch {
	case bad != 0:
		return c.fail(r, bad, "")
	case r.cmd == cmdRead && c.structured:
		return c.readStructured(r)
	case r.cmd == cmdRead:
		return c.readSimple(r)
	case r.cmd == cmdBlockStatus:
		return c.blockStatus(r)
	}
	if err := c.modify(r); err != nil {
		return c.fail(r, errnoOf(err), err.Error())
	}
	return c.done(r)
}

// modify runs the commands that answer nothing but success.
func (c *conn) modify(r *request) (err error) {
	switch r.cmd {
	case cmdWrite:
		_, err = c.writable.WriteAtContext(c.work, r.payload, r.off)
	case cmdTrim:
		err = c.writable.ZeroRange(c.work, r.off, r.n, true)
	case cmdWriteZeroes:
		err = c.writable.ZeroRange(c.work, r.off, r.n, r.flags&cmdFlagNoHole == 0)
	case cmdCache:
		return c.cache(c.work, r)
	}
	flush := r.cmd == cmdFlush || r.writes() && r.flags&cmdFlagFUA != 0
	if err != nil || !flush || c.writable == nil {
		return err
	}
	return c.writable.Flush(c.work)
}

// cache reads the range so that later reads are quick; at most as much as one
// read may be.
func (c *conn) cache(ctx context.Context, r *request) error {
	b := getBuffer(int(min(r.n, maxPiece)))
	defer putBuffer(b)
	for at, end := r.off, r.off+min(r.n, maxRequest); at < end; at += int64(len(b)) {
		if err := blockdev.ReadFull(ctx, c.dev, b[:min(int64(len(b)), end-at)], at); err != nil {
			return err
		}
	}
	return nil
}
