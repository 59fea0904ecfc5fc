package nbd

import (
	"errors"
	"sync"
	"time"

	"vitrine/blockdev"
)

// Lengths of replies, and the room that is kept before data so that a reply is
// sent in one piece.
const (
	simpleLen     = 16
	structuredLen = 20
	headRoom      = structuredLen + 8
	minExtents    = 64 << 10 // bytes: shorter reads are not searched for holes
)

// Sizes of the buffers that are kept for the next request.
const (
	smallBuffer = 64<<10 + headRoom
	bigBuffer   = maxPiece + headRoom
)

var smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
var bigBuffers = sync.Pool{New: func() any { b := make([]byte, bigBuffer); return &b }}

// bufferSize is what a buffer of n bytes really takes.
func bufferSize(n int64) int64 {
	switch {
	case n <= smallBuffer:
		return smallBuffer
	case n <= bigBuffer:
		return bigBuffer
	}
	return n
}

// getBuffer returns n bytes of any contents.
func getBuffer(n int) []byte {
	switch bufferSize(int64(n)) {
	case smallBuffer:
		return (*smallBuffers.Get().(*[]byte))[:n]
	case bigBuffer:
		return (*bigBuffers.Get().(*[]byte))[:n]
	}
	return make([]byte, n)
}

func putBuffer(b []byte) {
	b = b[:cap(b)]
	switch len(b) {
	case smallBuffer:
		smallBuffers.Put(&b)
	case bigBuffer:
		bigBuffers.Put(&b)
	}
}

// send writes one reply, or one chunk of one. A worker's request is answered, as
// far as counting goes, before the client can see the end of it and ask for more;
// but if it is long, when the client has taken it.
func (c *conn) send(b []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.alone && c.in.waiting() {
		c.ahead = crowd // it has not seen this answer yet
	}
	ends := !c.alone && last(b)
	if ends && len(b) <= smallBuffer {
		c.busy.Add(-1)
	}
	c.nc.SetWriteDeadline(time.Now().Add(ioTime))
	_, err := c.nc.Write(b)
	if ends && len(b) > smallBuffer {
		c.busy.Add(-1)
	}
	return err
}

// last reports whether a reply, or a chunk of one, is the end of it.
func last(b []byte) bool {
	return be.Uint32(b) == magicSimple || be.Uint16(b[4:])&chunkDone != 0
}

// simple fills in the header of a simple reply: magic, error, cookie.
func simple(b []byte, r *request, e errno) {
	be.PutUint32(b, magicSimple)
	be.PutUint32(b[4:], uint32(e))
	be.PutUint64(b[8:], r.cookie)
}

// chunk fills in the header of a structured reply: magic, flags, type, cookie,
// length of what follows.
func chunk(b []byte, r *request, flags, kind uint16, n int) {
	be.PutUint32(b, magicStructured)
	be.PutUint16(b[4:], flags)
	be.PutUint16(b[6:], kind)
	be.PutUint64(b[8:], r.cookie)
	be.PutUint32(b[16:], uint32(n))
}

func (c *conn) done(r *request) error {
	b := make([]byte, simpleLen)
	simple(b, r, 0)
	return c.send(b)
}

func (c *conn) fail(r *request, e errno, msg string) error {
	if !c.structured {
		b := make([]byte, simpleLen)
		simple(b, r, e)
		return c.send(b)
	}
	msg = clip(msg)
	b := make([]byte, structuredLen, structuredLen+6+len(msg))
	chunk(b, r, chunkDone, chunkError, 6+len(msg))
	b = be.AppendUint32(b, uint32(e))
	b = be.AppendUint16(b, uint16(len(msg)))
	return c.send(append(b, msg...))
}

func (c *conn) readSimple(r *request) error {
	b := getBuffer(headRoom + int(r.n))
	defer putBuffer(b)
	b = b[headRoom-simpleLen:]
	if err := blockdev.ReadFull(c.work, c.dev, b[simpleLen:], r.off); err != nil {
		return c.fail(r, errnoOf(err), "")
	}
	simple(b, r, 0)
	return c.send(b)
}

// extent is a part of a reply.
type extent struct {
	off, n int64
	flags  uint32
}

// readStructured answers with a chunk for each hole and each piece of data.
func (c *conn) readStructured(r *request) error {
	if r.n == 0 {
		return c.chunkOnly(r)
	}
	parts, err := c.parts(r)
	if err != nil {
		return c.fail(r, errnoOf(err), err.Error())
	}
	for i, p := range parts {
		var flags uint16
		if i == len(parts)-1 {
			flags = chunkDone
		}
		if p.flags&stateZero != 0 {
			err = c.sendHole(r, p, flags)
		} else {
			err = c.sendData(r, p, flags)
		}
		if err != nil {
			return c.readFailed(r, err)
		}
	}
	return nil
}

