package iscsi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/blockdev"
	"vitrine/blockdev/overlay"
)

// initiator speaks just enough of the protocol to misbehave.
type initiator struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *initiator {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &initiator{t, nc, bufio.NewReader(nc)}
}

func (i *initiator) send(p *pdu) {
	bufs := net.Buffers(p.encode(digests{}))
	bufs.WriteTo(i.Conn)
}

func (i *initiator) get() *pdu {
	i.t.Helper()
	p, err := readPDU(i.r, digests{}, 1<<24)
	if err != nil {
		i.t.Fatalf("no answer: %v", err)
	}
	return p
}

// gone proves that the target hung up.
func (i *initiator) gone() {
	i.t.Helper()
	i.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, i.r)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		i.t.Error("the target does not hang up")
	}
}

const names = "InitiatorName=iqn.2026-01.test:me\x00TargetName=" + iqn + "\x00"

func loginPDU(flags byte, text string) *pdu {
	p := newPDU(opLogin|opImmediate, flags, 1)
	p.data = []byte(text)
	return p
}

func (i *initiator) login(text string) *initiator {
	i.t.Helper()
	i.send(loginPDU(0x87, text)) // operational to full feature
	if p := i.get(); be.Uint16(p.bhs[36:]) != 0 {
		i.t.Fatalf("login: %#04x", be.Uint16(p.bhs[36:]))
	}
	return i
}

// scsi makes a command with number sn.
func scsi(sn uint32, flags byte, expected int, cdb string) *pdu {
	p := newPDU(opCommand, flagFinal|attrSimple|flags, 100+sn)
	p.set(20, uint32(expected))
	p.set(24, sn)
	copy(p.bhs[32:], cdb)
	return p
}

func testTarget(t testing.TB) string {
	o := overlaid(t, blockdev.Bytes{B: make([]byte, 4<<20)})
	return start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(o)}}})
}

func TestBadLogins(t *testing.T) {
	addr := testTarget(t)
	cases := []struct {
		name   string
		flags  byte
		text   string
		status uint16
	}{
		{"no names", 0x87, "", loginMissing},
		{"no target", 0x87, "InitiatorName=x\x00", loginMissing},
		{"unknown target", 0x87, "InitiatorName=x\x00TargetName=y\x00", loginNotFound},
		{"unknown session type", 0x87, "InitiatorName=x\x00SessionType=Party\x00", loginSessionType},
		{"text without =", 0x87, "InitiatorName\x00", loginInitiator},
		{"long key", 0x87, strings.Repeat("k", 100) + "=v\x00", loginInitiator},
		{"many keys", 0x87, strings.Repeat("a=b\x00", 300), loginInitiator},
		{"transit and continue", 0xc7, names, loginInitiator},
		{"backwards", 0x84, names, loginInitiator},
		{"to stage 2", 0x86, names, loginInitiator},
		{"full feature at once", 0x8f, names, loginRequest},
		{"only an unknown method", 0x81, names + "AuthMethod=KRB5\x00", loginAuth},
	}
	for _, tc := range cases {
		i := dial(t, addr)
		i.send(loginPDU(tc.flags, tc.text))
		if p := i.get(); be.Uint16(p.bhs[36:]) != tc.status {
			t.Errorf("%s: status %#04x, want %#04x", tc.name, be.Uint16(p.bhs[36:]), tc.status)
		}
		i.gone()
	}
}

func TestBadBeginnings(t *testing.T) {
	addr := testTarget(t)
	for name, do := range map[string]func(i *initiator){
		"command before login": func(i *initiator) { i.send(scsi(0, 0, 0, "")) },
		"garbage":              func(i *initiator) { i.Write(bytes.Repeat([]byte{0xff}, 100)) },
		"huge data":            func(i *initiator) { p := loginPDU(0x87, ""); p.bhs[5] = 0xff; i.Write(p.bhs[:]) },
		"half-closed":          func(i *initiator) { i.Conn.(*net.TCPConn).CloseWrite() },
		"endless continuation": func(i *initiator) {
			for range 20 {
				i.send(loginPDU(0x44, strings.Repeat("x", 8000)))
			}
		},
		"endless rounds": func(i *initiator) {
			for range maxRounds {
				i.send(loginPDU(0x04, names))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := dial(t, addr)
			i.t = t
			do(i)
			i.gone()
		})
	}
}

