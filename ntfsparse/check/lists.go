package check

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// attributeLists judges the files whose attributes are spread over several
// records, now that all records are known.
func (c *checker) attributeLists() {
	c.start("attribute lists", c.lists*c.g.record)
	c.table.each(func(no uint64, e *entry) {
		if e.flags&recList == 0 || c.stopped() {
			return
		}
		c.advance(c.g.record)
		if msg := c.attributeList(no); msg != "" {
			c.find("T13", no, "$ATTRIBUTE_LIST", "The attribute list of record %d is damaged: %s.", no, msg)
			e.flags |= recBad
		}
	})
}

// listing is an attribute that a file's list names, and what it turned out to be
// in its record.
type listing struct {
	listEntry
	found, nonRes bool
	head          streamHead
	last          int64
	owned         tally
}

func (l *listing) label() string { return attrName(l.typ, l.name) }

// compare orders listings by record and what tells an attribute there from others.
func (l *listing) compare(o *listing) int {
	return cmp.Or(cmp.Compare(refRecord(l.ref), refRecord(o.ref)), cmp.Compare(l.typ, o.typ), cmp.Compare(l.id, o.id),
		cmp.Compare(l.lowest, o.lowest), bytes.Compare(l.name, o.name))
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
	items, msg := c.listings(list)
	if msg == "" {
		msg = c.members(items)
	}
	if msg != "" {
		return msg
	}
	c.joined(items)
	c.cur.e.flags |= c.cur.indexFlags()
	c.complete()
	return ""
}

// listings decodes a list and judges its order: by type, name and first cluster.
func (c *checker) listings(list []byte) (items []listing, msg string) {
	items = make([]listing, 0, len(list)/32+1)
	var disorder *listing
	for p := list; len(p) > 0; {
		e, rest, ok := cutList(p)
		if !ok {
			if len(p) < listHead && len(bytes.Trim(p, "\x00")) == 0 {
				c.findAs(Warning, "T13", c.cur.no, "$ATTRIBUTE_LIST", "The attribute list of record %d has %d bytes behind its last entry.", c.cur.no, len(p))
				break
			}
			return nil, fmt.Sprintf("it breaks off at byte %d", len(list)-len(p))
		}
		if err := c.affordEntries(1); err != nil {
			return nil, err.Error()
		}
		items, p = append(items, listing{listEntry: e}), rest
		if len(items) == 1 {
			continue
		}
		prev, cur := &items[len(items)-2], &items[len(items)-1]
		if cur.typ < prev.typ {
			return nil, cur.label() + " stands behind " + prev.label()
		}
		switch {
		case cur.typ != prev.typ:
		case c.nameOrder(prev.name, cur.name) > 0:
			disorder = cur
		case cur.lowest < prev.lowest && bytes.Equal(cur.name, prev.name): // others find no cluster in what stands behind
			c.find("T13", c.cur.no, "$ATTRIBUTE_LIST", "The attribute list of record %d has cluster %d of %s behind cluster %d.", c.cur.no, cur.lowest, cur.label(), prev.lowest)
		}
	}
	if disorder != nil {
		c.findAs(Warning, "T13", c.cur.no, "$ATTRIBUTE_LIST", "The attribute list of record %d has %s at the wrong place.", c.cur.no, disorder.label())
	}
	return items, ""
}

// members compares the list with the file's records, one at a time.
func (c *checker) members(items []listing) (msg string) {
	sorted := make([]*listing, len(items))
	for i := range items {
		sorted[i] = &items[i]
	}
	slices.SortStableFunc(sorted, (*listing).compare)
	buf := make([]byte, c.g.record)
	base := false
	for rest := sorted; len(rest) > 0; {
		n, rec := 1, refRecord(rest[0].ref)
		for n < len(rest) && refRecord(rest[n].ref) == rec {
			n++
		}
		if msg := c.member(rec, rest[:n], buf); msg != "" {
			return msg
		}
		base, rest = base || rec == c.cur.no, rest[n:]
	}
	if !base {
		return c.member(c.cur.no, nil, buf)
	}
	return ""
}

