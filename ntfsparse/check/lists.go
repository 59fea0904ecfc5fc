package check

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// attributeLists judges the files whose attributes are spread over several
// records, now that all records are known.
func (c *checker) attributeLists() {
	for _, no := range c.lists {
		if c.stopped() {
			return
		}
		if msg := c.attributeList(uint64(no)); msg != "" {
			c.find("T13", uint64(no), "$ATTRIBUTE_LIST", "The attribute list of record %d is damaged: %s.", no, msg)
			c.table.at(uint64(no)).flags |= recBad
		}
	}
}

// member is a record of the file being judged, and how many of its attributes
// the list has named.
type member struct {
	b      []byte
	listed int
}

// attributeList judges one file; msg says what is wrong with the list itself.
func (c *checker) attributeList(no uint64) (msg string) {
	b, bad := c.record(no, nil)
	if bad != "" {
		return ""
	}
	list, err := c.listOf(b)
	if err != nil {
		return err.Error()
	}
	c.cur = current{no: no, base: no, e: c.table.at(no), b: b, h: parseHeader(b)}
	members := map[uint64]*member{no: {b: b}}
	var prev listEntry
	for p := list; len(p) > 0; {
		e, rest, ok := cutList(p)
		if !ok {
			if len(bytes.Trim(p, "\x00")) == 0 {
				break
			}
			return fmt.Sprintf("it breaks off at byte %d", len(list)-len(p))
		}
		if c.listBudget--; c.listBudget < 0 {
			return "all lists together are longer than the file table allows"
		}
		if msg := c.listed(no, e, prev, members); msg != "" {
			return msg
		}
		prev, p = e, rest
	}
	if msg := unlisted(members, no); msg != "" {
		return msg
	}
	c.joined(list, members)
	c.cur.e.flags |= c.cur.indexFlags()
	c.complete()
	return ""
}

// listed judges one entry of a list, and takes its attribute into account.
func (c *checker) listed(no uint64, e, prev listEntry, members map[uint64]*member) string {
	label := attrName(e.typ, e.name)
	if e.typ < prev.typ {
		return label + " stands behind " + attrName(prev.typ, prev.name)
	}
	rec := refRecord(e.ref)
	m, msg := c.memberOf(no, rec, e.ref, members)
	if msg != "" {
		return fmt.Sprintf("%s should be in record %d, but %s", label, rec, msg)
	}
	found := false
	each(m.b, func(a *attr) bool {
		if a.typ == e.typ && a.id == e.id && a.lowest == e.lowest && bytes.Equal(a.name, e.name) {
			found = true
			if a.typ == tReparse && a.nonRes {
				a.value = c.shortValue(a, maxReparse)
			}
			c.cur.note(a)
		}
		return !found
	})
	if !found {
		return fmt.Sprintf("%s (cluster %d of the stream, identifier %d) is not in record %d", label, e.lowest, e.id, rec)
	}
	m.listed++
	return ""
}

// maxMembers bounds the records of one file: as many as a list of the greatest
// size can name.
const maxMembers = maxList / 32

// memberOf returns the record that an entry names.
func (c *checker) memberOf(no, rec, ref uint64, members map[uint64]*member) (*member, string) {
	e := c.table.peek(rec)
	switch {
	case e == nil || e.flags&recUsed == 0:
		return nil, "that is not in use"
	case e.seq != refSeq(ref):
		return nil, fmt.Sprintf("that has the sequence number %d instead of %d", e.seq, refSeq(ref))
	case rec != no && (e.flags&recExt == 0 || refRecord(e.parent) != no):
		return nil, "that belongs to another file"
	}
	if m := members[rec]; m != nil {
		return m, ""
	}
	b, msg := c.record(rec, nil)
	if msg != "" || len(members) >= maxMembers {
		return nil, "that cannot be used: " + msg
	}
	e.flags |= recClaimed
	m := &member{b: b}
	members[rec] = m
	return m, ""
}

// unlisted finds attributes that stand in the file's records but not in its list.
func unlisted(members map[uint64]*member, no uint64) string {
	for _, rec := range slices.Sorted(maps.Keys(members)) {
		m, n := members[rec], 0
		each(m.b, func(a *attr) bool {
			if a.typ != tList {
				n++
			}
			return true
		})
		if n != m.listed {
			return fmt.Sprintf("record %d has %d attributes, the list names %d", rec, n, m.listed)
		}
	}
	return ""
}

