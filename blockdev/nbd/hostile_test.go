package nbd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
)

// client speaks just enough of the protocol to misbehave.
type client struct {
	t testing.TB
	net.Conn
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return over(t, nc)
}

// over speaks over a connection.
func over(t testing.TB, nc net.Conn) *client {
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t, nc}
}

func (c *client) put(parts ...any) {
	c.Write(message(parts...))
}

func (c *client) get(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatalf("reading %d bytes: %v", n, err)
	}
	return b
}

// greet passes the greeting.
func (c *client) greet() *client {
	c.t.Helper()
	c.get(18)
	c.put(uint32(3))
	return c
}

func (c *client) opt(opt uint32, data string) {
	c.put(option(opt, data))
}

// reply reads one reply to an option.
func (c *client) reply() (kind uint32, data string) {
	c.t.Helper()
	h := c.get(20)
	return be.Uint32(h[12:]), string(c.get(int(be.Uint32(h[16:]))))
}

// last reads replies up to the one that ends the option.
func (c *client) last() uint32 {
	for {
		if kind, _ := c.reply(); kind == repAck || kind >= 1<<31 {
			return kind
		}
	}
}

// gone proves that the server hung up.
func (c *client) gone() {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, c)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.t.Error("the server does not hang up")
	}
}

func str(s string) string { return string(be.AppendUint32(nil, uint32(len(s)))) + s }

// ready begins transmission, with simple or structured replies.
func ready(t testing.TB, addr string, structured bool) *client {
	t.Helper()
	return dial(t, addr).begin(structured)
}

func (c *client) begin(structured bool) *client {
	c.t.Helper()
	c.greet()
	if structured {
		c.opt(optStructuredReply, "")
		c.last()
	}
	c.opt(optGo, str("")+"\x00\x00")
	if k := c.last(); k != repAck {
		c.t.Fatalf("GO: %#x", k)
	}
	return c
}

func (c *client) request(flags, cmd uint16, off uint64, n uint32, payload string) {
	c.put(uint32(magicRequest), flags, cmd, uint64(77), off, n, payload)
}

// answer reads a simple reply without data.
func (c *client) answer() errno {
	c.t.Helper()
	h := c.get(simpleLen)
	if be.Uint32(h) != magicSimple || be.Uint64(h[8:]) != 77 {
		c.t.Fatalf("reply % x", h)
	}
	return errno(be.Uint32(h[4:]))
}

func testServer(t testing.TB) (addr string, cow *overlay.Overlay) {
	t.Helper()
	cow, err := overlay.New(blockdev.Bytes{B: make([]byte, 1<<20)}, overlay.Options{Limit: 512 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, &Server{Exports: []*Export{{Name: "w", Device: cow}}}), cow
}

func TestBadNegotiation(t *testing.T) {
	addr, _ := testServer(t)
	cases := []struct {
		name string
		do   func(c *client)
	}{
		{"client flags", func(c *client) { c.get(18); c.put(uint32(1 << 7)) }},
		{"option magic", func(c *client) { c.greet().put("IHAVEOPTX1234567") }},
		{"huge option", func(c *client) { c.greet().put(uint64(magicOption), uint32(optGo), uint32(1<<31)) }},
		{"missing export", func(c *client) { c.greet().opt(optExportName, "nothing") }},
		{"cut option", func(c *client) {
			c.greet().put(uint64(magicOption), uint32(optGo), uint32(100), "x")
			c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		}},
		{"half-closed at once", func(c *client) { c.Conn.(interface{ CloseWrite() error }).CloseWrite() }},
		{"endless options", func(c *client) {
			c.greet()
			go io.Copy(io.Discard, c)
			for range maxOptions + 1 {
				c.opt(99, "")
			}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, addr)
			c.t = t
			tc.do(c)
			c.gone()
		})
	}
}

