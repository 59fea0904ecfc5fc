package iscsi

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reservations: persistent ones, SPC-4 5.9, and RESERVE(6) of SPC-2. Neither
// survives the end of the program.

// Service actions of PERSISTENT RESERVE IN and OUT.
const (
	prReadKeys        = 0
	prReadReservation = 1
	prCapabilities    = 2
	prFullStatus      = 3

	prRegister       = 0
	prReserve        = 1
	prRelease        = 2
	prClear          = 3
	prPreempt        = 4
	prPreemptAbort   = 5
	prRegisterIgnore = 6
)

// Types of persistent reservations.
const (
	typeWriteEx    = 1
	typeExclusive  = 3
	typeWriteExRO  = 5 // registrants only
	typeExclRO     = 6
	typeWriteExAll = 7 // all registrants
	typeExclAll    = 8
)

const maxRegistrations = 64

// reservations is a disk's state; unit.mu guards it.
type reservations struct {
	generation uint32
	keys       map[string]uint64 // registered nexuses
	kind       byte              // 0: nothing is reserved
	holder     string            // nexus, unless all registrants hold it
}

func allRegistrants(kind byte) bool { return kind == typeWriteExAll || kind == typeExclAll }

func (r *reservations) holds(nexus string) bool {
	_, registered := r.keys[nexus]
	return r.kind != 0 && (r.holder == nexus || registered && allRegistrants(r.kind))
}

// allowed checks a command against the reservations of others.
func (t *task) allowed(a access) error {
	if t.lun == nil {
		return nil
	}
	u := &t.lun.unit
	u.mu.Lock()
	defer u.mu.Unlock()
	op := t.cdb[0]
	if u.holder != nil && u.holder != t.c && op != cmdInquiry && op != cmdRequestSense && op != cmdReportLUNs && op != cmdRelease6 {
		return errConflict
	}
	if a == always || a == inside || !u.pr.refuses(t.c.nexus(), a) {
		return nil
	}
	return errConflict
}

func (r *reservations) refuses(nexus string, a access) bool {
	if r.kind == 0 || r.holds(nexus) {
		return false
	}
	_, registered := r.keys[nexus]
	switch r.kind {
	case typeWriteEx:
		return a == writing
	case typeExclusive:
		return true
	case typeWriteExRO, typeWriteExAll:
		return a == writing && !registered
	}
	return !registered
}

// reserve6 and release6, SPC-2 7.21 and 7.17.
func (t *task) reserve6() error {
	u := &t.lun.unit
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.pr.keys) > 0 {
		return errConflict
	}
	u.holder = t.c
	return nil
}

func (t *task) release6() error {
	u := &t.lun.unit
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.pr.keys) > 0 {
		return errConflict
	}
	if u.holder == t.c {
		u.holder = nil
	}
	return nil
}

// reserveIn, SPC-4 6.15.
func (t *task) reserveIn() error {
	u := &t.lun.unit
	u.mu.Lock()
	b := u.pr.show(t.cdb[1] & 0x1f)
	u.mu.Unlock()
	return t.give(b, int(be.Uint16(t.cdb[7:])))
}

