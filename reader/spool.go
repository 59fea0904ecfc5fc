package reader

import (
	"io"

	"vitrine/index"
)

// heldAhead is how many buffers reading ahead of a scan fills at most.
const heldAhead = 2

// held is a range of a member that was read.
type held struct {
	at   int64
	body []byte
	raw  []byte // the buffer that body is in
}

// covers reports whether n bytes from addr are held.
func (h *held) covers(n int, addr int64) bool {
	return h.raw != nil && addr >= h.at && addr+int64(n) <= h.at+int64(len(h.body))
}

// spool is a member's address space for a scan. Segments are read before the
// scan gets to them, where the directory says that they are, and what was read
// last is kept, so that chunks can be handed on without reading them again.
// What cannot be read is zeros to the scan, which then finds no record there.
type spool struct {
	v     *verifier
	m     *member
	pr    *prover
	last  held
	next  held // came early
	ahead chan held
	quit  chan struct{}
	errs  int
}

func newSpool(v *verifier, m *member, pr *prover) *spool {
	s := &spool{v: v, m: m, pr: pr, ahead: make(chan held, heldAhead-1), quit: make(chan struct{})}
	go s.readAhead()
	return s
}

// done ends reading ahead and gives the buffers back.
func (s *spool) done() {
	close(s.quit)
	for h := range s.ahead {
		s.pr.put(h)
	}
	s.pr.put(s.last)
	s.pr.put(s.next)
}

// readAhead reads one segment after the other until the directory or the file
// has an error, which the scan then comes across itself.
func (s *spool) readAhead() {
	defer close(s.ahead)
	index.Segments(s.m.Dir, s.v.p, func(_ uint32, p index.SegmentPtr) error {
		n := (int64(p.Len) + index.Align - 1) &^ (index.Align - 1)
		var raw []byte
		select {
		case raw = <-s.pr.free:
		case <-s.quit:
			return io.EOF
		}
		h, err := s.read(raw, p.Off, int(min(n, s.m.Length-p.Off, maxRecord)))
		if err != nil {
			s.pr.put(h)
			return err
		}
		select {
		case s.ahead <- h:
			return nil
		case <-s.quit:
			s.pr.put(h)
			return io.EOF
		}
	})
}

// maxRecord bounds what is read ahead at once.
const maxRecord = index.MaxHead + index.SegmentChunks*index.MaxStored + index.Align

// read reads n bytes from addr into a buffer, or a larger one in its place.
func (s *spool) read(raw []byte, addr int64, n int) (held, error) {
	if n = max(n, 0); len(raw) < n+directRoom {
		raw = make([]byte, n+directRoom)
	}
	body, _, err := s.v.p.find.readAny(s.m, raw, addr, n, pastCache)
	return held{addr, body, raw}, err
}

// ReadAt reads as io.ReaderAt.
func (s *spool) ReadAt(b []byte, addr int64) (int, error) {
	if s.reach(len(b), addr) {
		copy(b, s.last.body[addr-s.last.at:])
	} else {
		s.fill(b, addr)
	}
	return len(b), nil
}

// Lend gives n bytes from addr, good until the next call.
func (s *spool) Lend(n int, addr int64) ([]byte, error) {
	if !s.reach(n, addr) {
		raw := s.last.raw
		if raw == nil {
			raw = <-s.pr.free
		}
		h, err := s.read(raw, addr, n)
		if s.last = h; err != nil {
			s.last.body = h.raw[:n]
			s.fill(s.last.body, addr)
		} else {
			s.v.r.Stored += int64(n)
		}
	}
	return s.last.body[addr-s.last.at:][:n], nil
}

// reach makes the range that was read ahead the last one if it holds n bytes
// from addr. It reports whether the last one does.
func (s *spool) reach(n int, addr int64) bool {
	for !s.last.covers(n, addr) {
		if s.next.raw == nil {
			s.next = <-s.ahead
		}
		if s.next.raw == nil || s.next.at > addr {
			return false
		}
		s.pr.put(s.last)
		s.last, s.next = s.next, held{}
		s.v.r.Stored += int64(len(s.last.body))
	}
	return true
}

func (s *spool) fill(b []byte, addr int64) {
	for len(b) > 0 {
		n := int64(len(b))
		if p, ok := s.m.where(addr); ok {
			n = min(n, p.end-addr)
		}
		s.part(b[:n], addr)
		b, addr = b[n:], addr+n
	}
}

// part reads from one part.
func (s *spool) part(b []byte, addr int64) {
	at, err := s.v.p.find.read(s.m, b, addr)
	if err == nil {
		s.v.r.Stored += int64(len(b))
		return
	}
	clear(b)
	if s.errs++; s.errs <= 3 {
		s.v.note(s.v.p.damage(s.m, at, err))
	}
}

// take gives up the buffer if it holds segment p; else it gives none.
func (s *spool) take(p index.SegmentPtr) held {
	if !s.last.covers(int(p.Len), p.Off) || s.last.at != p.Off {
		return held{}
	}
	h := s.last
	s.last = held{}
	return h
}