func TestRefusedOptions(t *testing.T) {
	addr, _ := testServer(t)
	cases := []struct {
		name string
		opt  uint32
		data string
		want uint32
	}{
		{"unknown", 99, "", repErrUnsup},
		{"list with data", optList, "x", repErrInvalid},
		{"no certificate", optStartTLS, "", repErrPolicy},
		{"too long", optGo, strings.Repeat("x", maxOption+1), repErrTooBig},
		{"GO: empty", optGo, "", repErrInvalid},
		{"GO: name longer than the option", optGo, "\xff\xff\xff\xff", repErrInvalid},
		{"GO: name too long", optGo, str(strings.Repeat("x", 5000)) + "\x00\x00", repErrInvalid},
		{"GO: infos missing", optGo, str("") + "\xff\xff", repErrInvalid},
		{"GO: trailing bytes", optGo, str("") + "\x00\x00z", repErrInvalid},
		{"GO: no such export", optGo, str("nothing") + "\x00\x00", repErrUnknown},
		{"SET_META before structured replies", optSetMeta, str("") + "\x00\x00\x00\x00", repErrInvalid},
		{"LIST_META: too many queries", optListMeta, str("") + "\xff\xff\xff\xff", repErrTooBig},
		{"LIST_META: queries missing", optListMeta, str("") + "\x00\x00\x00\x09", repErrInvalid},
	}
	c := dial(t, addr).greet()
	for _, tc := range cases {
		c.opt(tc.opt, tc.data)
		if k, msg := c.reply(); k != tc.want {
			t.Errorf("%s: %#x %q, want %#x", tc.name, k, msg, tc.want)
		}
	}
	c.opt(optAbort, "")
	if k := c.last(); k != repAck {
		t.Errorf("after all that: %#x", k)
	}
	c.gone()
}

// A selection of contexts that fails leaves none, of the one before either.
func TestFailedSelection(t *testing.T) {
	addr, _ := testServer(t)
	c := dial(t, addr).greet()
	c.opt(optStructuredReply, "")
	c.last()
	query := "\x00\x00\x00\x01" + str(metaAllocation)
	c.opt(optSetMeta, str("")+query)
	if k := c.last(); k != repAck {
		t.Fatalf("selecting: %#x", k)
	}
	c.opt(optSetMeta, str("nothing")+query)
	if k := c.last(); k != repErrUnknown {
		t.Fatalf("selecting in what is not there: %#x", k)
	}
	c.opt(optGo, str("")+"\x00\x00")
	if k := c.last(); k != repAck {
		t.Fatalf("GO: %#x", k)
	}
	c.request(0, cmdBlockStatus, 0, 4096, "")
	head := c.get(20)
	body := c.get(int(be.Uint32(head[16:])))
	if kind := be.Uint16(head[6:]); kind < 1<<15 || errno(be.Uint32(body)) != eInval {
		t.Errorf("block status: chunk of type %#x, % x", kind, body)
	}
}

func TestExportName(t *testing.T) {
	addr, _ := testServer(t)
	for _, flags := range []uint32{0, 1, 3} {
		c := dial(t, addr)
		c.get(18)
		c.put(flags)
		c.opt(optExportName, "w")
		want := 10 + 124
		if flags&flagNoZeroes != 0 {
			want = 10
		}
		if size := be.Uint64(c.get(want)); size != 1<<20 {
			t.Errorf("flags %d: size %d", flags, size)
		}
		c.request(0, cmdFlush, 0, 0, "")
		if e := c.answer(); e != 0 {
			t.Errorf("flags %d: flush: %d", flags, e)
		}
	}
}

