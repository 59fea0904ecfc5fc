package iscsi

import (
	"context"
	"errors"
	"time"
)

// Task attributes, RFC 7143 section 11.3.1.
const (
	attrSimple  = 1
	attrOrdered = 2
)

var errAborted = errors.New("aborted")

// task is one SCSI command.
type task struct {
	c         *conn
	ctx       context.Context
	cancel    context.CancelCauseFunc
	done      chan struct{}
	itt       uint32
	field     uint64 // LUN as sent
	lun       *LUN   // nil: no such disk
	cdb       [16]byte
	attribute byte
	immediate bool
	reads     bool
	writes    bool
	expected  int // bytes to transfer, as the initiator has it

	given []byte // data that came with the command
	burst chan struct{}

	// Of the data being received; guarded by c.mu.
	buf      []byte
	base     int // where buf begins in the command's data
	ttt      uint32
	broken   bool // data came that does not fit
	at, end  int  // what remains of the burst
	dataSN   uint32
	held     int64   // bytes of the server's memory
	borrowed *[]byte // from pieces
	dataInSN uint32

	last   *pdu // Data-In that is not sent yet
	wanted int  // bytes that the command would transfer
	moved  int  // bytes that were
}

func (c *conn) newTask(p *pdu) *task {
	t := &task{c: c, done: make(chan struct{}), burst: make(chan struct{}, 1), itt: p.itt(),
		field: p.lun(), lun: c.lunOf(p.lun()), cdb: [16]byte(p.bhs[32:48]), attribute: p.flags() & 7,
		reads: p.flags()&flagRead != 0, writes: p.flags()&flagWrite != 0,
		expected: int(p.u32(20)), given: p.data}
	t.ctx, t.cancel = context.WithCancelCause(c.work)
	return t
}

// abort ends the task without an answer and waits until it has ended, or its
// connection has.
func (t *task) abort() {
	t.cancel(errAborted)
	select {
	case <-t.done:
	case <-t.c.work.Done():
	}
}

// release gives back what the task holds.
func (t *task) release() {
	t.c.s.memory.Release(t.held)
	if t.borrowed != nil {
		pieces.Put(t.borrowed)
	}
}

// hold takes n bytes of the server's memory until the task ends.
func (t *task) hold(n int) error {
	if err := t.c.s.memory.Acquire(t.ctx, int64(n)); err != nil {
		return err
	}
	t.held += int64(n)
	return nil
}

// receive gets the n bytes that the command wants from the initiator, or as
// many as that has, and holds them in memory with more bytes for the command's
// own use.
func (t *task) receive(n, more int) ([]byte, error) {
	var all []byte
	err := t.stream(n, n, more, func(b []byte, _ int) error { all = b; return nil })
	return all, err
}

// stream gets n bytes from the initiator, or as many as that has, and passes
// them on in pieces of at most most bytes: what came along with the command,
// and bursts that are asked for. A piece is valid during the call of take,
// the last one until the task ends. The memory for a piece and more bytes is
// taken at once: commands that hold some and wait for more wait for ever.
func (t *task) stream(n, most, more int, take func(b []byte, at int) error) error {
	t.wanted = n
	if !t.writes {
		return nil
	}
	n = min(n, t.expected)
	if n <= len(t.given) {
		if err := t.hold(more); err != nil {
			return err
		}
		t.moved = n
		return take(t.given[:n], 0)
	}
	most = min(n, most)
	if err := t.hold(roomSize(most) + more); err != nil {
		return err
	}
	buf := t.room(most)
	for at := 0; at < n; at += len(buf) {
		buf = buf[:min(len(buf), n-at)]
		if err := t.gather(buf, at); err != nil {
			return err
		}
		t.moved = at + len(buf)
		if err := take(buf, at); err != nil {
			return err
		}
	}
	return nil
}

// room borrows n bytes, until the task ends if there are many of them.
func (t *task) room(n int) []byte {
	if !shares(n) {
		return make([]byte, n)
	}
	t.borrowed = pieces.Get().(*[]byte)
	return (*t.borrowed)[:n]
}

// shares says that n bytes come from the pool of pieces.
func shares(n int) bool { return n > 64<<10 && n <= maxPiece }

// roomSize is what room(n) really takes.
func roomSize(n int) int {
	if shares(n) {
		return maxPiece
	}
	return n
}

// gather fills buf with the command's data from byte at on.
func (t *task) gather(buf []byte, at int) error {
	have := 0
	if at < len(t.given) {
		have = copy(buf, t.given[at:])
	}
	for have < len(buf) {
		next := min(len(buf), have+t.c.p.burst)
		if err := t.ask(buf, have, next, at); err != nil {
			return err
		}
		have = next
	}
	return nil
}

