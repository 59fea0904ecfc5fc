package check

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// current is what is known of the record, or of the file with an attribute
// list, that is being judged.
type current struct {
	no, base uint64 // base: the file that it belongs to
	e        *entry // of base
	b        []byte
	h        header

	maxID          int
	prev           slot // of the former attribute
	hasPrev        bool
	disorder       bool
	names          int
	standard, list bool
	data, unnamed  bool
	i30, view      bool
	alloc          bool
	sealed, efs    bool // a stream of data is encrypted; there are keys
	wofData        bool
	eaInfo, ea     bool
	eaSize, eaNeed int
	eaPacked       uint16
	stdFlags       uint32
	hasStd         bool
	reparse        bool
	tag            uint32 // of the reparse point
	wof            bool
	dataFlags      uint16
	dataSeen       bool
	whole          bool      // there is unnamed data, without holes but those of compression
	parents        [4]uint64 // of Win32 and DOS names
	spaces         [4]uint8
	nPairs         int
	size, taken    int64 // of the unnamed data, and of its clusters
}

// scanRecord judges one record as the sequential pass meets it.
func (c *checker) scanRecord(no uint64, b []byte) {
	set, known := c.bit(no)
	bit := set || !known
	if string(b[:4]) != "FILE" {
		c.unsigned(no, b, set)
		return
	}
	h := parseHeader(b)
	if h.flags&flagUsed == 0 {
		if set && no >= firstFree {
			c.find("M6", no, "", "File record %d is not in use, but its bitmap says so.", no)
		}
		if e := c.table.at(no); e.flags == 0 {
			e.seq = h.seq
		}
		return
	}
	if !bit {
		c.find("M6", no, "", "File record %d is in use, but its bitmap calls it free.", no)
	}
	c.judge(no, b, h)
}

// unsigned judges what is no file record. Records never used are all zero; that
// is normal while the bitmap calls them free.
func (c *checker) unsigned(no uint64, b []byte, bit bool) {
	if !bit && no >= 12 || no >= 12 && no < firstFree && len(bytes.Trim(b, "\x00")) == 0 {
		return
	}
	if string(b[:4]) == "BAAD" {
		c.find("R1", no, "", "File record %d was marked bad by Windows.", no)
	} else {
		c.find("R1", no, "", "File record %d has the signature %q instead of \"FILE\".", no, b[:4])
	}
	c.table.at(no).flags |= recBad
}

// judge judges a record in use: header, then attributes, then the whole.
func (c *checker) judge(no uint64, b []byte, h header) {
	e := c.table.at(no)
	e.seq, e.links = h.seq, h.links
	e.flags |= recUsed
	if h.flags&flagDir != 0 {
		e.flags |= recDir
	}
	c.cur = current{no: no, base: no, e: e, b: b, h: h, maxID: -1}
	c.idRound++
	if h.base != 0 {
		c.extension(e)
	} else {
		c.rep.Counts.Records++
	}
	if !c.header(b, h) || !c.attributes(b) {
		e.flags |= recBad
		c.cur.e.flags |= recBad
		return
	}
	if c.cur.maxID < 0 {
		e.flags |= recEmpty
	}
	if h.base == 0 {
		c.whole()
	}
}

// extension notes whose part a record is.
func (c *checker) extension(e *entry) {
	c.rep.Counts.Extensions++
	e.flags |= recExt
	e.parent = c.cur.h.base
	if base := refRecord(c.cur.h.base); base < c.table.n && base != c.cur.no {
		c.cur.base, c.cur.e = base, c.table.at(base)
	}
}