func TestNegotiation(t *testing.T) {
	cases := []struct{ key, value, want string }{
		{"HeaderDigest", "CRC32C,None", "CRC32C"},
		{"DataDigest", "None,CRC32C", "None"},
		{"DataDigest", "MD5", "Reject"},
		{"MaxRecvDataSegmentLength", "100", "Reject"},
		{"MaxRecvDataSegmentLength", "99999999999999999999", "Reject"},
		{"MaxRecvDataSegmentLength", "65536", ""},
		{"MaxBurstLength", "16776192", "1048576"},
		{"FirstBurstLength", "0x200", "512"},
		{"InitialR2T", "No", "Yes"},
		{"ImmediateData", "Yes", "Yes"},
		{"DefaultTime2Wait", "20", "20"},
		{"X-com.example", "1", "NotUnderstood"},
	}
	for _, tc := range cases {
		p := newParams()
		if got := p.answer(tc.key, tc.value); got != tc.want {
			t.Errorf("%s=%s: %q, want %q", tc.key, tc.value, got, tc.want)
		}
	}
}

func TestBadCommands(t *testing.T) {
	addr := testTarget(t)
	i := dial(t, addr).login(names)
	huge := "\x88\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"
	cases := []struct {
		name     string
		flags    byte
		expected int
		cdb      string
		key      byte
		asc      uint16
	}{
		{"unknown", 0, 0, "\xff", keyIllegal, ascInvalidOpcode},
		{"unknown action", 0, 0, "\x9e\x00", keyIllegal, ascInvalidField},
		{"READ(16) far out", flagRead, 512, huge, keyIllegal, ascLBARange},
		{"WRITE SAME far out", flagWrite, 512, "\x93" + huge[1:], keyIllegal, ascLBARange},
		{"VERIFY far out", 0, 0, "\x8f" + huge[1:], keyIllegal, ascLBARange},
		{"GET LBA STATUS far out", flagRead, 24, "\x9e\x12" + huge[2:], keyIllegal, ascLBARange},
		{"UNMAP without data", 0, 0, "\x42\x00\x00\x00\x00\x00\x00\x00\x18\x00", keyIllegal, ascParameterLength},
		{"MODE SELECT without data", 0, 0, "\x15\x10\x00\x00\x18\x00", keyIllegal, ascParameterLength},
		{"RESERVE OUT without data", 0, 0, "\x5f\x00\x00\x00\x00\x00\x00\x00\x18\x00", keyIllegal, ascParameterLength},
		{"RESERVE OUT of 4 GiB", flagWrite, 24, "\x5f\x00\x00\x00\x00\xff\xff\xff\xff\x00", keyIllegal, ascParameterLength},
		{"COMPARE AND WRITE without data", 0, 0, "\x89\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", keyIllegal, ascInvalidField},
		{"mode page 0x3e", flagRead, 255, "\x1a\x00\x3e\x00\xff\x00", keyIllegal, ascInvalidField},
		{"VPD page 0xff", flagRead, 255, "\x12\x01\xff\x00\xff\x00", keyIllegal, ascInvalidField},
	}
	for n, tc := range cases { // one session: none of it ends it
		i.send(scsi(uint32(n), tc.flags, tc.expected, tc.cdb))
		p := i.get()
		if p.op() != opResponse || p.bhs[3] != statusCheck || len(p.data) < 20 {
			t.Errorf("%s: opcode %#x, status %#x", tc.name, p.op(), p.bhs[3])
			continue
		}
		if key, asc := p.data[4]&15, be.Uint16(p.data[14:]); key != tc.key || asc != tc.asc {
			t.Errorf("%s: sense %#x/%#04x, want %#x/%#04x", tc.name, key, asc, tc.key, tc.asc)
		}
	}
}

