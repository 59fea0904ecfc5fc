package nbd

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"vitrine/blockdev"
)

var be = binary.BigEndian

// errProtocol marks a client that does not speak the protocol.
var errProtocol = errors.New("protocol violation")

// conn is one connection.
type conn struct {
	s      *Server
	ctx    context.Context // ends when the server stops
	work   context.Context // of requests: ends when the connection is closed
	cancel context.CancelFunc
	quit   func() bool // forgets the server's stop
	in     *arrivals   // the client's bytes, encrypted or not
	nc     net.Conn
	r      *bufio.Reader

	noZeroes   bool
	secure     bool
	structured bool
	metaFor    *Export // export of the selected contexts
	meta       []int   // selected contexts: places in metaContexts

	dev      blockdev.Device // set when transmission begins
	writable blockdev.Writable
	flags    uint16

	share *semaphore.Weighted // of the server's memory
	wmu   sync.Mutex          // guards writing to nc during transmission

	busy  atomic.Int32 // requests of workers that are not answered
	alone bool         // a request runs where it was received, nothing else does
	ahead int          // requests to go until one may
}

func newConn(ctx context.Context, s *Server, nc net.Conn) *conn {
	widen(nc)
	in := newArrivals(nc)
	c := &conn{s: s, ctx: ctx, in: in, nc: in, r: bufio.NewReaderSize(in, 16<<10), share: semaphore.NewWeighted(s.share())}
	c.work, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	raw := nc // closing it ends TLS as well
	c.quit = context.AfterFunc(ctx, func() {
		raw.SetReadDeadline(time.Unix(1, 0))
		t := time.AfterFunc(graceTime, func() { raw.Close() })
		context.AfterFunc(c.work, func() { t.Stop() })
	})
	return c
}

func (c *conn) close() {
	c.quit()
	c.nc.Close()
	c.cancel()
}