// ask gets one burst: bytes at to end of buf, which begins at byte base of the
// command's data.
func (t *task) ask(buf []byte, at, end, base int) error {
	t.c.mu.Lock()
	t.c.nextTTT++
	if t.c.nextTTT == noTag {
		t.c.nextTTT = 0
	}
	sn := t.dataInSN
	t.dataInSN++
	t.buf, t.base, t.ttt, t.at, t.end, t.dataSN = buf, base, t.c.nextTTT, at, end, 0
	t.c.mu.Unlock()
	r := newPDU(opR2T, flagFinal, t.itt)
	be.PutUint64(r.bhs[8:], t.field)
	r.set(20, t.ttt)
	r.set(36, sn)
	r.set(40, uint32(base+at))
	r.set(44, uint32(end-at))
	if err := t.c.send(r, false); err != nil {
		return err
	}
	return t.await()
}

func (t *task) await() error {
	timer := time.NewTimer(ioTime)
	defer timer.Stop()
	select {
	case <-t.burst:
		t.c.mu.Lock()
		defer t.c.mu.Unlock()
		if t.broken {
			return &senseError{key: keyAborted, asc: ascDataCRC}
		}
		return nil
	case <-t.ctx.Done():
		t.c.mu.Lock()
		defer t.c.mu.Unlock()
		t.buf = nil // late data must not be written to it
		return t.ctx.Err()
	case <-timer.C:
		t.c.hangUp(errTimeout)
		return errTimeout
	}
}

// dataOut takes in data that was asked for. Data of aborted tasks is ignored;
// data that does not fit ends its command, not the session.
//
//	off len field
//	 20   4 target transfer tag
//	 36   4 DataSN
//	 40   4 buffer offset, bytes
func (c *conn) dataOut(p *pdu) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tasks[p.itt()]
	if t == nil || t.buf == nil || t.ctx.Err() != nil {
		return nil
	}
	n, final := len(p.data), p.flags()&flagFinal != 0
	if p.u32(20) != t.ttt || p.u32(36) != t.dataSN || int64(p.u32(40)) != int64(t.base+t.at) || n > t.end-t.at || final != (n == t.end-t.at) {
		t.buf, t.broken = nil, true // what follows of this burst is ignored
		t.burst <- struct{}{}
		return nil
	}
	t.at += copy(t.buf[t.at:], p.data)
	t.dataSN++
	if final {
		t.buf = nil
		t.burst <- struct{}{}
	}
	return nil
}

// give sends the whole answer of a command that is no read: as much as the
// allocation length of the command and the initiator take.
func (t *task) give(b []byte, allocation int) error {
	b = b[:min(len(b), allocation)]
	t.wanted = len(b)
	if !t.reads {
		return nil
	}
	return t.sendData(b[:min(len(b), t.expected)])
}

// sendData sends bytes that follow on those sent before. The last PDU waits for
// the status, so that b must stay as it is until the task ends.
func (t *task) sendData(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), t.c.p.maxSend, t.c.p.burst-t.moved%t.c.p.burst)
		p := newPDU(opDataIn, 0, t.itt)
		p.set(20, noTag)
		p.set(36, t.dataInSN)
		p.set(40, uint32(t.moved))
		p.data = b[:n]
		t.dataInSN++
		t.moved += n
		b = b[n:]
		if t.moved == min(t.wanted, t.expected) {
			t.last = p
			return nil
		}
		if t.moved%t.c.p.burst == 0 {
			p.bhs[1] = flagFinal
		}
		if err := t.c.send(p, false); err != nil {
			return err
		}
	}
	return nil
}

// SCSI status codes.
const (
	statusGood     = 0x00
	statusCheck    = 0x02
	statusConflict = 0x18
)

// respond sends the status, with sense data if it is not good.
func (t *task) respond(err error) error {
	if t.last != nil {
		t.last.bhs[1] = flagFinal
		if err == nil {
			t.last.bhs[1] |= flagStatus
			t.residual(t.last)
			return t.c.send(t.last, true)
		}
		if err := t.c.send(t.last, false); err != nil {
			return err
		}
	}
	rsp := newPDU(opResponse, flagFinal, t.itt)
	rsp.set(36, t.dataInSN) // ExpDataSN
	switch se, ok := errors.AsType[*senseError](err); {
	case err == nil:
	case errors.Is(err, errConflict):
		rsp.bhs[3] = statusConflict
	case ok:
		rsp.bhs[3] = statusCheck
		sense := se.encode(t.descriptorSense())
		rsp.data = append(be.AppendUint16(nil, uint16(len(sense))), sense...)
	default:
		return err
	}
	t.residual(rsp)
	return t.c.send(rsp, true)
}

// residual tells by how much the transfer differs from what was expected.
func (t *task) residual(rsp *pdu) {
	wanted := t.wanted
	if rsp.bhs[3] != statusGood { // what was not moved is missing
		wanted = t.moved
	}
	switch {
	case wanted > t.expected:
		rsp.bhs[1] |= flagOverflow
		rsp.set(44, uint32(wanted-t.expected))
	case wanted < t.expected:
		rsp.bhs[1] |= flagUnder
		rsp.set(44, uint32(t.expected-wanted))
	}
}