func TestBadRequests(t *testing.T) {
	addr, cow := testServer(t)
	const size = 1 << 20
	ro := start(t, &Server{Exports: []*Export{{Device: cow, ReadOnly: true}}})
	cases := []struct {
		name       string
		addr       string
		flags, cmd uint16
		off        uint64
		n          uint32
		payload    string
		want       errno
	}{
		{"read over the end", addr, 0, cmdRead, size - 1, 2, "", eInval},
		{"read at 2^63", addr, 0, cmdRead, 1 << 63, 1, "", eInval},
		{"read that wraps", addr, 0, cmdRead, 1<<64 - 1, 2, "", eInval},
		{"read of 4 GiB", addr, 0, cmdRead, 0, 1<<32 - 1, "", eInval},
		{"DF without structured replies", addr, cmdFlagDF, cmdRead, 0, 1, "", eInval},
		{"write over the end", addr, 0, cmdWrite, size - 1, 2, "ab", eNoSpc},
		{"write over the limit", addr, 0, cmdWrite, 0, size, strings.Repeat("x", size), eNoSpc},
		{"zero over the end", addr, 0, cmdWriteZeroes, 1, size, "", eNoSpc},
		{"trim over the end", addr, 0, cmdTrim, 1, size, "", eInval},
		{"unknown command", addr, 0, 99, 0, 0, "", eInval},
		{"unknown flag", addr, 1 << 9, cmdFlush, 0, 0, "", eInval},
		{"block status, not negotiated", addr, 0, cmdBlockStatus, 0, 512, "", eInval},
		{"write, read-only", ro, 0, cmdWrite, 0, 4, "abcd", ePerm},
		{"trim, read-only", ro, 0, cmdTrim, 0, 4, "", ePerm},
		{"zero, read-only", ro, 0, cmdWriteZeroes, 0, 4, "", ePerm},
		{"flush, read-only", ro, 0, cmdFlush, 0, 0, "", 0},
		{"FUA write", addr, cmdFlagFUA, cmdWrite, 5, 3, "abc", 0},
		{"fast zero", addr, cmdFlagFastZero | cmdFlagNoHole, cmdWriteZeroes, 0, size, "", 0},
		{"cache", addr, 0, cmdCache, 0, size, "", 0},
	}
	clients := map[string]*client{addr: ready(t, addr, false), ro: ready(t, ro, false)}
	for _, tc := range cases { // all on one connection: none of it ends it
		c := clients[tc.addr]
		c.request(tc.flags, tc.cmd, tc.off, tc.n, tc.payload)
		if e := c.answer(); e != tc.want {
			t.Errorf("%s: error %d, want %d", tc.name, e, tc.want)
		}
	}
}

func TestBadRequestsThatEnd(t *testing.T) {
	addr, _ := testServer(t)
	c := ready(t, addr, false)
	c.put(strings.Repeat("garbage ", 8))
	c.gone()
	c = ready(t, addr, false)
	c.request(0, cmdWrite, 0, 1<<32-1, "")
	c.gone()
	c = ready(t, addr, false)
	c.request(0, cmdWrite, 0, 1000, "too little")
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.gone()
	c = ready(t, addr, true)
	c.request(0, cmdDisc, 0, 0, "")
	c.gone()
}

func TestStructuredErrors(t *testing.T) {
	addr := start(t, &Server{Exports: []*Export{{Device: rotten{blockdev.Bytes{B: make([]byte, 4<<20)}}}}})
	c := ready(t, addr, true)
	c.request(0, cmdRead, 0, 3<<20, "")
	for i, want := range []uint16{chunkData, chunkErrorOffset} {
		h := c.get(structuredLen)
		body := c.get(int(be.Uint32(h[16:])))
		if kind := be.Uint16(h[6:]); kind != want || (be.Uint16(h[4:])&chunkDone != 0) != (i == 1) {
			t.Fatalf("chunk %d: % x", i, h)
		}
		if want == chunkErrorOffset && (errno(be.Uint32(body)) != eIO || be.Uint64(body[len(body)-8:]) != 1<<20) {
			t.Errorf("error chunk % x", body)
		}
	}
	c.request(cmdFlagDF, cmdRead, 0, 1<<20, "")
	if h := c.get(structuredLen); be.Uint16(h[4:]) != chunkDone || be.Uint32(h[16:]) != 8+1<<20 {
		t.Errorf("DF: % x", h)
	}
}