// negotiate runs the handshake. It returns nil with c.dev nil if the client
// left politely.
func (c *conn) negotiate() error {
	c.nc.SetDeadline(time.Now().Add(negotiateTime))
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if err := c.greet(); err != nil {
		return err
	}
	for range maxOptions {
		done, err := c.option()
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d options", errProtocol, maxOptions)
}

func (c *conn) greet() error {
	b := be.AppendUint64(nil, magicServer)
	b = be.AppendUint64(b, magicOption)
	b = be.AppendUint16(b, flagFixedNewstyle|flagNoZeroes)
	if _, err := c.nc.Write(b); err != nil {
		return nil // it only looked whether somebody listens
	}
	var flags [4]byte
	if _, err := io.ReadFull(c.r, flags[:]); err != nil {
		return quietEOF(err)
	}
	f := be.Uint32(flags[:])
	if f&^(flagFixedNewstyle|flagNoZeroes) != 0 {
		return fmt.Errorf("%w: client flags %#x", errProtocol, f)
	}
	c.noZeroes = f&flagNoZeroes != 0
	return nil
}

// quietEOF is for places where a client may simply leave.
func quietEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// option reads and answers one option; done ends the negotiation.
func (c *conn) option() (done bool, err error) {
	var h [16]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return true, quietEOF(err)
	}
	if be.Uint64(h[:]) != magicOption {
		return true, fmt.Errorf("%w: option magic %#x", errProtocol, be.Uint64(h[:]))
	}
	opt, n := be.Uint32(h[8:]), be.Uint32(h[12:])
	if n > maxOption {
		return c.skipOption(opt, n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(c.r, data); err != nil {
		return true, err
	}
	if c.s.RequireTLS && !c.secure && opt != optStartTLS && opt != optAbort {
		return c.refusePlain(opt)
	}
	return c.answer(opt, data)
}

func (c *conn) skipOption(opt, n uint32) (bool, error) {
	if n > maxSkip || opt == optExportName {
		return true, fmt.Errorf("%w: an option of %d bytes", errProtocol, n)
	}
	if _, err := io.CopyN(io.Discard, c.r, int64(n)); err != nil {
		return true, err
	}
	return false, c.reply(opt, repErrTooBig, []byte("the option is too long"))
}

func (c *conn) refusePlain(opt uint32) (bool, error) {
	if opt == optExportName {
		return true, fmt.Errorf("%w: no TLS", errProtocol)
	}
	return false, c.reply(opt, repErrTLSReqd, []byte("this server demands TLS"))
}

func (c *conn) answer(opt uint32, data []byte) (done bool, err error) {
	switch opt {
	case optExportName:
		return true, c.exportName(string(data))
	case optAbort:
		return true, c.reply(opt, repAck, nil)
	case optInfo, optGo:
		return c.info(opt, data)
	case optListMeta, optSetMeta:
		return false, c.metaOption(opt, data)
	case optList, optStartTLS, optStructuredReply:
		if len(data) > 0 {
			return false, c.reply(opt, repErrInvalid, []byte("this option has no data"))
		}
		return c.plainOption(opt)
	}
	return false, c.reply(opt, repErrUnsup, nil)
}

func (c *conn) plainOption(opt uint32) (done bool, err error) {
	switch opt {
	case optList:
		return false, c.list()
	case optStartTLS:
		return false, c.startTLS()
	}
	c.structured = true
	return false, c.reply(opt, repAck, nil)
}

func (c *conn) reply(opt, kind uint32, data []byte) error {
	b := be.AppendUint64(nil, magicOptReply)
	b = be.AppendUint32(b, opt)
	b = be.AppendUint32(b, kind)
	b = be.AppendUint32(b, uint32(len(data)))
	_, err := c.nc.Write(append(b, data...))
	return err
}

func (c *conn) list() error {
	for _, e := range c.s.Exports {
		b := be.AppendUint32(nil, uint32(len(e.Name)))
		b = append(b, e.Name...)
		if err := c.reply(optList, repServer, append(b, e.Description...)); err != nil {
			return err
		}
	}
	return c.reply(optList, repAck, nil)
}

// startTLS begins the negotiation anew inside TLS. Bytes that came before the
// handshake could have been slipped in by somebody else.
func (c *conn) startTLS() error {
	switch {
	case c.s.TLS == nil:
		return c.reply(optStartTLS, repErrPolicy, []byte("this server has no certificate"))
	case c.secure:
		return c.reply(optStartTLS, repErrInvalid, []byte("TLS is on already"))
	case c.r.Buffered() > 0:
		return fmt.Errorf("%w: data before the TLS handshake", errProtocol)
	}
	if err := c.reply(optStartTLS, repAck, nil); err != nil {
		return err
	}
	t := tls.Server(c.nc, c.s.TLS)
	if err := t.HandshakeContext(c.work); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.nc, c.r = t, bufio.NewReaderSize(t, 16<<10)
	c.secure, c.structured, c.metaFor, c.meta = true, false, nil, nil
	return nil
}

// exportName is the old way to begin: it cannot say no but by hanging up.
func (c *conn) exportName(name string) error {
	e := c.s.find(name)
	if e == nil {
		return fmt.Errorf("no export %.100q", name)
	}
	if err := c.choose(e); err != nil {
		return err
	}
	b := be.AppendUint64(nil, uint64(c.dev.Size()))
	b = be.AppendUint16(b, c.flags)
	if !c.noZeroes {
		b = append(b, make([]byte, 124)...)
	}
	_, err := c.nc.Write(b)
	return err
}

// choose makes e the export of this connection.
func (c *conn) choose(e *Export) error {
	dev, err := e.device(c.work)
	if err != nil {
		return err
	}
	c.dev = dev
	if w, ok := dev.(blockdev.Writable); ok && !e.ReadOnly {
		c.writable = w
	}
	c.flags = c.flagsOf(dev, e)
	if c.metaFor != e {
		c.meta = nil
	}
	return nil
}

func (c *conn) flagsOf(dev blockdev.Device, e *Export) uint16 {
	f := uint16(hasFlags | canMultiConn | sendCache)
	if c.structured {
		f |= sendDF
	}
	if _, ok := dev.(blockdev.Writable); !ok || e.ReadOnly {
		return f | readOnly
	}
	return f | sendFlush | sendFUA | sendTrim | sendZeroes | sendFastZero
}

// cursor takes fields from the front of an option's data; bad sticks once the
// data is too short.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad = c.bad || n > len(c.b); c.bad {
		return make([]byte, min(n, 8))
	}
	head := c.b[:n]
	c.b = c.b[n:]
	return head
}