// header judges the record's head; false when the attributes cannot be read.
func (c *checker) header(b []byte, h header) bool {
	no := c.cur.no
	if msg := fixup(b, headOld); msg != "" {
		c.find("R2", no, "", "File record %d: %s.", no, msg)
		return false
	}
	if h.seq == 0 {
		c.find("R6", no, "", "File record %d is in use with the sequence number 0.", no)
	}
	if h.usaOff >= headNew && uint64(h.number) != no&(1<<32-1) {
		c.find("R5", no, "", "File record %d says that it is number %d.", no, h.number)
	}
	if int64(h.alloc) != c.g.record || int64(h.used) > c.g.record || h.used&7 != 0 || h.used < headOld {
		c.find("R3", no, "", "File record %d has %d bytes, claims %d and says that %d are used.", no, c.g.record, h.alloc, h.used)
		return false
	}
	if h.first&7 != 0 || int(h.first) < int(h.usaOff)+2*int(h.usaCount) || uint32(h.first) > h.used-8 {
		c.find("R4", no, "", "File record %d has its first attribute at the impossible offset %d.", no, h.first)
		return false
	}
	return true
}

// attributes judges the attributes one by one.
func (c *checker) attributes(b []byte) bool {
	h, no := &c.cur.h, c.cur.no
	used := int(h.used)
	var a attr
	for off := int(h.first); ; {
		if used-off < 4 || le.Uint32(b[off:]) != tEnd && used-off < 24 {
			c.find("R3", no, "", "File record %d has no end marker.", no)
			return false
		}
		if le.Uint32(b[off:]) == tEnd {
			c.ending(used - off)
			if c.cur.disorder {
				c.doubles(b)
			}
			return true
		}
		n, f := a.parse(b[off:used])
		if f.code != "" {
			c.find(f.code, c.cur.base, a.label(), "The attribute %s in record %d %s.", a.label(), no, f.msg)
			if n == 0 {
				return false
			}
			c.cur.e.flags |= recBad
		} else {
			c.attribute(&a)
		}
		off += n
	}
}

// ending judges what follows the last attribute: the end marker and four bytes.
func (c *checker) ending(left int) {
	if left != 8 {
		c.findAs(Warning, "R3", c.cur.no, "", "File record %d says that %d bytes follow its end marker instead of 4.", c.cur.no, left-4)
	}
	if int(c.cur.h.nextID) <= c.cur.maxID {
		c.find("R9", c.cur.no, "", "File record %d would give the identifier %d to its next attribute, but has %d already.", c.cur.no, c.cur.h.nextID, c.cur.maxID)
	}
}

// attribute judges one attribute of the current record.
func (c *checker) attribute(a *attr) {
	c.order(a)
	c.identifier(a.id)
	c.form(a)
	c.defined(a)
	if a.nonRes {
		c.runList(a)
		c.sizes(a)
	}
	switch a.typ {
	case tStandard:
		c.standard(a)
	case tList:
		c.list(a)
	case tName:
		c.name(a)
	case tObjectID:
		c.objectID(a)
	case tSecurity:
		c.ownSecurity(a)
	case tData:
		c.data(a)
	case tRoot:
		c.root(a)
	case tAlloc:
		c.cur.alloc = true
		if a.lowest == 0 && string(a.name) == nameI30 {
			c.indexBytes = min(c.indexBytes+max(0, min(a.size, c.g.clusters*c.g.cluster)), 1<<62)
		}
	case tReparse:
		c.reparsePoint(a)
	case tEAInfo:
		c.eaInfo(a)
	case tEA:
		c.ea(a)
	case tUtility:
		c.cur.efs = c.cur.efs || c.keys(a)
	}
}

// slot is where an attribute belongs in its record.
type slot struct {
	typ      uint32
	name     []byte // raw UTF-16
	lowest   int64
	resident bool
}

// same reports whether two attributes are one stream's, and no extents of it.
func (p *slot) same(o *slot) bool {
	return p.typ == o.typ && p.typ != tName && bytes.Equal(p.name, o.name) && (p.lowest == o.lowest || p.resident || o.resident)
}