func (r *reservations) show(action byte) []byte {
	if action == prCapabilities {
		return []byte{0, 8, 0, 0x80, 0xea, 0x01, 0, 0} // all types, nothing persists
	}
	b := be.AppendUint32(nil, r.generation)
	b = append(b, 0, 0, 0, 0)
	switch action {
	case prReadKeys:
		for _, n := range slices.Sorted(maps.Keys(r.keys)) {
			b = be.AppendUint64(b, r.keys[n])
		}
	case prReadReservation:
		b = append(b, r.reservation()...)
	case prFullStatus:
		b = append(b, r.fullStatus()...)
	}
	be.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func (r *reservations) reservation() []byte {
	if r.kind == 0 {
		return nil
	}
	b := make([]byte, 16)
	if !allRegistrants(r.kind) {
		be.PutUint64(b, r.keys[r.holder])
	}
	b[13] = r.kind
	return b
}

func (r *reservations) fullStatus() (b []byte) {
	for _, n := range slices.Sorted(maps.Keys(r.keys)) {
		d := make([]byte, 24)
		be.PutUint64(d, r.keys[n])
		if r.holds(n) {
			d[12], d[13] = 1, r.kind
		}
		d[19] = 1 // target port
		id := n + strings.Repeat("\x00", 4-len(n)%4)
		id += strings.Repeat("\x00", max(0, 20-len(id)))
		be.PutUint32(d[20:], uint32(4+len(id)))
		d = append(d, 0x45, 0, byte(len(id)>>8), byte(len(id)))
		b = append(b, append(d, id...)...)
	}
	return b
}

// reserveOut, SPC-4 6.16. The parameter list:
//
//	off len field
//	  0   8 reservation key
//	  8   8 service action reservation key
//	 20   1 flags: 0x08 other initiators, 0x04 all target ports, 0x01 persist
func (t *task) reserveOut() error {
	n := int(be.Uint32(t.cdb[5:]))
	if n != 24 {
		return illegal(ascParameterLength)
	}
	b, err := t.receive(n, 0)
	if err != nil {
		return err
	}
	if len(b) < n {
		return illegal(ascParameterLength)
	}
	o := order{c: t.c, nexus: t.c.nexus(), action: t.cdb[1] & 0x1f, scope: t.cdb[2] >> 4, kind: t.cdb[2] & 0xf,
		key: be.Uint64(b), next: be.Uint64(b[8:])}
	if o.action == prRegister || o.action == prRegisterIgnore {
		if b[20]&0x0d&^0x04 != 0 {
			return badData(20)
		}
	}
	u := &t.lun.unit
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.change(o)
}

// order is a PERSISTENT RESERVE OUT.
type order struct {
	c           *conn
	nexus       string
	action      byte
	scope, kind byte
	key, next   uint64
}

func (u *unit) change(o order) error {
	r := &u.pr
	have, registered := r.keys[o.nexus]
	if o.action == prRegisterIgnore || o.action == prRegister && (registered && have == o.key || !registered && o.key == 0) {
		return u.register(o, registered)
	}
	if !registered || have != o.key {
		return errConflict
	}
	switch o.action {
	case prReserve:
		return r.reserve(o)
	case prRelease:
		return u.releasePR(o)
	case prClear:
		return u.clear(o)
	case prPreempt, prPreemptAbort:
		return u.preempt(o)
	}
	return errConflict
}

func validType(scope, kind byte) error {
	if scope != 0 || kind == 0 || kind == 2 || kind == 4 || kind > 8 {
		return badCDB(2)
	}
	return nil
}

func (u *unit) register(o order, registered bool) error {
	r := &u.pr
	switch {
	case o.next == 0 && !registered:
		return nil
	case o.next == 0:
		u.unregister(o.nexus, o.c)
	case !registered && len(r.keys) == maxRegistrations:
		return illegal(ascRegistrationsFull)
	default:
		r.keys[o.nexus] = o.next
	}
	r.generation++
	return nil
}

// unregister forgets a nexus, and its reservation if nobody else holds it.
func (u *unit) unregister(nexus string, c *conn) {
	r := &u.pr
	held := r.holds(nexus)
	delete(r.keys, nexus)
	if held && (!allRegistrants(r.kind) || len(r.keys) == 0) {
		u.drop(c)
	}
}

// drop ends the reservation; those who could write because they had registered
// are told.
func (u *unit) drop(c *conn) {
	kind := u.pr.kind
	u.pr.kind, u.pr.holder = 0, ""
	if kind != typeWriteEx && kind != typeExclusive {
		u.notifyRegistered(c, ascReservedReleased)
	}
}

func (u *unit) notifyRegistered(c *conn, asc uint16) {
	for o := range u.sessions {
		if _, ok := u.pr.keys[o.nexus()]; ok && o != c {
			u.notify(o, asc)
		}
	}
}

func (r *reservations) reserve(o order) error {
	if err := validType(o.scope, o.kind); err != nil {
		return err
	}
	if r.kind != 0 {
		if r.holds(o.nexus) && r.kind == o.kind {
			return nil
		}
		return errConflict
	}
	r.kind, r.holder = o.kind, o.nexus
	return nil
}

func (u *unit) releasePR(o order) error {
	r := &u.pr
	if !r.holds(o.nexus) {
		return nil
	}
	if o.scope != 0 || o.kind != r.kind {
		return illegal(ascInvalidRelease)
	}
	u.drop(o.c)
	return nil
}

func (u *unit) clear(o order) error {
	u.notifyRegistered(o.c, ascReservedPreempted)
	r := &u.pr
	clear(r.keys)
	r.kind, r.holder = 0, ""
	r.generation++
	return nil
}

// preempt, SPC-4 5.9.11.4: takes the reservation over if the key is its
// holder's, and ends all registrations with that key.
func (u *unit) preempt(o order) error {
	r := &u.pr
	takes := r.kind != 0 && (allRegistrants(r.kind) && o.next == 0 || !allRegistrants(r.kind) && r.keys[r.holder] == o.next)
	if o.next == 0 && !takes {
		return badData(8)
	}
	if takes {
		if err := validType(o.scope, o.kind); err != nil {
			return err
		}
	}
	gone := u.preempted(o)
	if len(gone) == 0 && !takes {
		return errConflict
	}
	old := r.kind
	for n := range gone {
		delete(r.keys, n)
	}
	if takes {
		r.kind, r.holder = o.kind, o.nexus
	}
	r.generation++
	u.tellPreempted(o, gone, takes && old != o.kind)
	return nil
}

// preempted returns the registrations with the key; with key 0, all but that
// of the nexus itself, which never loses its own.
func (u *unit) preempted(o order) map[string]bool {
	gone := map[string]bool{}
	for n, k := range u.pr.keys {
		if n != o.nexus && (k == o.next || o.next == 0) {
			gone[n] = true
		}
	}
	return gone
}

func (u *unit) tellPreempted(o order, gone map[string]bool, released bool) {
	for c := range u.sessions {
		switch {
		case gone[c.nexus()]:
			u.notify(c, ascRegisteredPreempt)
			if o.action == prPreemptAbort {
				c.cancelAll(u.lun)
			}
		case c != o.c && released:
			if _, ok := u.pr.keys[c.nexus()]; ok {
				u.notify(c, ascReservedReleased)
			}
		}
	}
}

// cancelAll aborts the tasks of a disk without waiting for their end.
func (c *conn) cancelAll(lun *LUN) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tasks {
		if t.lun == lun {
			t.cancel(fmt.Errorf("preempted: %w", errAborted))
		}
	}
}