func (c *cursor) u16() uint16 { return be.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return be.Uint32(c.take(4)) }

// str takes a string with its length before it.
func (c *cursor) str() string {
	n := c.u32()
	if n > maxName {
		c.bad = true
	}
	if c.bad {
		return ""
	}
	return string(c.take(int(n)))
}

func (c *conn) info(opt uint32, data []byte) (done bool, err error) {
	d := cursor{b: data}
	name := d.str()
	wants := make([]uint16, 0, 8)
	for n := d.u16(); n > 0 && !d.bad; n-- {
		wants = append(wants, d.u16())
	}
	if d.bad || len(d.b) > 0 {
		return false, c.reply(opt, repErrInvalid, []byte("malformed option"))
	}
	e := c.s.find(name)
	if e == nil {
		return false, c.reply(opt, repErrUnknown, []byte("no such export"))
	}
	dev, err := e.device(c.work)
	if err != nil {
		return false, c.reply(opt, repErrUnknown, []byte(clip(err.Error())))
	}
	if err := c.infos(opt, e, dev, wants); err != nil || opt == optInfo {
		return false, err
	}
	return true, c.choose(e)
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 1000)], "") }

func (c *conn) infos(opt uint32, e *Export, dev blockdev.Device, wants []uint16) error {
	b := be.AppendUint16(nil, infoExport)
	b = be.AppendUint64(b, uint64(dev.Size()))
	all := [][]byte{be.AppendUint16(b, c.flagsOf(dev, e)), blockSizes(dev)}
	if slices.Contains(wants, infoName) {
		all = append(all, append(be.AppendUint16(nil, infoName), e.Name...))
	}
	if slices.Contains(wants, infoDescription) && e.Description != "" {
		all = append(all, append(be.AppendUint16(nil, infoDescription), e.Description...))
	}
	for _, i := range all {
		if err := c.reply(opt, repInfo, i); err != nil {
			return err
		}
	}
	return c.reply(opt, repAck, nil)
}

// blockSizes tells the sizes of requests: any, if sectors are of 512 bytes; what
// is best; and the largest.
func blockSizes(dev blockdev.Device) []byte {
	least, sector := 1, dev.SectorSize()
	if sector > 512 && dev.Size()%int64(sector) == 0 {
		least = sector
	}
	b := be.AppendUint16(nil, infoBlockSize)
	b = be.AppendUint32(b, uint32(least))
	b = be.AppendUint32(b, uint32(max(4096, sector)))
	return be.AppendUint32(b, maxRequest)
}

// metaOption lists or selects contexts. A selection that fails leaves none.
func (c *conn) metaOption(opt uint32, data []byte) error {
	if opt == optSetMeta {
		c.metaFor, c.meta = nil, nil
	}
	d := cursor{b: data}
	name := d.str()
	n := d.u32()
	if n > maxQueries && !d.bad {
		return c.reply(opt, repErrTooBig, []byte("too many queries"))
	}
	var queries []string
	for ; n > 0 && !d.bad; n-- {
		queries = append(queries, d.str())
	}
	if d.bad || len(d.b) > 0 || opt == optSetMeta && !c.structured {
		return c.reply(opt, repErrInvalid, []byte("malformed option, or no structured replies"))
	}
	e := c.s.find(name)
	if e == nil {
		return c.reply(opt, repErrUnknown, []byte("no such export"))
	}
	return c.metaReply(opt, e, queries)
}

func (c *conn) metaReply(opt uint32, e *Export, queries []string) error {
	found := matchMeta(queries, opt == optListMeta)
	if opt == optSetMeta {
		c.metaFor, c.meta = e, found
	}
	for _, id := range found {
		b := be.AppendUint32(nil, uint32(id))
		if err := c.reply(opt, repMetaContext, append(b, metaContexts[id]...)); err != nil {
			return err
		}
	}
	return c.reply(opt, repAck, nil)
}

// matchMeta returns which contexts the queries name; when listing, a bare name
// space means all in it, and no query means all.
func matchMeta(queries []string, listing bool) (found []int) {
	for id, name := range metaContexts {
		space := name[:strings.Index(name, ":")+1]
		if slices.Contains(queries, name) || listing && (len(queries) == 0 || slices.Contains(queries, space)) {
			found = append(found, id)
		}
	}
	return found
}