// rotten cannot be read from its second MiB on.
type rotten struct{ blockdev.Bytes }

func (r rotten) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 1<<20 {
		return 0, errors.New("bad sector")
	}
	return r.Bytes.ReadAtContext(ctx, p, off)
}

// slow counts how many bytes are being read at a time.
type slow struct {
	blockdev.Bytes
	now, most, calls atomic.Int64
	gate             chan struct{}
}

func (s *slow) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	s.calls.Add(1)
	now := s.now.Add(int64(len(p)))
	for m := s.most.Load(); now > m && !s.most.CompareAndSwap(m, now); m = s.most.Load() {
	}
	<-s.gate
	defer s.now.Add(-int64(len(p)))
	return s.Bytes.ReadAtContext(ctx, p, off)
}

func TestMemoryIsBounded(t *testing.T) {
	dev := &slow{Bytes: blockdev.Bytes{B: make([]byte, maxRequest)}, gate: make(chan struct{})}
	addr := start(t, &Server{Exports: []*Export{{Device: dev}}, MaxMemory: 80 << 20})
	var wg sync.WaitGroup
	for range 10 {
		c := ready(t, addr, false)
		c.SetDeadline(time.Now().Add(2 * time.Minute))
		for range 2 {
			c.request(0, cmdRead, 0, maxRequest-100, "")
		}
		wg.Go(func() { io.CopyN(io.Discard, c, 2*(maxRequest-100+simpleLen)) })
	}
	for dev.calls.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	close(dev.gate)
	wg.Wait()
	if m := dev.most.Load(); m > 80<<20 || m == 0 {
		t.Errorf("%d bytes in flight", m)
	}
	if n := dev.calls.Load(); n != 20 {
		t.Errorf("%d of 20 requests were served", n)
	}
}

// TestOneThatTakesNothing has a client ask for more than there is memory for and
// take no reply: another one is served at once.
func TestOneThatTakesNothing(t *testing.T) {
	dev := &slow{Bytes: blockdev.Bytes{B: make([]byte, maxRequest)}, gate: make(chan struct{})}
	close(dev.gate)
	s := &Server{Exports: []*Export{{Device: dev}}, MaxMemory: 4 * maxRequest}
	addr := start(t, s)
	lazy := ready(t, addr, false)
	for range workers {
		lazy.request(0, cmdRead, 0, maxRequest, "")
	}
	for dev.calls.Load() < 1 {
		time.Sleep(time.Millisecond)
	}
	c := ready(t, addr, false)
	for range 3 * crowd {
		c.request(0, cmdRead, 0, maxPiece, "")
		c.get(simpleLen + maxPiece)
	}
	if !s.memory.TryAcquire(2 * maxRequest) {
		t.Error("the client that takes nothing holds more than its share")
	}
}

// TestMemoryIsCounted holds what is counted for a request against what it takes.
func TestMemoryIsCounted(t *testing.T) {
	c := &conn{}
	for _, n := range []int64{0, 1, 512, 64<<10 - headRoom, 64 << 10, 64<<10 + 1, 100 << 10, maxPiece - 1, maxPiece, maxPiece + 1, maxRequest} {
		if took, counted := cap(getBuffer(headRoom+int(n))), c.needs(&request{cmd: cmdRead, n: n}); counted < int64(took) {
			t.Errorf("a read of %d: %d counted, %d taken", n, counted, took)
		}
		if took, counted := cap(getBuffer(int(n))), c.needs(&request{cmd: cmdWrite, n: n}); counted < int64(took) {
			t.Errorf("a write of %d: %d counted, %d taken", n, counted, took)
		}
	}
}

