package check

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// stream is an attribute's contents that the checker itself reads.
type stream struct {
	resident bool
	value    []byte
	runs     []run // by vcn, without gaps
	size     int64
	init     int64
	flags    uint16
	unit     uint8
	alloc    int64
}

// maxRuns bounds the runs of one stream in memory (24 bytes each); tests lower it.
var maxRuns = 1 << 20

var (
	errFragments = errors.New("it has over a million fragments, more than this check follows")
	errNoStream  = errors.New("it does not exist")
	errLists     = errors.New("all attribute lists together are longer than the file table allows")
)

// extend appends an attribute's extent.
func (s *stream) extend(a *attr) error {
	if !a.nonRes {
		s.resident, s.value = true, append([]byte(nil), a.value...)
		s.size, s.init, s.flags = int64(len(a.value)), int64(len(a.value)), a.flags
		return nil
	}
	if a.lowest != s.end() {
		return fmt.Errorf("its extents do not join at cluster %d of the stream", s.end())
	}
	if a.lowest == 0 {
		s.size, s.init, s.flags, s.unit, s.alloc = a.size, a.init, a.flags, a.unit, a.alloc
	}
	r := runReader{b: a.pairs, vcn: a.lowest}
	for {
		e, ok, msg := r.next()
		if msg != "" {
			return errors.New(msg)
		}
		if !ok {
			return nil
		}
		switch n := len(s.runs); {
		case n >= maxRuns:
			return errFragments
		case n == cap(s.runs) && n >= maxRuns/2:
			s.runs = slices.Grow(s.runs, maxRuns-n) // and no more
		}
		s.runs = append(s.runs, e)
	}
}

// end is the VCN behind the last run.
func (s *stream) end() int64 {
	if len(s.runs) == 0 {
		return 0
	}
	last := s.runs[len(s.runs)-1]
	return last.vcn + last.n
}

// real counts the clusters that are not holes, at most limit.
func (s *stream) real(limit int64) (n int64) {
	for _, r := range s.runs {
		if r.lcn >= 0 {
			n += min(r.n, limit-n)
		}
	}
	return n
}

// read fills p with the stream's bytes from off on; holes are zeros. It does
// not care for sizes nor for compression.
func (c *checker) read(s *stream, p []byte, off int64) error {
	if s.resident {
		if off < 0 || off > int64(len(s.value)) || len(p) > len(s.value)-int(off) {
			return errOutside
		}
		copy(p, s.value[off:])
		return nil
	}
	i := sort.Search(len(s.runs), func(i int) bool { return (s.runs[i].vcn+s.runs[i].n)*c.g.cluster > off })
	for len(p) > 0 {
		if off < 0 || i >= len(s.runs) {
			return errOutside
		}
		r := s.runs[i]
		in := off - r.vcn*c.g.cluster
		n := min(int64(len(p)), r.n*c.g.cluster-in)
		if err := c.readRun(r, p[:n], in); err != nil {
			return err
		}
		p, off, i = p[n:], off+n, i+1
	}
	return nil
}

// readValid is read with zeros behind what was ever written.
func (c *checker) readValid(s *stream, p []byte, off int64) error {
	err := c.read(s, p, off)
	clear(p[max(0, min(int64(len(p)), s.init-off)):])
	return err
}

func (c *checker) readRun(r run, p []byte, in int64) error {
	if r.lcn < 0 {
		clear(p)
		return nil
	}
	if r.lcn > c.g.clusters {
		return errOutside
	}
	return c.readAt(p, r.lcn*c.g.cluster+in)
}

// readAll returns the whole stream, zeros behind the initialized size; it
// refuses more than limit bytes.
func (c *checker) readAll(s *stream, limit int64) ([]byte, error) {
	if err := c.readable(s, limit); err != nil {
		return nil, err
	}
	p := make([]byte, s.size)
	valid := max(0, min(s.init, s.size))
	return p, c.read(s, p[:valid], 0)
}

// readable tells whether a stream is there as a whole and has at most limit bytes.
func (c *checker) readable(s *stream, limit int64) error {
	if s.size < 0 || s.size > limit || !s.resident && s.size > s.end()*c.g.cluster {
		return fmt.Errorf("its size of %d bytes is impossible", s.size)
	}
	return nil
}

// record reads file record no with its fix-ups undone. msg says what is wrong.
func (c *checker) record(no uint64, buf []byte) (b []byte, msg string) {
	if no >= 1<<48 || int64(no) >= c.mft.end()*c.g.cluster/c.g.record {
		return nil, "it lies outside the file table"
	}
	if buf == nil {
		buf = make([]byte, c.g.record)
	}
	if no == fMFT && c.spare != nil {
		copy(buf, c.spare)
	} else if err := c.read(&c.mft, buf, int64(no)*c.g.record); err != nil {
		return nil, "it cannot be read: " + err.Error()
	}
	if string(buf[:4]) != "FILE" {
		return nil, "it has no signature"
	}
	return buf, fixup(buf, headOld)
}