// order judges the attribute's place behind the former one: attributes stand by
// type, name and first cluster.
func (c *checker) order(a *attr) {
	k := &c.cur
	p := slot{a.typ, a.name, a.lowest, !a.nonRes}
	if k.hasPrev && p.typ <= k.prev.typ {
		d := cmp.Compare(k.prev.typ, p.typ)
		if d == 0 && p.typ != tName {
			d = cmp.Or(c.nameOrder(k.prev.name, p.name), cmp.Compare(k.prev.lowest, p.lowest))
			k.disorder = k.disorder || d == 0
		}
		if k.disorder = k.disorder || d > 0; d > 0 {
			c.find("R11", k.no, a.label(), "In file record %d, %s stands behind %s.", k.no, a.label(), attrName(k.prev.typ, k.prev.name))
		}
	}
	k.hasPrev, k.prev = true, p
}

// nameOrder compares the names of two attributes as the system does, as far as the
// volume's upper-case table can be trusted; otherwise they are in order.
func (c *checker) nameOrder(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	if len(a) == 0 || len(b) == 0 {
		return len(a) - len(b)
	}
	if c.onlyASCII && !(ascii(a) && ascii(b)) {
		return -1
	}
	folded, exact := c.up.compare(a, b)
	return cmp.Or(folded, exact)
}

// doubles finds what a record without order has twice.
func (c *checker) doubles(b []byte) {
	var all []slot
	each(b, func(a *attr) bool {
		all = append(all, slot{a.typ, a.name, a.lowest, !a.nonRes})
		return true
	})
	slices.SortFunc(all, func(x, y slot) int {
		return cmp.Or(cmp.Compare(x.typ, y.typ), bytes.Compare(x.name, y.name), cmp.Compare(x.lowest, y.lowest))
	})
	for i := 1; i < len(all); i++ {
		if all[i].same(&all[i-1]) {
			label := attrName(all[i].typ, all[i].name)
			c.find("T11", c.cur.base, label, "File record %d has %s twice.", c.cur.no, label)
		}
	}
}

// identifier judges the attribute's number within the record.
func (c *checker) identifier(id uint16) {
	k := &c.cur
	k.maxID = max(k.maxID, int(id))
	if c.ids[id] == c.idRound {
		c.find("T12", k.no, "", "Two attributes of file record %d have the identifier %d.", k.no, id)
	}
	c.ids[id] = c.idRound
}

// form judges type and residency.
func (c *checker) form(a *attr) {
	k := &c.cur
	if a.form > 1 {
		c.find("T4", k.base, a.label(), "%s of record %d has the form %d; 0 is in the record, 1 outside.", a.label(), k.no, a.form)
	}
	switch a.typ {
	case tStandard, tName, tObjectID, tVolName, tVolInfo, tRoot, tEAInfo:
		if a.nonRes {
			c.findAs(Error, "T4", k.base, a.label(), "%s of record %d is not resident, which it must be.", a.label(), k.no)
		}
	case tAlloc:
		if !a.nonRes {
			c.findAs(Error, "T4", k.base, a.label(), "%s of record %d is resident, which it must not be.", a.label(), k.no)
		}
	case tList, tSecurity, tData, tBitmap, tReparse, tEA, tUtility, tProperty:
	default:
		c.findAs(Error, "T4", k.base, a.label(), "Record %d has an attribute of the unknown type %#x.", k.no, a.typ) // no system shows what it holds
	}
	if a.method() > 1 {
		c.findAs(Error, "T9", k.base, a.label(), "%s of record %d is compressed by the unknown method %d.", a.label(), k.no, a.method())
	} else if a.flags&(aCompressed|aEncrypted) != 0 {
		switch a.typ { // $INDEX_ROOT has what new files of the folder will have
		case tList, tSecurity, tAlloc, tReparse, tEA:
			c.findAs(Error, "T9", k.base, a.label(), "%s of record %d is marked as compressed or encrypted, which it cannot be.", a.label(), k.no)
		}
	}
	switch a.typ {
	case tStandard, tName, tObjectID, tVolName, tVolInfo, tEAInfo: // which are read all the same
		if a.flags&(aCompressed|aEncrypted|aSparse) != 0 {
			c.find("T9", k.base, a.label(), "%s of record %d is marked as compressed, encrypted or sparse, which it cannot be.", a.label(), k.no)
		}
	}
	if odd := a.flags &^ (aCompressed | aEncrypted | aSparse); odd != 0 {
		c.findAs(Info, "T9", k.base, a.label(), "%s of record %d has the unknown flags %#x.", a.label(), k.no, odd)
	}
	if i := a.typ >> 4; len(a.name) > 0 && i < 32 && unnamed>>i&1 != 0 {
		c.find("T2", k.base, a.label(), "%s of record %d has a name, which it must not have.", a.label(), k.no)
	}
	c.attrName(a)
	if !a.nonRes {
		c.resident(a)
	}
}