func TestLeastMemory(t *testing.T) {
	dev := blockdev.Bytes{B: make([]byte, maxRequest)}
	c := ready(t, start(t, &Server{Exports: []*Export{{Device: dev}}, MaxMemory: maxRequest}), false)
	c.request(0, cmdRead, 0, maxRequest, "")
	if e := c.answer(); e != 0 {
		t.Errorf("the largest read: %d", e)
	}
}

// TestNothingIsDoneForTheGone has a client leave behind more requests than run
// at a time.
func TestNothingIsDoneForTheGone(t *testing.T) {
	dev := &slow{Bytes: blockdev.Bytes{B: make([]byte, 1<<20)}, gate: make(chan struct{})}
	s := &Server{Exports: []*Export{{Device: dev}}}
	addr := start(t, s)
	c := ready(t, addr, false)
	const requests = 300
	for range requests {
		c.request(0, cmdRead, 0, 4096, "")
	}
	for dev.calls.Load() < workers {
		time.Sleep(time.Millisecond)
	}
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
	close(dev.gate)
	if err := s.slots.Acquire(t.Context(), int64(s.MaxConns)); err != nil { // the connection has ended
		t.Fatal(err)
	}
	s.slots.Release(int64(s.MaxConns))
	if n := dev.calls.Load(); n > requests/2 {
		t.Errorf("%d of %d requests were served", n, requests)
	}
}

func TestRequestsRunInParallel(t *testing.T) {
	dev := &slow{Bytes: blockdev.Bytes{B: make([]byte, 1<<20)}, gate: make(chan struct{})}
	c := ready(t, start(t, &Server{Exports: []*Export{{Device: dev}}}), false)
	for range workers + 5 {
		c.request(0, cmdRead, 0, 512, "")
	}
	for dev.calls.Load() < workers {
		time.Sleep(time.Millisecond)
	}
	close(dev.gate)
	c.get((workers + 5) * (simpleLen + 512))
	if m := dev.most.Load(); m != workers*512 {
		t.Errorf("%d bytes at a time", m)
	}
}

// TestCrowdAfterLoneRequests has a client that asked for one thing at a time
// ask for many: only the first keeps the others waiting.
func TestCrowdAfterLoneRequests(t *testing.T) {
	dev := &slow{Bytes: blockdev.Bytes{B: make([]byte, 1<<20)}, gate: make(chan struct{}, 1000)}
	c := ready(t, start(t, &Server{Exports: []*Export{{Device: dev}}}), false)
	const lone = 3 * crowd
	for range lone {
		dev.gate <- struct{}{}
		c.request(0, cmdRead, 0, 512, "")
		c.get(simpleLen + 512)
	}
	if m := dev.most.Load(); m != 512 {
		t.Fatalf("%d bytes at a time", m)
	}
	for range workers + 5 {
		c.request(0, cmdRead, 0, 512, "")
	}
	dev.gate <- struct{}{}
	for dev.calls.Load() < lone+1+workers {
		time.Sleep(time.Millisecond)
	}
	close(dev.gate)
	c.get((workers + 5) * (simpleLen + 512))
	if m := dev.most.Load(); m != workers*512 {
		t.Errorf("%d bytes at a time", m)
	}
}

