package iscsi

import "bytes"

// Mode pages, SPC-4 7.5 and SBC-3 6.5.

// Page control: what MODE SENSE asks for.
const (
	pcCurrent    = 0
	pcChangeable = 1
	pcDefault    = 2
	pcSaved      = 3
)

const (
	controlSWP    = 0x08 // byte 4 of the control page
	controlDSense = 0x04 // byte 2 of it
)

// modePages returns the pages with code and length: caching, control,
// informational exceptions. The caller holds u.mu.
func (u *unit) modePages(pc byte) [][]byte {
	caching := make([]byte, 20)
	caching[0], caching[1] = 0x08, 18
	control := make([]byte, 12)
	control[0], control[1] = 0x0a, 10
	exceptions := make([]byte, 12)
	exceptions[0], exceptions[1] = 0x1c, 10
	switch {
	case pc == pcChangeable:
		control[2], control[4] = controlDSense, controlSWP
		return [][]byte{caching, control, exceptions}
	case pc == pcCurrent && u.softProtect:
		control[4] |= controlSWP
	}
	if pc == pcCurrent && u.descSense {
		control[2] |= controlDSense
	}
	if u.writable != nil {
		caching[2] = 0x04 // WCE: only a flush makes things durable
	}
	control[3] = 0x10 // commands may be reordered
	be.PutUint16(control[8:], 0xffff)
	return [][]byte{caching, control, exceptions}
}

// deviceSpecific is the byte of the header that says "write-protected" and
// "FUA is understood".
func (u *unit) deviceSpecific() byte {
	b := byte(0x10)
	if u.writable == nil || u.softProtect {
		b |= 0x80
	}
	return b
}

// modeSense, SPC-4 6.11 and 6.12.
func (t *task) modeSense() error {
	long := t.cdb[0] == cmdModeSense10
	pc, page, sub := t.cdb[2]>>6, t.cdb[2]&0x3f, t.cdb[3]
	if pc == pcSaved {
		return illegal(ascSavingUnsupported)
	}
	u := &t.lun.unit
	u.mu.Lock()
	body := u.selectPages(pc, page)
	specific := u.deviceSpecific()
	u.mu.Unlock()
	if len(body) == 0 {
		return badCDB(2)
	}
	if sub != 0 && (sub != 0xff || page != 0x3f) {
		return badCDB(3)
	}
	var blocks []byte
	if t.cdb[1]&0x08 == 0 { // DBD
		blocks = u.blockDescriptor(long && t.cdb[1]&0x10 != 0)
	}
	return t.giveMode(long, specific, blocks, body)
}

func (u *unit) selectPages(pc, page byte) (body []byte) {
	for _, p := range u.modePages(pc) {
		if page == 0x3f || page == p[0] {
			body = append(body, p...)
		}
	}
	return body
}

// blockDescriptor, SBC-3 6.5.2: number and length of blocks.
func (u *unit) blockDescriptor(long bool) []byte {
	if long {
		b := make([]byte, 16)
		be.PutUint64(b, u.blocks)
		be.PutUint32(b[12:], uint32(u.sector))
		return b
	}
	b := make([]byte, 8)
	be.PutUint32(b, uint32(min(u.blocks, 0xffffffff)))
	b[5], b[6], b[7] = byte(u.sector>>16), byte(u.sector>>8), byte(u.sector)
	return b
}

func (t *task) giveMode(long bool, specific byte, blocks, body []byte) error {
	n := len(blocks) + len(body)
	if !long {
		b := append([]byte{byte(n + 3), 0, specific, byte(len(blocks))}, blocks...)
		return t.give(append(b, body...), int(t.cdb[4]))
	}
	b := make([]byte, 8)
	be.PutUint16(b, uint16(n+6))
	b[3] = specific
	if len(blocks) == 16 {
		b[4] = 1 // LONGLBA
	}
	be.PutUint16(b[6:], uint16(len(blocks)))
	return t.give(append(append(b, blocks...), body...), int(be.Uint16(t.cdb[7:])))
}

// modeSelect, SPC-4 6.9 and 6.10: only what is changeable may differ.
func (t *task) modeSelect() error {
	n, head := int(t.cdb[4]), 4
	if t.cdb[0] == cmdModeSelect10 {
		n, head = int(be.Uint16(t.cdb[7:])), 8
	}
	if t.cdb[1]&0x01 != 0 || t.cdb[1]&0x10 == 0 { // saving; vendor's format
		return badCDB(1)
	}
	b, err := t.receive(n, 0)
	if err != nil || n == 0 {
		return err
	}
	if len(b) < head {
		return illegal(ascParameterLength)
	}
	skip := int(b[3])
	if head == 8 {
		skip = int(be.Uint16(b[6:]))
	}
	if skip > len(b)-head {
		return illegal(ascParameterLength)
	}
	return t.lun.unit.selectMode(t.c, b[head+skip:], head+skip)
}

// selectMode checks all pages before it changes anything.
func (u *unit) selectMode(c *conn, pages []byte, at int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	protect, desc := u.softProtect, u.descSense
	for len(pages) > 0 {
		page, err := u.checkPage(pages, at)
		if err != nil {
			return err
		}
		if page[0] == 0x0a {
			protect, desc = page[4]&controlSWP != 0, page[2]&controlDSense != 0
		}
		pages, at = pages[len(page):], at+len(page)
	}
	if protect != u.softProtect || desc != u.descSense {
		u.softProtect, u.descSense = protect, desc
		u.notifyOthers(c, ascModeChanged)
	}
	return nil
}

// checkPage returns the first page if it differs from the present one only
// where it may.
func (u *unit) checkPage(pages []byte, at int) ([]byte, error) {
	for i, now := range u.modePages(pcCurrent) {
		if pages[0]&0x7f != now[0] {
			continue
		}
		if len(pages) < len(now) || pages[1] != now[1] {
			return nil, illegal(ascParameterLength)
		}
		page := bytes.Clone(pages[:len(now)])
		page[0] &= 0x7f
		mask := u.modePages(pcChangeable)[i]
		for k := 2; k < len(page); k++ {
			if (page[k]^now[k])&^mask[k] != 0 {
				return nil, badData(at + k)
			}
		}
		return page, nil
	}
	return nil, badData(at)
}