// joined judges whether the extents of each stream follow each other. The list
// is sorted by stream, so that one is enough to remember.
func (c *checker) joined(list []byte, members map[uint64]*member) {
	var cur struct {
		typ         uint32
		name        string
		next, alloc int64
		open        bool
	}
	finish := func() {
		if cur.open && cur.next != cur.alloc/c.g.cluster {
			c.find("T7", c.cur.no, attrName(cur.typ, []byte(cur.name)), "%s of record %d has %d clusters but %d allocated bytes.",
				attrName(cur.typ, []byte(cur.name)), c.cur.no, cur.next, cur.alloc)
		}
		cur.open = false
	}
	for p := list; len(p) > 0; {
		e, rest, ok := cutList(p)
		if !ok {
			break
		}
		p = rest
		a := members[refRecord(e.ref)].get(e)
		if a == nil || !a.nonRes {
			continue
		}
		if !cur.open || cur.typ != e.typ || cur.name != string(e.name) {
			finish()
			cur.typ, cur.name, cur.next, cur.alloc, cur.open = e.typ, string(e.name), 0, a.alloc, true
		}
		if a.lowest != cur.next {
			c.find("T7", c.cur.no, a.label(), "%s of record %d: an extent starts at cluster %d of the stream instead of %d.", a.label(), c.cur.no, a.lowest, cur.next)
			cur.open = false
			continue
		}
		cur.next = a.last + 1
	}
	finish()
}

func (m *member) get(e listEntry) (out *attr) {
	each(m.b, func(a *attr) bool {
		if a.typ == e.typ && a.id == e.id && a.lowest == e.lowest && bytes.Equal(a.name, e.name) {
			found := *a
			out = &found
		}
		return out == nil
	})
	return out
}

// note takes an attribute of a file with a list into account, which the
// sequential pass has judged already.
func (k *current) note(a *attr) {
	switch a.typ {
	case tStandard:
		if k.standard = true; len(a.value) >= 48 {
			k.hasStd, k.stdFlags = true, le.Uint32(a.value[32:])
		}
	case tName:
		k.names++
		if f, ok := parseFileName(a.value); ok && (f.space == spaceWin32 || f.space == spaceDOS) && k.nPairs < len(k.spaces) {
			k.parents[k.nPairs], k.spaces[k.nPairs] = f.parent, f.space
			k.nPairs++
		}
	case tData:
		k.noteData(a)
	case tRoot:
		k.noteRoot(a)
	case tReparse:
		if len(a.value) >= reparseHead {
			k.tag, k.wof = le.Uint32(a.value), isWof(a.value)
		}
	case tUtility:
		k.efs = k.efs || string(a.name) == nameEFS
	case tEA:
		k.ea = true
	case tEAInfo:
		k.eaInfo = true
	}
}

func (k *current) noteData(a *attr) {
	k.data = true
	k.wofData = k.wofData || string(a.name) == nameWof
	if len(a.name) > 0 || a.lowest != 0 {
		return
	}
	k.unnamed, k.dataSeen, k.dataFlags = true, true, a.flags
	if k.size = a.size; !a.nonRes {
		k.size = int64(len(a.value))
	}
}

// extensions finds extension records that no list names.
func (c *checker) extensions() {
	c.table.each(func(no uint64, e *entry) {
		if e.flags&(recExt|recClaimed|recBad) != recExt {
			return
		}
		base := c.table.peek(refRecord(e.parent))
		switch {
		case base == nil || base.flags&recUsed == 0:
			c.find("R10", no, "", "File record %d extends record %d, which is not in use.", no, refRecord(e.parent))
		case base.flags&recExt != 0:
			c.find("R10", no, "", "File record %d extends record %d, which is itself an extension.", no, refRecord(e.parent))
		case base.seq != refSeq(e.parent):
			c.find("R10", no, "", "File record %d extends a former file in record %d.", no, refRecord(e.parent))
		case e.flags&recEmpty != 0:
			c.findAs(Warning, "R10", no, "", "File record %d is an empty extension of record %d, left over.", no, refRecord(e.parent))
		case base.flags&(recBad|recList) == 0:
			c.find("R10", no, "", "File record %d extends record %d, which has lost its attribute list.", no, refRecord(e.parent))
			if base.flags&recNoList == 0 {
				base.flags |= recNoList
				c.find("T13", refRecord(e.parent), "$ATTRIBUTE_LIST", "Record %d has lost its attribute list: record %d, at least, still holds a part of the file.", refRecord(e.parent), no)
			}
		case base.flags&recBad == 0:
			c.find("R10", no, "", "File record %d extends record %d, whose attribute list does not name it.", no, refRecord(e.parent))
		}
	})
}