func TestBadSessions(t *testing.T) {
	addr := testTarget(t)
	write := func(i *initiator) uint32 { // starts a write and returns the tag of the R2T
		i.send(scsi(0, flagWrite, 4096, "\x2a\x00\x00\x00\x00\x00\x00\x00\x08\x00"))
		p := i.get()
		if p.op() != opR2T || p.u32(44) != 4096 {
			i.t.Fatalf("no R2T but %#x", p.op())
		}
		return p.u32(20)
	}
	t.Run("command in a discovery session", func(t *testing.T) {
		i := dial(t, addr).login("InitiatorName=x\x00SessionType=Discovery\x00")
		i.send(scsi(0, 0, 0, "\x00"))
		if p := i.get(); p.op() != opReject {
			t.Errorf("opcode %#x", p.op())
		}
	})
	t.Run("too much immediate data", func(t *testing.T) {
		i := dial(t, addr).login(names + "FirstBurstLength=512\x00")
		p := scsi(0, flagWrite, 4096, "\x2a\x00\x00\x00\x00\x00\x00\x00\x08\x00")
		p.data = make([]byte, 1024)
		i.send(p)
		i.gone()
	})
	t.Run("tag in use", func(t *testing.T) {
		i := dial(t, addr).login(names)
		write(i)
		p := scsi(1, 0, 0, "\x00")
		p.set(16, 100)
		i.send(p)
		i.gone()
	})
	t.Run("data that nobody asked for", func(t *testing.T) {
		i := dial(t, addr).login(names)
		ttt := write(i)
		p := newPDU(opDataOut, flagFinal, 100)
		p.set(20, ttt)
		p.set(40, 1<<30)
		p.data = make([]byte, 4096)
		i.send(p)
		if p := i.get(); p.op() != opResponse || p.data[4]&15 != keyAborted {
			t.Errorf("opcode %#x", p.op())
		}
	})
	t.Run("an initiator that leaves in the middle of a write", func(t *testing.T) {
		i := dial(t, addr).login(names)
		write(i)
		i.Close()
	})
	t.Run("commands far ahead", func(t *testing.T) {
		i := dial(t, addr).login(names)
		for n := range uint32(1000) {
			i.send(scsi(n+1, 0, 0, "\x00")) // number 0 is missing
		}
		i.send(scsi(0, 0, 0, "\x00"))
		for range queueDepth { // the window, and no more
			if p := i.get(); p.op() != opResponse {
				t.Fatalf("opcode %#x", p.op())
			}
		}
	})
	t.Run("unknown opcode", func(t *testing.T) {
		i := dial(t, addr).login(names)
		i.send(newPDU(0x1c|opImmediate, flagFinal, 5))
		if p := i.get(); p.op() != opReject {
			t.Errorf("opcode %#x", p.op())
		}
	})
}