// attrName judges an attribute's name, which stands behind its header.
func (c *checker) attrName(a *attr) {
	if len(a.name) == 0 {
		return
	}
	k := &c.cur
	switch at, head := int(le.Uint16(a.raw[10:])), a.headSize(); {
	case a.nonRes && (at < head || at+len(a.name) > int(a.place)):
		c.find("T2", k.base, a.label(), "%s of record %d has its name in its header or run list.", a.label(), k.no)
	case at != head:
		c.findAs(Warning, "T2", k.base, a.label(), "%s of record %d has its name at byte %d instead of %d.", a.label(), k.no, at, head)
	}
	if strings.ContainsAny(decode16(a.name), "\x00/\\:") {
		c.findAs(Warning, "T2", k.base, a.label(), "%s of record %d has a name with a letter that no name may have.", a.label(), k.no)
	}
}

// unnamed are the types whose attributes have no names: systems look for them
// without one.
const unnamed = 1<<(tStandard>>4) | 1<<(tList>>4) | 1<<(tName>>4) | 1<<(tObjectID>>4) | 1<<(tSecurity>>4) |
	1<<(tVolName>>4) | 1<<(tVolInfo>>4) | 1<<(tReparse>>4) | 1<<(tEAInfo>>4) | 1<<(tEA>>4)

// resident judges where a resident value stands: behind the name, at a multiple
// of 8, with nothing behind.
func (c *checker) resident(a *attr) {
	k := &c.cur
	if (a.indexed != 0) != (a.typ == tName) {
		c.find("T3", k.base, a.label(), "%s of record %d has the wrong index flag %d.", a.label(), k.no, a.indexed)
	}
	if nameEnd := int(le.Uint16(a.raw[10:])) + len(a.name); a.place&7 != 0 || len(a.name) > 0 && int(a.place) < nameEnd {
		c.find("T3", k.base, a.label(), "%s of record %d has its value at the impossible offset %d.", a.label(), k.no, a.place)
	}
	c.behind(a, int(a.place)+len(a.value))
}

// behind judges what an attribute has behind its contents, which end at the
// given byte. One whose length is wrong may hide those that follow.
func (c *checker) behind(a *attr, end int) {
	rest := a.raw[min((end+7)&^7, len(a.raw)):]
	if len(rest) == 0 {
		return
	}
	if holdsAttr(rest) {
		c.find("T1", c.cur.base, a.label(), "%s of record %d is so long that it hides the attribute behind it.", a.label(), c.cur.no)
	} else if !a.nonRes { // of a run list that was longer, something may remain
		sev := Warning
		if a.typ == tData && len(bytes.Trim(rest, "\x00")) > 0 {
			sev = Error // contents that its length cuts off
		}
		c.findAs(sev, "T1", c.cur.base, a.label(), "%s of record %d is %d bytes longer than what it holds.", a.label(), c.cur.no, len(rest))
	}
}

// holdsAttr reports whether b begins with an attribute.
func holdsAttr(b []byte) bool {
	var a attr
	if len(b) < 24 || typeNames[le.Uint32(b)] == "" {
		return false
	}
	_, f := a.parse(b)
	return f.code == ""
}

