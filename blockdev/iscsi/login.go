package iscsi

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Stages of a login, RFC 7143 section 11.12.3.
const (
	stageSecurity    = 0
	stageOperational = 1
	stageFull        = 3
)

// Status of a login, section 11.13.5: class and detail.
const (
	loginOK          = 0x0000
	loginInitiator   = 0x0200 // the initiator's fault
	loginAuth        = 0x0201
	loginNotFound    = 0x0203
	loginVersion     = 0x0205
	loginTooMany     = 0x0206
	loginMissing     = 0x0207
	loginSessionType = 0x0209
	loginNoSession   = 0x020a
	loginRequest     = 0x020b
)

// loginState is a login in progress.
type loginState struct {
	c        *conn
	text     []byte // of continued requests
	first    bool
	proven   bool // CHAP is done, or not needed
	named    bool // the first request's names were looked at
	chap     chapState
	declared bool // our MaxRecvDataSegmentLength was sent
}

// login runs the login phase. ok is false when the initiator was refused.
func (c *conn) login() (ok bool, err error) {
	c.nc.SetDeadline(time.Now().Add(loginTime))
	if c.ctx.Err() != nil {
		return false, c.ctx.Err()
	}
	l := &loginState{c: c, first: true}
	for range maxRounds {
		p, err := readPDU(c.r, digests{}, maxText)
		if err != nil {
			return false, err
		}
		if p.op() != opLogin {
			return false, fmt.Errorf("%w: opcode %#x before the login", errProtocol, p.op())
		}
		full, status, err := l.step(p)
		if err != nil || status != loginOK {
			return false, err
		}
		if full {
			return true, nil
		}
	}
	return false, fmt.Errorf("%w: the login does not end", errProtocol)
}

// step answers one login request.
func (l *loginState) step(p *pdu) (full bool, status uint16, err error) {
	reply, next, status := l.answer(p)
	rsp := newPDU(opLoginRsp, p.flags()&0x0c, p.itt()) // the current stage stays
	copy(rsp.bhs[8:14], p.bhs[8:14])
	if status != loginOK {
		rsp.bhs[1] = 0
		be.PutUint16(rsp.bhs[36:], status)
		return false, status, l.c.sendLogin(rsp)
	}
	if next >= 0 {
		rsp.bhs[1] |= flagFinal | byte(next)
	}
	full = next == stageFull
	if full {
		l.c.finishLogin()
		be.PutUint16(rsp.bhs[14:], l.c.tsih)
	}
	rsp.data = formatText(reply)
	return full, status, l.c.sendLogin(rsp)
}

// sendLogin sends a login response: digests begin only after the last.
func (c *conn) sendLogin(p *pdu) error {
	agreed := c.p.digests
	c.p.digests = digests{}
	defer func() { c.p.digests = agreed }()
	return c.send(p, true)
}

// answer works out the reply and the stage to go to, -1: the same.
func (l *loginState) answer(p *pdu) (reply []pair, next int, status uint16) {
	if status := l.header(p); status != loginOK {
		return nil, -1, status
	}
	if len(l.text)+len(p.data) > maxText {
		return nil, -1, loginInitiator
	}
	l.text = append(l.text, p.data...)
	if p.flags()&flagContinue != 0 {
		return nil, -1, loginOK
	}
	pairs, err := parseText(l.text)
	l.text = nil
	if err != nil {
		return nil, -1, loginInitiator
	}
	return l.keys(p, pairs)
}

// header checks the fixed fields. The first request settles who it is and
// where the commands' numbers begin.
func (l *loginState) header(p *pdu) uint16 {
	c := l.c
	switch {
	case p.bhs[3] > 0: // Version-min; there is but version 0
		return loginVersion
	case be.Uint16(p.bhs[14:]) != 0: // TSIH: a further connection of a session
		return loginTooMany
	case p.flags()&(flagFinal|flagContinue) == flagFinal|flagContinue:
		return loginInitiator
	}
	if l.first {
		l.first = false
		copy(c.isid[:], p.bhs[8:14])
		c.expCmdSN, c.statSN = p.u32(24), p.u32(28)
	}
	return loginOK
}

