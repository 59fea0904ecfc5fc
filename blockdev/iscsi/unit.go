package iscsi

import (
	"sync"

	"vitrine/blockdev"
)

const maxAttentions = 8 // unit attentions that wait for one session

// unit is the state of a disk that its sessions share.
type unit struct {
	lun      *LUN
	dev      blockdev.Device
	writable blockdev.Writable // nil: write-protected for good
	sector   int               // bytes
	blocks   uint64

	// atomic makes COMPARE AND WRITE and the like atomic: they hold it, other
	// writes share it.
	atomic sync.RWMutex

	mu          sync.Mutex         // guards what follows
	sessions    map[*conn][]uint16 // unit attentions that wait
	softProtect bool               // SWP of the control mode page
	descSense   bool               // D_SENSE of it
	holder      *conn              // of RESERVE(6)
	pr          reservations
}

func (u *unit) prepare(l *LUN) {
	u.lun, u.dev, u.sector = l, l.Device, l.Device.SectorSize()
	u.blocks = uint64(l.Device.Size() / int64(u.sector))
	if w, ok := l.Device.(blockdev.Writable); ok && !l.ReadOnly {
		u.writable = w
	}
	u.sessions = map[*conn][]uint16{}
	u.pr.keys = map[string]uint64{}
}

func (u *unit) attach(c *conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sessions[c] = nil
}

func (u *unit) detach(c *conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.sessions, c)
	if u.holder == c {
		u.holder = nil
	}
}

// reset is what a LUN reset does beside aborting tasks.
func (u *unit) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.holder, u.softProtect, u.descSense = nil, false, false
}

// attention lets a session's next command end with a unit attention.
func (u *unit) attention(c *conn, asc uint16) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.notify(c, asc)
}

func (u *unit) notify(c *conn, asc uint16) {
	if q, ok := u.sessions[c]; ok && len(q) < maxAttentions {
		u.sessions[c] = append(q, asc)
	}
}

// notifyOthers tells all sessions but one. The caller holds u.mu.
func (u *unit) notifyOthers(c *conn, asc uint16) {
	for o := range u.sessions {
		if o != c {
			u.notify(o, asc)
		}
	}
}

// takeAttention returns the oldest unit attention that waits for a session.
func (u *unit) takeAttention(c *conn) (asc uint16, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	q := u.sessions[c]
	if len(q) == 0 {
		return 0, false
	}
	u.sessions[c] = q[1:]
	return q[0], true
}

// protected returns why nothing may be written, or nil.
func (u *unit) protected() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.writable == nil {
		return &senseError{key: keyProtect, asc: ascWriteProtected}
	}
	if u.softProtect {
		return &senseError{key: keyProtect, asc: ascSWP}
	}
	return nil
}

func (t *task) descriptorSense() bool {
	if t.lun == nil {
		return false
	}
	u := &t.lun.unit
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.descSense
}