// runList judges the runs and marks their clusters as owned.
func (c *checker) runList(a *attr) {
	k := &c.cur
	r := runReader{b: a.pairs, vcn: a.lowest}
	var t tally
	hole, torn := false, false // the run before is one; a unit has clusters behind one
	for {
		e, ok, msg := r.next()
		if msg != "" {
			c.find("T5", k.base, a.label(), "%s in record %d: %s.", a.label(), k.no, msg)
			return
		}
		if !ok {
			break
		}
		torn = torn || hole && e.lcn >= 0 && (r.vcn-e.n)%lznt1Unit != 0
		hole = e.lcn < 0
		if t.run(e); e.lcn >= 0 {
			c.own(a, e)
		}
	}
	if r.vcn != a.last+1 {
		c.find("T5", k.base, a.label(), "%s in record %d: its run list ends at cluster %d of the stream instead of %d.", a.label(), k.no, r.vcn, a.last+1)
	}
	if torn && a.flags&aCompressed != 0 {
		c.findAs(Error, "T9", k.base, a.label(), "%s of record %d is marked as compressed, but has clusters behind a hole in a compression unit.", a.label(), k.no)
	}
	c.behind(a, len(a.raw)-len(r.b)+1)
	if a.lowest == 0 && !k.list && k.no == k.base { // else the file has more extents elsewhere
		h := a.head()
		c.judgeTally(&h, a.label(), t)
	}
}

// tally is what a run list holds.
type tally struct {
	real   int64 // clusters
	hole   bool
	broken bool // the run list does not decode
}

func (t *tally) run(r run) {
	if r.lcn < 0 {
		t.hole = true
	} else {
		t.real += r.n
	}
}

func (t *tally) add(o tally) {
	t.real += o.real
	t.hole, t.broken = t.hole || o.hole, t.broken || o.broken
}

// tallyRuns is that of a run list that was judged already.
func tallyRuns(a *attr) (t tally) {
	r := runReader{b: a.pairs, vcn: a.lowest}
	for {
		e, ok, msg := r.next()
		if !ok {
			t.broken = msg != ""
			return t
		}
		t.run(e)
	}
}

// judgeTally compares what a stream owns with what its first extent says.
func (c *checker) judgeTally(h *streamHead, label string, t tally) {
	no := c.cur.base
	switch {
	case t.broken:
	case h.flags&(aSparse|aCompressed) == 0:
		if t.hole && no != fBadClus {
			c.findAs(Error, "T9", no, label, "%s of record %d has holes, but is neither sparse nor compressed.", label, no)
		}
	case h.total != t.real*c.g.cluster:
		c.find("T9", no, label, "%s of record %d has %d bytes of clusters but claims %d.", label, no, t.real*c.g.cluster, h.total)
	}
}

// own marks a run's clusters.
func (c *checker) own(a *attr, e run) {
	if e.lcn >= c.g.clusters || e.n > c.g.clusters-e.lcn {
		c.find("T6", c.cur.base, a.label(), "%s in record %d has clusters %d to %d, but the volume ends at %d.",
			a.label(), c.cur.no, e.lcn, e.lcn+e.n-1, c.g.clusters)
		e.n = c.g.clusters - e.lcn
	} else if here := c.size / c.g.cluster; e.lcn+e.n > here {
		c.find("T6", c.cur.base, a.label(), "%s in record %d has clusters %d to %d, but of the volume only %d are here.",
			a.label(), c.cur.no, e.lcn, e.lcn+e.n-1, here)
	}
	if e.n > 0 {
		c.owned.mark(e.lcn, e.n, c.doubled.add)
	}
}

