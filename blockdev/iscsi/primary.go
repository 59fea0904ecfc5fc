package iscsi

import (
	"fmt"
	"strings"
)

// The commands of SPC-4.

// Vendor is the name that every disk shows.
const Vendor = "VITRINE"

func padded(s string, n int) []byte {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '_'
		}
		return r
	}, s)
	return []byte(fmt.Sprintf("%-*.*s", n, n, s))
}

func (l *LUN) product() string {
	if l.Product == "" {
		return "Image"
	}
	return l.Product
}

// inquiry, SPC-4 6.6.
func (t *task) inquiry() error {
	page, allocation := t.cdb[2], int(be.Uint16(t.cdb[3:]))
	if t.cdb[1]&^1 != 0 {
		return badCDB(1)
	}
	if t.cdb[1]&1 == 0 {
		if page != 0 {
			return badCDB(2)
		}
		return t.give(t.standardInquiry(), allocation)
	}
	if t.lun == nil {
		return illegal(ascNoLUN)
	}
	body, ok := t.lun.vpd(page, t.c)
	if !ok {
		return badCDB(2)
	}
	b := append([]byte{0, page, byte(len(body) >> 8), byte(len(body))}, body...)
	return t.give(b, allocation)
}

// standardInquiry, table 142. The version descriptors: SAM-5, SPC-4, SBC-3,
// iSCSI.
func (t *task) standardInquiry() []byte {
	b := make([]byte, 96)
	b[2], b[3], b[4] = 6, 0x12, byte(len(b)-5) // SPC-4; HISUP, format 2
	b[7] = 2                                   // CMDQUE
	product := "Image"
	if t.lun == nil {
		b[0] = 0x7f // no such disk
	} else {
		product = t.lun.product()
	}
	copy(b[8:], padded(Vendor, 8))
	copy(b[16:], padded(product, 16))
	copy(b[32:], "1   ")
	for i, v := range []uint16{0x00a0, 0x0460, 0x04c0, 0x0960} {
		be.PutUint16(b[58+2*i:], v)
	}
	return b
}

// vpd returns the body of a vital product data page.
func (l *LUN) vpd(page byte, c *conn) ([]byte, bool) {
	switch page {
	case 0x00:
		return []byte{0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2}, true
	case 0x80:
		return padded(l.Serial, min(len(l.Serial), 32)), true
	case 0x83:
		return l.identification(c), true
	case 0x86:
		b := make([]byte, 60)
		b[1] = 0x07 // SIMPSUP, ORDSUP, HEADSUP
		return b, true
	case 0xb0:
		return l.unit.blockLimits(), true
	case 0xb1:
		b := make([]byte, 60)
		be.PutUint16(b, 1) // non-rotating
		return b, true
	case 0xb2:
		return l.unit.provisioning(), true
	}
	return nil, false
}

// identification, SPC-4 7.8.5: by NAA, by vendor, and of the target port.
func (l *LUN) identification(c *conn) []byte {
	id := naa(l.Serial)
	b := append([]byte{0x01, 0x03, 0, 8}, id[:]...)
	vendor := append(padded(Vendor, 8), padded(l.Serial, min(len(l.Serial), 32))...)
	b = append(b, 0x02, 0x01, 0, byte(len(vendor)))
	b = append(b, vendor...)
	b = append(b, 0x51, 0x94, 0, 4, 0, 0, 0, 1) // relative port 1, iSCSI
	name := c.target.Name + ",t,0x0001"
	name += strings.Repeat("\x00", 4-len(name)%4)
	b = append(b, 0x53, 0x98, 0, byte(len(name)))
	return append(b, name...)
}

// requestSense, SPC-4 6.39: what a unit attention would say, else nothing.
func (t *task) requestSense() error {
	e := &senseError{}
	if t.lun == nil {
		e = &senseError{key: keyIllegal, asc: ascNoLUN}
	} else if asc, ok := t.lun.unit.takeAttention(t.c); ok {
		e = &senseError{key: keyAttention, asc: asc}
	}
	return t.give(e.encode(t.cdb[1]&1 == 1), int(t.cdb[4]))
}

// selfTest, SPC-4 6.42: only the default self-test, which finds nothing.
func (t *task) selfTest() error {
	if t.cdb[1]&^0x04 != 0 || be.Uint16(t.cdb[3:]) != 0 {
		return badCDB(1)
	}
	return nil
}

// reportLUNs, SPC-4 6.33.
func (t *task) reportLUNs() error {
	report, allocation := t.cdb[2], int(be.Uint32(t.cdb[6:]))
	if report > 2 {
		return badCDB(2)
	}
	if allocation < 16 {
		return badCDB(6)
	}
	n := len(t.c.target.LUNs)
	if report == 1 { // only the well-known ones, which there are not
		n = 0
	}
	b := make([]byte, 8+8*n)
	be.PutUint32(b, uint32(8*n))
	for i := range n {
		be.PutUint16(b[8+8*i:], uint16(i))
	}
	return t.give(b, allocation)
}

// reportOpcodes, SPC-4 6.35: all commands, or one.
func (t *task) reportOpcodes() error {
	options, timeouts := t.cdb[2]&7, t.cdb[2]&0x80 != 0
	allocation := int(be.Uint32(t.cdb[6:]))
	if options == 0 {
		return t.give(allOpcodes(timeouts), allocation)
	}
	b, err := oneOpcode(options, t.cdb[3], int(be.Uint16(t.cdb[4:])), timeouts)
	if err != nil {
		return err
	}
	return t.give(b, allocation)
}

// timeoutDescriptor says nothing of times, table 222.
var timeoutDescriptor = []byte{0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

func allOpcodes(timeouts bool) []byte {
	b := make([]byte, 4)
	for _, c := range commands {
		d := []byte{c.op, 0, 0, 0, 0, 0, byte(len(c.mask) >> 8), byte(len(c.mask))}
		if c.action != anyAction {
			d[3], d[5] = byte(c.action), 1
		}
		if timeouts {
			d[5] |= 2
			d = append(d, timeoutDescriptor...)
		}
		b = append(b, d...)
	}
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

// oneOpcode answers for one command: option 1 without, 2 with service action,
// 3 either.
func oneOpcode(options, op byte, action int, timeouts bool) ([]byte, error) {
	b := []byte{0, 1, 0, 0} // not supported
	for _, c := range commands {
		if c.op != op {
			continue
		}
		if options == 1 && c.action != anyAction || options == 2 && c.action == anyAction {
			return nil, badCDB(4)
		}
		if options > 3 {
			break
		}
		if c.action != anyAction && c.action != action {
			continue
		}
		b[1], b[3] = 3, byte(len(c.mask))
		b = append(b, c.mask...)
		if timeouts {
			b[1] |= 0x80
			b = append(b, timeoutDescriptor...)
		}
		return b, nil
	}
	if options > 3 {
		return nil, badCDB(2)
	}
	return b, nil
}

// reportFunctions, SPC-4 6.36: abort task, abort task set, clear task set, LUN
// reset, target reset.
func (t *task) reportFunctions() error {
	b := []byte{0x80 | 0x40 | 0x10 | 0x08 | 0x02, 0, 0, 0}
	if t.cdb[2]&0x80 != 0 {
		b = append(b[:3], 12)
		b = append(b, make([]byte, 12)...)
	}
	return t.give(b, int(be.Uint32(t.cdb[6:])))
}