// member looks for what the list names in one record, and for what it does not.
func (c *checker) member(rec uint64, named []*listing, buf []byte) (msg string) {
	for _, l := range named {
		if msg := c.belongs(rec, l.ref); msg != "" {
			return fmt.Sprintf("%s should be in record %d, but %s", l.label(), rec, msg)
		}
	}
	b := c.cur.b
	if rec != c.cur.no {
		if b, msg = c.record(rec, buf); msg != "" {
			return fmt.Sprintf("%s should be in record %d, but that cannot be used: %s", named[0].label(), rec, msg)
		}
		c.table.at(rec).flags |= recClaimed
	}
	each(b, func(a *attr) bool {
		if a.typ == tList {
			return true // does not name itself
		}
		if l := lookUp(named, rec, a); l != nil {
			c.found(l, a)
		} else {
			msg = fmt.Sprintf("it does not name %s (cluster %d of the stream, identifier %d) in record %d", a.label(), a.lowest, a.id, rec)
		}
		return msg == ""
	})
	for _, l := range named {
		if msg == "" && !l.found {
			msg = fmt.Sprintf("%s (cluster %d of the stream, identifier %d) is not in record %d, or is named twice", l.label(), l.lowest, l.id, rec)
		}
	}
	return msg
}

// belongs says why a record is none of the file's.
func (c *checker) belongs(rec, ref uint64) string {
	no, e := c.cur.no, c.table.peek(rec)
	switch {
	case e == nil || e.flags&recUsed == 0:
		return "that is not in use"
	case e.seq != refSeq(ref):
		return fmt.Sprintf("that has the sequence number %d instead of %d", e.seq, refSeq(ref))
	case rec == no:
	case e.flags&recExt == 0 || refRecord(e.parent) != no:
		return "that belongs to another file"
	case refSeq(e.parent) != c.cur.h.seq:
		return "that belongs to a former file"
	}
	return ""
}

// lookUp finds the listing of an attribute that no other attribute has; named is
// sorted.
func lookUp(named []*listing, rec uint64, a *attr) *listing {
	want := listing{listEntry: listEntry{typ: a.typ, name: a.name, lowest: a.lowest, ref: rec, id: a.id}}
	for i, _ := slices.BinarySearchFunc(named, &want, (*listing).compare); i < len(named) && named[i].compare(&want) == 0; i++ {
		if !named[i].found {
			return named[i]
		}
	}
	return nil
}

// found takes a listed attribute into account.
func (c *checker) found(l *listing, a *attr) {
	l.found, l.nonRes, l.last, l.head = true, a.nonRes, a.last, a.head()
	if a.nonRes {
		l.owned = tallyRuns(a)
	}
	if a.typ == tReparse && a.nonRes {
		a.value = c.shortValue(a, maxReparse)
	}
	c.cur.note(a)
	c.cur.efs = c.cur.efs || c.keys(a)
}

// joined judges the streams as wholes: whether there are two of one name, whether
// the extents of each follow each other, and what they own together.
func (c *checker) joined(items []listing) {
	slices.SortStableFunc(items, func(x, y listing) int {
		return cmp.Or(cmp.Compare(x.typ, y.typ), bytes.Compare(x.name, y.name), cmp.Compare(x.lowest, y.lowest))
	})
	for len(items) > 0 {
		n := 1
		for n < len(items) && items[n].typ == items[0].typ && bytes.Equal(items[n].name, items[0].name) {
			n++
		}
		if items[0].typ != tName {
			c.joinedStream(items[:n])
		}
		items = items[n:]
	}
}

func (c *checker) joinedStream(extents []listing) {
	no, label, next := c.cur.no, extents[0].label(), int64(0)
	var sum tally
	for i := range extents {
		x := &extents[i]
		if i > 0 && (!x.nonRes || !extents[0].nonRes || x.lowest == extents[i-1].lowest) {
			if refRecord(x.ref) != refRecord(extents[i-1].ref) { // else the record was judged
				c.find("T11", no, label, "Record %d has %s twice, in the records %d and %d.", no, label, refRecord(extents[i-1].ref), refRecord(x.ref))
			}
			return
		}
		if !x.nonRes {
			continue
		}
		if x.lowest != next {
			c.find("T7", no, label, "%s of record %d: an extent starts at cluster %d of the stream instead of %d.", label, no, x.lowest, next)
			return
		}
		next = x.last + 1
		sum.add(x.owned)
	}
	if h := &extents[0].head; extents[0].nonRes {
		if next != h.alloc/c.g.cluster {
			c.find("T7", no, label, "%s of record %d has %d clusters but %d allocated bytes.", label, no, next, h.alloc)
		}
		c.judgeTally(h, label, sum)
	}
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
		if k.reparse = true; len(a.value) >= reparseHead {
			k.tag, k.wof = le.Uint32(a.value), isWof(a.value)
		}
	case tEA:
		k.ea = true
	case tEAInfo:
		k.eaInfo = true
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
			base.flags |= recNoList
			c.find("R10", no, "", "File record %d extends record %d, whose attribute list does not name it.", no, refRecord(e.parent))
		}
	})
}