// sizes judges the sizes of a non-resident attribute, which its first extent has.
func (c *checker) sizes(a *attr) {
	k := &c.cur
	if a.lowest != 0 {
		return
	}
	switch {
	case a.alloc < 0 || a.size < 0 || a.init < 0 || a.alloc%c.g.cluster != 0:
		c.find("T8", k.base, a.label(), "%s of record %d has an impossible size (%d allocated, %d used, %d valid).", a.label(), k.no, a.alloc, a.size, a.init)
	case a.size > a.alloc:
		c.find("T8", k.base, a.label(), "%s of record %d has %d bytes but only %d allocated.", a.label(), k.no, a.size, a.alloc)
	case a.typ == tAlloc && a.init < a.size:
		c.find("T8", k.base, a.label(), "%s of record %d has %d bytes of index blocks of which only %d count as written.", a.label(), k.no, a.size, a.init)
	case a.init < a.size && a.typ == tData && (k.base == fBitmap && len(a.name) == 0 || k.base == fSecure && string(a.name) == nameSDS):
		c.findAs(Warning, "T8", k.base, a.label(), "%s of record %d has %d bytes of which only %d count as written: the others are zeros.", a.label(), k.no, a.size, a.init)
	case a.init > a.size:
		c.find("T8", k.base, a.label(), "%s of record %d has %d bytes but claims that %d are valid.", a.label(), k.no, a.size, a.init)
	case !k.list && k.no == k.base && a.last+1 != a.alloc/c.g.cluster:
		c.find("T7", k.base, a.label(), "%s of record %d has %d clusters but %d allocated bytes.", a.label(), k.no, a.last+1, a.alloc)
	}
	if a.flags&aCompressed != 0 && (a.unit != 4 || c.g.cluster > 4096) {
		c.findAs(Error, "T9", k.base, a.label(), "%s of record %d is compressed in impossible units of 2^%d clusters.", a.label(), k.no, a.unit)
	} else if a.unit != 0 && a.unit != 4 {
		c.findAs(Warning, "T9", k.base, a.label(), "%s of record %d is not compressed, but has compression units of 2^%d clusters.", a.label(), k.no, a.unit)
	}
}

// list notes the attribute list, which only a file's first record has.
func (c *checker) list(a *attr) {
	k := &c.cur
	if k.list = true; k.h.base != 0 {
		c.find("T13", k.base, a.label(), "Record %d, a part of record %d, has an attribute list of its own.", k.no, refRecord(k.h.base))
	}
}

// whole judges a base record when all its attributes are known; one with an
// attribute list waits until its other records are.
func (c *checker) whole() {
	k := &c.cur
	k.e.flags |= k.indexFlags()
	if k.list {
		k.e.flags |= recList
		c.lists++
		return
	}
	c.complete()
}

func (k *current) indexFlags() (f uint16) {
	if k.i30 {
		f |= recI30
	}
	if k.view {
		f |= recView
	}
	if k.wof {
		f |= recWof
	}
	if k.tag == tagDedup {
		f |= recDedup
	}
	return f
}

// complete judges a file all of whose attributes have been seen.
func (c *checker) complete() {
	k := &c.cur
	c.countFile()
	if k.names != int(k.h.links) && (k.no < 12 || k.no >= firstFree || k.names > 0) {
		c.find("R7", k.no, "", "Record %d has %d names but counts %d links.", k.no, k.names, k.h.links)
	}
	c.mandatory()
	c.folderFlag()
	c.pairs()
	c.flags()
	c.eaPair()
	k.e.copied, k.e.names = k.copied().hash(), uint16(min(k.names, 0xffff))
}

func (c *checker) countFile() {
	k := &c.cur
	if k.h.flags&flagDir != 0 {
		c.rep.Counts.Folders++
	} else if k.names > 0 {
		c.rep.Counts.Files++
	}
	if k.tag != 0 {
		c.rep.Counts.ReparsePoints++
	}
}

// mandatory looks for what every file has.
func (c *checker) mandatory() {
	k := &c.cur
	miss := func(what string) {
		c.find("R12", k.no, what, "Record %d has no %s.", k.no, what)
	}
	if !k.standard {
		miss("$STANDARD_INFORMATION")
	}
	if k.names == 0 && (k.no < 12 || k.no >= firstFree) {
		miss("$FILE_NAME")
	}
	switch {
	case k.h.flags&flagDir != 0 && !k.i30:
		miss("$INDEX_ROOT:$I30")
	case k.h.flags&flagDir == 0 && !k.unnamed && !(k.data && k.h.flags&flagExt != 0) && !k.i30 && !k.view && (k.no < 12 || k.no >= firstFree):
		miss("$DATA")
	}
	if k.no == fMFT && !k.has(tBitmap) || k.no == fVolume && !k.has(tVolInfo) {
		miss(map[uint64]string{fMFT: "$BITMAP", fVolume: "$VOLUME_INFORMATION"}[k.no])
	}
	if k.alloc && k.i30 && !k.has(tBitmap) {
		miss("$BITMAP:$I30")
	}
}