// each yields the attributes of record b as far as they are sound.
func each(b []byte, yield func(*attr) bool) {
	var a attr
	h := parseHeader(b)
	used := min(int64(h.used), int64(len(b)))
	for off := int64(h.first); off >= headOld && used-off >= 16 && le.Uint32(b[off:]) != tEnd; {
		n, f := a.parse(b[off:used])
		if f.code != "" || !yield(&a) {
			return
		}
		off += int64(n)
	}
}

// listEntry is an entry of an attribute list.
//
//	0  4  type   6  1  name length   8  8  lowest VCN      24  2  identifier
//	4  2  length 7  1  name offset  16  8  file reference
type listEntry struct {
	typ    uint32
	name   []byte
	lowest int64
	ref    uint64
	id     uint16
}

const (
	listHead = 26
	maxList  = 256 << 10
)

// cutList splits the first entry off an attribute list.
func cutList(b []byte) (e listEntry, rest []byte, ok bool) {
	if len(b) < listHead {
		return e, nil, false
	}
	n, nameLen, nameOff := int(le.Uint16(b[4:])), 2*int(b[6]), int(b[7])
	if n < listHead || n > len(b) || n&7 != 0 && n != len(b) || nameLen > 0 && (nameOff < listHead || nameOff+nameLen > n) {
		return e, nil, false
	}
	e = listEntry{typ: le.Uint32(b), lowest: int64(le.Uint64(b[8:])), ref: le.Uint64(b[16:]), id: le.Uint16(b[24:])}
	if nameLen > 0 {
		e.name = b[nameOff : nameOff+nameLen]
	}
	return e, b[n:], true
}

// listOf returns the attribute list of base record b, nil when it has none.
func (c *checker) listOf(b []byte) (list []byte, err error) {
	each(b, func(a *attr) bool {
		if a.typ == tList {
			var s stream
			if err = s.extend(a); err == nil && s.size >= 0 && s.size <= maxList {
				err = c.affordEntries(s.size / listHead)
			}
			if err == nil {
				list, err = c.readAll(&s, maxList)
			}
		}
		return a.typ < tList
	})
	return list, err
}

// affordEntries takes n entries from what may still be followed of attribute lists.
func (c *checker) affordEntries(n int64) error {
	if !c.listBudget.take(n) {
		c.leftOut("attribute lists, which together are longer than the file table allows")
		return errLists
	}
	return nil
}

// find collects the extents of a stream that record b holds.
func (s *stream) find(b []byte, typ uint32, name string, lowest int64) (found bool, err error) {
	each(b, func(a *attr) bool {
		if a.typ == typ && string(a.name) == name && (!a.nonRes || a.lowest == lowest) {
			found, err = true, s.extend(a)
			return false
		}
		return true
	})
	return found, err
}

// load finds a stream of file no, in its base record or by its attribute list.
func (c *checker) load(no uint64, typ uint32, name string) (*stream, error) {
	b, msg := c.record(no, nil)
	if b == nil {
		return nil, errors.New(msg)
	}
	return c.loadFrom(b, no, typ, name)
}

func (c *checker) loadFrom(b []byte, no uint64, typ uint32, name string) (*stream, error) {
	list, err := c.listOf(b)
	if err != nil {
		return nil, err
	}
	s := new(stream)
	found, err := s.find(b, typ, name, 0)
	if err == nil && list != nil {
		found, err = c.follow(s, list, no, typ, name, found)
	}
	if err == nil && !found {
		err = errNoStream
	}
	return s, err
}

// follow appends the extents that an attribute list names in other records.
func (c *checker) follow(s *stream, list []byte, no uint64, typ uint32, name string, found bool) (bool, error) {
	buf := make([]byte, c.g.record)
	for len(list) > 0 {
		e, rest, ok := cutList(list)
		if !ok {
			break
		}
		list = rest
		known := refRecord(e.ref) == no || no == fMFT // the file table is found without its list as far as possible
		if e.typ != typ || string(e.name) != name || known && e.lowest < s.end() {
			continue
		}
		if err := c.affordEntries(1); err != nil {
			return found, err
		}
		b, msg := c.record(refRecord(e.ref), buf)
		if msg != "" {
			return found, fmt.Errorf("its part in record %d cannot be read: %s", refRecord(e.ref), msg)
		}
		got, err := s.find(b, typ, name, e.lowest)
		if err != nil {
			return found, fmt.Errorf("its part in record %d: %w", refRecord(e.ref), err)
		}
		if !got {
			return found, fmt.Errorf("its part is not in record %d", refRecord(e.ref))
		}
		found = true
	}
	return found, nil
}