func (l *loginState) keys(p *pdu, pairs []pair) (reply []pair, next int, status uint16) {
	m := map[string]string{}
	for _, kv := range pairs {
		m[kv.key] = kv.value
	}
	if status := l.names(m); status != loginOK {
		return nil, -1, status
	}
	current, wanted := int(p.flags()>>2&3), int(p.flags()&3)
	transit := p.flags()&flagFinal != 0
	switch {
	case current == stageSecurity:
		reply, status = l.security(m)
	case current == stageOperational && l.proven:
		reply = l.operational(pairs)
	case current == stageOperational:
		status = loginAuth
	default:
		status = loginRequest
	}
	if status != loginOK || !transit || !l.proven {
		return reply, -1, status
	}
	if wanted <= current || wanted == 2 {
		return nil, -1, loginInitiator
	}
	return reply, wanted, loginOK
}

// names looks at who comes and where it wants to go: in the first request.
func (l *loginState) names(m map[string]string) uint16 {
	if l.named {
		return loginOK
	}
	c := l.c
	c.initiator = m["InitiatorName"]
	if c.initiator == "" || len(c.initiator) > 223 {
		return loginMissing
	}
	switch m["SessionType"] {
	case "Discovery":
		l.named, l.proven = true, true
		return loginOK
	case "", "Normal":
	default:
		return loginSessionType
	}
	if m["TargetName"] == "" {
		return loginMissing
	}
	if c.target = c.s.target(m["TargetName"]); c.target == nil {
		return loginNotFound
	}
	l.named, l.proven = true, c.target.Auth == nil
	return loginOK
}

// security answers the keys of the first stage.
func (l *loginState) security(m map[string]string) (reply []pair, status uint16) {
	reply = l.portal()
	if v, ok := m["AuthMethod"]; ok {
		method := l.method(v)
		if method == "" {
			return nil, loginAuth
		}
		return append(reply, pair{"AuthMethod", method}), loginOK
	}
	if l.proven {
		return reply, loginOK
	}
	if a, ok := m["CHAP_A"]; ok && l.chap.challenge == nil {
		if more := l.chap.start(a); more != nil {
			return append(reply, more...), loginOK
		}
		return nil, loginAuth
	}
	if _, ok := m["CHAP_R"]; !ok {
		return nil, loginAuth
	}
	more, ok := l.chap.check(l.c.target.Auth, m)
	if !ok {
		return nil, loginAuth
	}
	l.proven = true
	return append(reply, more...), loginOK
}

// portal tells the portal group, once, in the first answer of a normal session.
func (l *loginState) portal() []pair {
	if l.c.target == nil || l.declared {
		return nil
	}
	l.declared = true
	return []pair{{"TargetPortalGroupTag", "1"}}
}

// method chooses from the initiator's list: CHAP if the target wants it.
func (l *loginState) method(list string) string {
	want := "None"
	if !l.proven {
		want = "CHAP"
	}
	for _, m := range splitList(list) {
		if m == want {
			return m
		}
	}
	return ""
}

// silent are keys that are not answered.
var silent = map[string]bool{"InitiatorName": true, "InitiatorAlias": true, "SessionType": true, "TargetName": true, "AuthMethod": true}

// operational answers the keys of the second stage.
func (l *loginState) operational(pairs []pair) []pair {
	reply := l.portal()
	own := false
	for _, kv := range pairs {
		if silent[kv.key] {
			continue
		}
		own = own || kv.key == "MaxRecvDataSegmentLength"
		if v := l.c.p.answer(kv.key, kv.value); v != "" {
			reply = append(reply, pair{kv.key, v})
		}
	}
	if own {
		reply = append(reply, pair{"MaxRecvDataSegmentLength", fmt.Sprint(maxReceive)})
	}
	return reply
}

// finishLogin makes the session known.
func (c *conn) finishLogin() {
	c.s.enter(c)
	if c.target == nil {
		return
	}
	for _, l := range c.target.LUNs {
		l.unit.attach(c)
	}
}

// sendTargets answers a SendTargets request, RFC 7143 appendix C.
func (c *conn) sendTargets(value string) []pair {
	var reply []pair
	for _, t := range c.s.Targets {
		if c.target != nil && t != c.target || value != "All" && value != "" && value != t.Name {
			continue
		}
		reply = append(reply, pair{"TargetName", t.Name})
		if a, ok := c.nc.LocalAddr().(*net.TCPAddr); ok {
			reply = append(reply, pair{"TargetAddress", portal(a) + ",1"})
		}
	}
	return reply
}

// portal is an address as initiators write it: IPv4 plainly, and IPv6 without
// the zone, which means nothing to others.
func portal(a *net.TCPAddr) string {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port()).String()
}