// chunkOnly ends a reply that has no contents.
func (c *conn) chunkOnly(r *request) error {
	b := make([]byte, structuredLen)
	chunk(b, r, chunkDone, chunkNone, 0)
	return c.send(b)
}

// readError is an error of the device, not of the connection.
type readError struct {
	off int64
	err error
}

func (e *readError) Error() string { return e.err.Error() }

// readFailed tells the client about a device's error in the middle of a reply.
func (c *conn) readFailed(r *request, err error) error {
	re, ok := errors.AsType[*readError](err)
	if !ok {
		return err
	}
	msg := clip(re.Error())
	b := make([]byte, structuredLen, structuredLen+14+len(msg))
	chunk(b, r, chunkDone, chunkErrorOffset, 14+len(msg))
	b = be.AppendUint32(b, uint32(errnoOf(re.err)))
	b = be.AppendUint16(b, uint16(len(msg)))
	b = append(b, msg...)
	return c.send(be.AppendUint64(b, uint64(re.off)))
}

// parts cuts a read into holes and pieces of data. A client that asked not to
// fragment, or for little, gets one piece.
func (c *conn) parts(r *request) ([]extent, error) {
	if r.flags&cmdFlagDF != 0 || r.n < minExtents {
		return []extent{{r.off, r.n, 0}}, nil
	}
	found, err := c.extents(r, metaAllocation, maxExtents)
	if err != nil {
		return nil, err
	}
	var parts []extent
	end := r.off
	for _, e := range found {
		end = e.off + e.n
		parts = appendPieces(parts, e)
	}
	return appendPieces(parts, extent{end, r.off + r.n - end, 0}), nil
}

func appendPieces(parts []extent, e extent) []extent {
	for e.flags&stateZero == 0 && e.n > maxPiece {
		parts = append(parts, extent{e.off, maxPiece, 0})
		e.off, e.n = e.off+maxPiece, e.n-maxPiece
	}
	if e.n > 0 {
		parts = append(parts, e)
	}
	return parts
}

func (c *conn) sendHole(r *request, p extent, flags uint16) error {
	b := make([]byte, structuredLen, structuredLen+12)
	chunk(b, r, flags, chunkHole, 12)
	b = be.AppendUint64(b, uint64(p.off))
	return c.send(be.AppendUint32(b, uint32(p.n)))
}

func (c *conn) sendData(r *request, p extent, flags uint16) error {
	b := getBuffer(headRoom + int(p.n))
	defer putBuffer(b)
	if err := blockdev.ReadFull(c.work, c.dev, b[headRoom:], p.off); err != nil {
		return &readError{p.off, err}
	}
	chunk(b, r, flags, chunkData, 8+int(p.n))
	be.PutUint64(b[structuredLen:], uint64(p.off))
	return c.send(b)
}

// extents returns up to limit ranges of the request with their flags in a
// metadata context, neighbours with equal flags as one.
func (c *conn) extents(r *request, context string, limit int) (es []extent, err error) {
	err = c.dev.Extents(c.work, r.off, r.n, func(off, n int64, k blockdev.Kind) bool {
		f := stateOf(context, k)
		if last := len(es) - 1; last >= 0 && es[last].flags == f {
			es[last].n += n
			return true
		}
		if len(es) == limit {
			return false
		}
		es = append(es, extent{off, n, f})
		return true
	})
	return es, err
}

func stateOf(context string, k blockdev.Kind) uint32 {
	switch {
	case context == metaKind:
		return uint32(k)
	case k == blockdev.Hole:
		return stateHole | stateZero
	case k == blockdev.Zero:
		return stateZero
	}
	return 0
}

// blockStatus answers with one chunk for each selected context.
func (c *conn) blockStatus(r *request) error {
	limit := maxExtents
	if r.flags&cmdFlagReqOne != 0 {
		limit = 1
	}
	for i, id := range c.meta {
		es, err := c.extents(r, metaContexts[id], limit)
		if err == nil && len(es) == 0 {
			err = errors.New("the device says nothing of this range")
		}
		if err != nil {
			return c.fail(r, errnoOf(err), err.Error())
		}
		if err := c.sendStatus(r, id, es, i == len(c.meta)-1); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) sendStatus(r *request, id int, es []extent, last bool) error {
	var flags uint16
	if last {
		flags = chunkDone
	}
	b := make([]byte, structuredLen, structuredLen+4+8*len(es))
	chunk(b, r, flags, chunkBlockStatus, 4+8*len(es))
	b = be.AppendUint32(b, uint32(id))
	for _, e := range es {
		b = be.AppendUint32(b, uint32(e.n))
		b = be.AppendUint32(b, e.flags)
	}
	return c.send(b)
}