// has reports whether the record itself has an attribute of the type, or a list
// that may name it elsewhere.
func (k *current) has(typ uint32) (found bool) {
	each(k.b, func(a *attr) bool {
		found = found || a.typ == typ || a.typ == tList
		return !found
	})
	return found
}

// folderFlag compares the header's flags with the indexes.
func (c *checker) folderFlag() {
	k := &c.cur
	switch dir := k.h.flags&flagDir != 0; {
	case dir && !k.i30 && k.data:
		c.find("R8", k.no, "", "Record %d is marked as a folder but has data and no index.", k.no)
	case dir && k.unnamed:
		c.findAs(Warning, "R8", k.no, "", "Record %d is a folder, and has contents like a file.", k.no)
	case !dir && k.i30:
		c.find("R8", k.no, "", "Record %d has a folder's index but is not marked as a folder.", k.no)
	}
	if odd := k.h.flags &^ (flagUsed | flagDir | flagExt | flagView); odd != 0 {
		c.findAs(Info, "R8", k.no, "", "Record %d has the unknown flags %#x.", k.no, odd)
	}
	if marked := k.h.flags&flagView != 0; marked != k.view {
		c.findAs(Warning, "R8", k.no, "", "Record %d is %smarked as a view, and has %s.", k.no,
			map[bool]string{false: "not "}[marked], map[bool]string{true: "an index of one", false: "no index of one"}[k.view])
	}
}

// pairs looks for short names without a long one.
func (c *checker) pairs() {
	k := &c.cur
	for i := range k.nPairs {
		if k.spaces[i] != spaceDOS {
			continue
		}
		found := false
		for j := range k.nPairs {
			found = found || k.spaces[j] == spaceWin32 && k.parents[j] == k.parents[i]
		}
		if !found {
			c.find("I11", k.no, "$FILE_NAME", "Record %d has a short name without a long name in the same folder.", k.no)
		}
	}
}

// flags compares the file's flags with its reparse point and its data's.
func (c *checker) flags() {
	k := &c.cur
	if says := k.stdFlags&attrReparse != 0; k.hasStd && says != k.reparse {
		sev := Warning
		if k.wof || k.tag == tagDedup || says && !k.whole {
			sev = Error // the contents are no longer found
		}
		c.findAs(sev, "T10", k.no, "$REPARSE_POINT", "Record %d has %s reparse point, but its flags say that it has %s.", k.no,
			map[bool]string{true: "a", false: "no"}[k.reparse], map[bool]string{true: "one", false: "none"}[says])
	}
	if k.sealed && !k.efs {
		c.find("T16", k.no, "$LOGGED_UTILITY_STREAM:$EFS", "Data of record %d is encrypted, or marked so, but there are no keys to read it with.", k.no)
	}
	if !k.dataSeen || !k.hasStd || k.h.flags&flagDir != 0 {
		return
	}
	for _, f := range []struct {
		std, data uint32
		what      string
	}{{0x200, aSparse, "sparse"}, {0x800, 1, "compressed"}, {0x4000, aEncrypted, "encrypted"}} {
		if uint32(k.dataFlags)&f.data != 0 && k.stdFlags&f.std == 0 {
			sev := Warning
			if f.data == aSparse && k.stdFlags&attrCompressed != 0 {
				sev = Error // it may be compressed, and is read as it is stored
			}
			c.findAs(sev, "T10", k.no, "$DATA", "The data of record %d is %s but the file's flags do not say so.", k.no, f.what)
		}
	}
	if k.tag == tagWof && !k.wof && k.wofData {
		c.find("T17", k.no, "$REPARSE_POINT", "Record %d has the data of a compressed system file, but its reparse point leads elsewhere.", k.no)
	}
	if k.wof && !k.wofData {
		c.find("T17", k.no, "$DATA:WofCompressedData", "Record %d is a compressed system file but lacks the compressed data.", k.no)
	}
}