func TestManyConnections(t *testing.T) {
	addr := testTarget(t)
	var all []net.Conn
	for range 1000 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, nc)
	}
	for _, nc := range all {
		nc.Close()
	}
	for try := 0; ; try++ {
		i := dial(t, addr)
		i.send(loginPDU(0x87, names))
		if p, err := readPDU(i.r, digests{}, 1<<16); err == nil && p.op() == opLoginRsp {
			return
		}
		if try > 200 {
			t.Fatal("no service after many connections")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestHalfClosed has an initiator stop talking with commands on their way, and
// in the middle of a header: the session ends.
func TestHalfClosed(t *testing.T) {
	addr := testTarget(t)
	i := dial(t, addr).login(names)
	for n := range uint32(8) {
		i.send(scsi(n, flagRead, 4096, "\x28\x00\x00\x00\x00\x00\x00\x00\x08\x00"))
	}
	i.Conn.(*net.TCPConn).CloseWrite()
	i.gone()
	i = dial(t, addr)
	i.Write(loginPDU(0x87, names).encode(digests{})[0][:20])
	i.Conn.(*net.TCPConn).CloseWrite()
	i.gone()
}

// TestEnds has connections end in all ways: what is ordinary is not told, the
// rest in words.
func TestEnds(t *testing.T) {
	leave := func(i *initiator, linger int) {
		i.Conn.(*net.TCPConn).SetLinger(linger)
		i.Close()
	}
	ask := func(i *initiator, reads uint32) *initiator { // for 4 MiB each
		i.login(names)
		for n := range reads {
			i.send(scsi(n, flagRead, 4<<20, "\x28\x00\x00\x00\x00\x00\x00\x20\x00\x00"))
		}
		return i
	}
	for _, tc := range []struct {
		name string
		do   func(i *initiator, addr string)
		want error // nil: nothing is told
	}{
		{"it only looks", func(i *initiator, _ string) { leave(i, -1) }, nil},
		{"it leaves", func(i *initiator, _ string) { leave(i.login(names), -1) }, nil},
		{"it is killed", func(i *initiator, _ string) { leave(i.login(names), 0) }, nil},
		{"it leaves before the answers", func(i *initiator, _ string) { leave(ask(i, 8), -1) }, nil},
		{"it leaves amid the answers", func(i *initiator, _ string) { ask(i, 8).get(); leave(i, -1) }, nil},
		{"it is killed amid the answers", func(i *initiator, _ string) { ask(i, 8).get(); leave(i, 0) }, nil},
		{"it logs in again", func(i *initiator, addr string) {
			ask(i, 8)
			again := dial(i.t, addr).login(names)
			i.gone()
			leave(again, -1)
		}, nil},
		{"it resets the target", func(i *initiator, _ string) {
			i.login(names).send(newPDU(opTaskMgmt|opImmediate, flagFinal|tmfColdReset, 9))
			i.get()
			i.gone()
		}, nil},
		{"it logs out", func(i *initiator, _ string) {
			i.login(names).send(newPDU(opLogout|opImmediate, flagFinal, 9))
			i.get()
			i.gone()
		}, nil},
		{"it leaves amid a message", func(i *initiator, _ string) {
			i.login(names).Write(make([]byte, 20))
			leave(i, -1)
		}, errCut},
		{"it talks nonsense", func(i *initiator, _ string) { i.send(scsi(0, 0, 0, "")); i.gone() }, errProtocol},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &Server{Targets: []*Target{{Name: iqn, LUNs: disk(blockdev.Bytes{B: make([]byte, 4<<20)})}}}
			var mu sync.Mutex
			var told []error
			s.OnError = func(_ net.Addr, err error) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, err)
			}
			if err := s.init(); err != nil {
				t.Fatal(err)
			}
			addr := start(t, s)
			i := dial(t, addr)
			tc.do(i, addr)
			i.Close()
			if err := s.slots.Acquire(t.Context(), int64(s.MaxConns)); err != nil { // all have ended
				t.Fatal(err)
			}
			s.slots.Release(int64(s.MaxConns))
			mu.Lock()
			defer mu.Unlock()
			if err := errors.Join(told...); !errors.Is(err, tc.want) {
				t.Errorf("told: %v, want: %v", err, tc.want)
			}
		})
	}
}

// feed sends what an R2T asks for: zeros.
func (i *initiator) feed(r2t *pdu) {
	for off, left := r2t.u32(40), r2t.u32(44); left > 0; {
		n := min(left, maxReceive)
		p := newPDU(opDataOut, 0, r2t.itt())
		p.set(20, r2t.u32(20))
		p.set(36, (off-r2t.u32(40))/maxReceive)
		p.set(40, off)
		p.data = make([]byte, n)
		if off, left = off+n, left-n; left == 0 {
			p.bhs[1] = flagFinal
		}
		i.send(p)
	}
}

// TestCommandsDoNotWaitForEachOther has more commands than there is memory for:
// each must get all it needs, one after the other.
func TestCommandsDoNotWaitForEachOther(t *testing.T) {
	dev := blockdev.Bytes{B: make([]byte, maxHeld)}
	i := dial(t, start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(dev)}}, MaxMemory: 2 * maxHeld})).login(names)
	const commands = 4
	for sn := range uint32(commands) {
		i.send(scsi(sn, flagWrite, maxHeld, "\x2f\x02\x00\x00\x00\x00\x00\x40\x00")) // VERIFY(10), BYTCHK 1
	}
	for done := 0; done < commands; {
		switch p := i.get(); p.op() {
		case opR2T:
			i.feed(p)
		case opResponse:
			if p.bhs[3] != statusGood {
				t.Errorf("status %#x", p.bhs[3])
			}
			done++
		}
	}
}

// gated counts the bytes that are being written at a time.
type gated struct {
	*overlay.Overlay
	now, most atomic.Int64
	calls     atomic.Int64
	gate      chan struct{}
}

func (g *gated) WriteAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	now := g.now.Add(int64(len(p)))
	for m := g.most.Load(); now > m && !g.most.CompareAndSwap(m, now); m = g.most.Load() {
	}
	g.calls.Add(1)
	<-g.gate
	defer g.now.Add(-int64(len(p)))
	return g.Overlay.WriteAtContext(ctx, p, off)
}