func TestThousandConnections(t *testing.T) {
	addr, _ := testServer(t)
	before := runtime.NumGoroutine()
	conns := make([]net.Conn, 0, 1000)
	for range 1000 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	if n := runtime.NumGoroutine() - before; n > 2*128+50 {
		t.Errorf("%d goroutines for 1000 connections", n)
	}
	for _, nc := range conns {
		nc.Close()
	}
	for try := 0; ; try++ { // the server takes new clients as soon as the others are gone
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err = io.ReadFull(nc, make([]byte, 18)); err == nil {
			nc.Close()
			return
		}
		nc.Close()
		if try > 200 {
			t.Fatalf("no service after a thousand connections: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestHalfClosed has a client stop talking but go on listening: it gets the
// answers to what it asked, then the end.
func TestHalfClosed(t *testing.T) {
	sock, _ := testServer(t)
	c := ready(t, sock, false)
	for range 20 {
		c.request(0, cmdRead, 0, 64<<10, "")
	}
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	for range 20 {
		c.answer()
		c.get(64 << 10)
	}
	c.gone()
	c = ready(t, sock, false)
	c.put(uint32(magicRequest), uint16(0), uint16(cmdWrite), uint64(77), uint64(0), uint32(4096), "half")
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.gone()
	c = dial(t, sock)
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.get(18)
	c.gone()
}

func TestStopFinishesRunningRequests(t *testing.T) {
	dev := &slow{Bytes: blockdev.Bytes{B: make([]byte, 1<<20)}, gate: make(chan struct{})}
	s := &Server{Exports: []*Export{{Device: dev}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	c := ready(t, l.Addr().String(), false)
	c.request(0, cmdRead, 0, 512, "")
	for dev.calls.Load() < 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	time.Sleep(50 * time.Millisecond)
	close(dev.gate)
	c.get(simpleLen + 512)
	c.gone()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// pipeConn runs one connection of the server on bytes that a fuzzer made.
type pipeConn struct {
	net.Conn // nil: only the methods below are used
	in       *bytes.Reader
}

func (p *pipeConn) Read(b []byte) (int, error)       { return p.in.Read(b) }
func (p *pipeConn) Write(b []byte) (int, error)      { return len(b), nil }
func (p *pipeConn) Close() error                     { return nil }
func (p *pipeConn) SetDeadline(time.Time) error      { return nil }
func (p *pipeConn) SetReadDeadline(time.Time) error  { return nil }
func (p *pipeConn) SetWriteDeadline(time.Time) error { return nil }

// message joins strings and numbers as a client sends them.
func message(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		if v, ok := p.(string); ok {
			b.WriteString(v)
			continue
		}
		binary.Write(&b, binary.BigEndian, p)
	}
	return b.Bytes()
}

func option(opt uint32, data string) string {
	return string(message(uint64(magicOption), opt, uint32(len(data)), data))
}

func command(flags, cmd uint16, off uint64, n uint32, payload string) string {
	return string(message(uint32(magicRequest), flags, cmd, uint64(1), off, n, payload))
}

// FuzzServer feeds a whole connection: negotiation and transmission.
func FuzzServer(f *testing.F) {
	hello := "\x00\x00\x00\x03"
	begin := hello + option(optStructuredReply, "") + option(optSetMeta, str("")+"\x00\x00\x00\x01"+str(metaAllocation)) + option(optGo, str("w")+"\x00\x01\x00\x03")
	f.Add([]byte(hello + option(optList, "") + option(optListMeta, str("w")+"\x00\x00\x00\x00") + option(optAbort, "")))
	f.Add([]byte(hello + option(optInfo, str("w")+"\x00\x02\x00\x01\x00\x02") + option(optExportName, "w") + command(0, cmdRead, 5, 100, "")))
	f.Add([]byte(begin + command(0, cmdRead, 0, 1<<20, "") + command(0, cmdBlockStatus, 0, 1<<20, "") + command(0, cmdDisc, 0, 0, "")))
	f.Add([]byte(begin + command(1, cmdWrite, 9, 5, "hello") + command(0, cmdTrim, 0, 9999, "") + command(2, cmdWriteZeroes, 1, 70000, "") + command(0, cmdCache, 0, 1<<20, "")))
	f.Add([]byte(begin + command(0, cmdFlush, 0, 0, "") + command(4, cmdRead, 1<<63, 1<<31, "") + command(8, cmdBlockStatus, 512, 512, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		cow, _ := overlay.New(blockdev.Bytes{B: make([]byte, 1<<20)}, overlay.Options{})
		s := &Server{Exports: []*Export{{Name: "w", Device: cow}}}
		s.ServeConn(t.Context(), &pipeConn{in: bytes.NewReader(b)})
	})
}