func TestWriteSameIsBounded(t *testing.T) {
	dev := &gated{Overlay: overlaid(t, blockdev.Bytes{B: make([]byte, 4<<20)}), gate: make(chan struct{})}
	i := dial(t, start(t, &Server{Targets: []*Target{{Name: iqn, LUNs: disk(dev)}}, MaxMemory: 2 * maxHeld})).login(names + "ImmediateData=Yes\x00")
	memory := int64(2 * maxHeld)
	const commands = 24
	for sn := range uint32(commands) {
		p := scsi(sn, flagWrite, 512, "\x41\x00\x00\x00\x00\x00\x00\x08\x00") // WRITE SAME(10), 1 MiB
		p.data = bytes.Repeat([]byte{1}, 512)
		i.send(p)
	}
	for dev.calls.Load() < 1 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	close(dev.gate)
	for range commands {
		if p := i.get(); p.op() != opResponse || p.bhs[3] != statusGood {
			t.Errorf("opcode %#x, status %#x", p.op(), p.bhs[3])
		}
	}
	if m := dev.most.Load(); m > memory {
		t.Errorf("%d bytes at a time", m)
	}
}

func TestReinstatement(t *testing.T) {
	addr := testTarget(t)
	first := dial(t, addr).login(names)
	second := dial(t, addr).login(names) // same name and ISID
	first.gone()
	second.send(scsi(0, 0, 0, "\x00"))
	if p := second.get(); p.op() != opResponse || p.bhs[3] != statusGood {
		t.Errorf("opcode %#x, status %#x", p.op(), p.bhs[3])
	}
}

func TestDigests(t *testing.T) {
	addr := testTarget(t)
	i := dial(t, addr).login(names + "HeaderDigest=CRC32C\x00DataDigest=CRC32C\x00")
	d := digests{true, true}
	p := scsi(0, flagRead, 96, "\x12\x00\x00\x00\x60\x00")
	bufs := net.Buffers(p.encode(d))
	bufs.WriteTo(i.Conn)
	rsp, err := readPDU(i.r, d, 1<<20)
	if err != nil || rsp.op() != opDataIn || string(rsp.data[8:15]) != Vendor {
		t.Fatalf("%v", err)
	}
	b := bytes.Join(scsi(1, 0, 0, "\x00").encode(d), nil)
	b[50] ^= 1
	i.Write(b)
	i.gone()
}

// wire runs a connection on bytes that a fuzzer made.
type wire struct {
	net.Conn // nil: only the methods below are used
	in       *bytes.Reader
}

func (w *wire) Read(b []byte) (int, error)       { return w.in.Read(b) }
func (w *wire) Write(b []byte) (int, error)      { return len(b), nil }
func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3260} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func bytesOf(ps ...*pdu) []byte {
	var b []byte
	for _, p := range ps {
		b = append(b, bytes.Join(p.encode(digests{}), nil)...)
	}
	return b
}

// FuzzServer feeds a whole connection: login and commands.
func FuzzServer(f *testing.F) {
	in := loginPDU(0x87, names)
	f.Add(bytesOf(loginPDU(0x81, names+"AuthMethod=None\x00"), in))
	f.Add(bytesOf(loginPDU(0x87, "InitiatorName=x\x00SessionType=Discovery\x00"), &pdu{bhs: newPDU(opText|opImmediate, flagFinal, 2).bhs, data: []byte("SendTargets=All\x00")}))
	for _, c := range commands {
		p := scsi(0, flagRead|flagWrite, 1024, c.mask)
		p.data = make([]byte, 64)
		f.Add(bytesOf(in, p, newPDU(opTaskMgmt|opImmediate, 0x80|tmfAbortTask, 9), newPDU(opLogout|opImmediate, flagFinal, 10)))
	}
	out := newPDU(opDataOut, flagFinal, 100)
	out.set(20, 1)
	out.data = make([]byte, 4096)
	f.Add(bytesOf(in, scsi(0, flagWrite, 4096, "\x2a\x00\x00\x00\x00\x00\x00\x00\x08\x00"), out))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Server{Targets: []*Target{{Name: iqn, LUNs: disk(overlaid(t, blockdev.Bytes{B: make([]byte, 1<<20)}))}}}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.ServeConn(ctx, &wire{in: bytes.NewReader(b)})
		if ctx.Err() != nil {
			t.Error("the connection does not end")
		}
	})
}
