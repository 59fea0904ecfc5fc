package check

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Numbers of system files.
const (
	fMFT = iota
	fMirror
	fLog
	fVolume
	fAttrDef
	fRoot
	fBitmap
	fBoot
	fBadClus
	fSecure
	fUpCase
	fExtend
	firstFree = 24 // records below are reserved
)

var systemNames = []string{"$MFT", "$MFTMirr", "$LogFile", "$Volume", "$AttrDef", ".", "$Bitmap", "$Boot", "$BadClus", "$Secure", "$UpCase", "$Extend"}

// tableMap is the file table as a copy of its own record has it.
type tableMap struct {
	lcn     int64  // of that copy
	stream  stream // as far as it could be followed
	records uint64
	sizes   []string // what is wrong with its sizes
	no      string   // why the copy is of no use
	why     string   // why the table cannot be found in full
}

// openTable finds all of the file table, from its own record or the mirror's.
func (c *checker) openTable() bool {
	c.indexBudget, c.valueBudget = budget(2*c.g.clusters*c.g.cluster), budget(4*c.g.clusters*c.g.cluster+1<<20)
	own, copied := c.tableBy(c.g.mft), c.tableBy(c.g.mirror)
	used := own
	for _, msg := range own.sizes {
		c.find("M4", fMFT, "$DATA", "The file table %s.", msg)
	}
	if copied.no == "" && copied.why == "" && (own.no != "" || c.better(&copied, &own)) {
		c.find("M2", fMFT, "", "The file table's own record is damaged: %s. The mirror's copy was used.",
			cmp.Or(own.no, own.why, "it does not lead to all file records"))
		used, c.spare = copied, make([]byte, c.g.record)
		if c.readAt(c.spare, copied.lcn*c.g.cluster) != nil {
			c.spare = nil
		}
	}
	switch {
	case used.no != "":
		c.find("M3", fMFT, "", "The file table's own record is damaged, %s, and so is the mirror's.", used.no)
		return false
	case used.why != "":
		c.find("M3", fMFT, "$DATA", "The file table cannot be found in full: %s.", used.why)
		return false
	case used.records < uint64(len(systemNames)):
		c.find("M3", fMFT, "$DATA", "The file table has %d of the %d records of system files.", used.records, len(systemNames))
		return false
	}
	c.mft, c.records = used.stream, used.records
	c.listBudget = budget(1<<20 + int64(c.records)*c.g.record/8)
	c.table.init(c.records)
	return true
}

// tableBy finds the file table by the copy of record 0 at lcn.
func (c *checker) tableBy(lcn int64) (m tableMap) {
	m.lcn, c.mft, c.listBudget = lcn, stream{}, 1<<20
	b := make([]byte, c.g.record)
	if m.no = c.tableRecord(b, lcn); m.no != "" {
		return m
	}
	if err := c.followTable(b); err != nil {
		m.why = err.Error()
	} else {
		m.why = c.overlapping()
	}
	m.stream = c.mft
	m.measure(c.g)
	return m
}

// tableRecord reads a copy of record 0 and says what is wrong with it.
func (c *checker) tableRecord(b []byte, lcn int64) string {
	if err := c.readAt(b, lcn*c.g.cluster); err != nil {
		return err.Error()
	}
	if string(b[:4]) != "FILE" {
		return "it has no signature"
	}
	if msg := fixup(b, headOld); msg != "" {
		return msg
	}
	if ok, err := c.mft.find(b, tData, "", 0); err != nil || !ok || c.mft.resident || len(c.mft.runs) == 0 {
		return "its run list is missing or damaged"
	}
	return ""
}

// followTable adds the extents that further records hold; each lies in what is
// known already.
func (c *checker) followTable(b []byte) error {
	first := c.mft
	first.runs = slices.Clone(first.runs)
	list, err := c.listOf(b)
	if err != nil {
		err = fmt.Errorf("its attribute list: %w", err)
	} else {
		_, err = c.follow(&c.mft, list, fMFT, tData, "", true)
	}
	whole := func() bool { return c.mft.end()*c.g.cluster >= c.mft.init }
	if err == nil && whole() {
		return nil
	}
	found := c.mft
	if c.mft = first; c.seekTable(parseHeader(b).seq) && whole() {
		return nil // what is wrong with the list is found when it is judged
	}
	c.mft = found
	return err
}

// seekTable adds extents of the file table that its attribute list does not lead to, from
// records that say to be its extensions. Those are among the first of all.
func (c *checker) seekTable(seq uint16) (found bool) {
	const most = 1 << 16
	at := map[int64]uint64{} // records by the first cluster of what they have
	buf := make([]byte, c.g.record)
	for no := uint64(1); no < min(uint64(c.mft.end()*c.g.cluster/c.g.record), most); no++ {
		b, msg := c.record(no, buf)
		if b == nil || msg != "" {
			continue
		}
		if h := parseHeader(b); h.flags&flagUsed == 0 || h.base == 0 || refRecord(h.base) != fMFT || refSeq(h.base) != seq {
			continue
		}
		each(b, func(a *attr) bool {
			mine := a.typ == tData && len(a.name) == 0 && a.nonRes
			if mine {
				at[a.lowest] = no
			}
			return !mine // a record has one
		})
		for at[c.mft.end()] != 0 {
			end := c.mft.end()
			b, msg := c.record(at[end], buf)
			if b == nil || msg != "" {
				break
			}
			if got, err := c.mft.find(b, tData, "", end); !got || err != nil || c.mft.end() <= end {
				return found
			}
			found = true
		}
	}
	return found
}

// overlapping refuses a file table with a cluster twice: its size is what bounds
// the check's memory.
func (c *checker) overlapping() string {
	runs := slices.Clone(c.mft.runs)
	slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.lcn, b.lcn) })
	end, there := int64(0), int64(0)
	for _, r := range runs {
		if r.lcn < 0 {
			continue // a hole reads as records that were never used
		}
		if r.lcn > c.g.clusters || r.n > c.g.clusters-r.lcn {
			return fmt.Sprintf("its run at cluster %d of the stream lies outside the volume", r.vcn)
		}
		if r.lcn < end {
			return fmt.Sprintf("its run at cluster %d of the stream overlaps another", r.vcn)
		}
		end = r.lcn + r.n
		there += r.n
	}
	if c.mft.end() > 2*there {
		return "most of it is holes"
	}
	return ""
}

// measure finds how many records there are. Behind the valid bytes of the table
// stand, perhaps, records of a former volume.
func (m *tableMap) measure(g geometry) {
	wrong := func(format string, args ...any) { m.sizes = append(m.sizes, fmt.Sprintf(format, args...)) }
	room, size, valid := m.stream.end()*g.cluster, m.stream.size, m.stream.init
	switch {
	case size > room || size < 16*g.record:
		wrong("has a size of %d bytes, which does not fit its clusters of %d bytes", size, room)
		size = room
	case size%g.record != 0:
		wrong("has a size of %d bytes, which is no multiple of its records", size)
	}
	if valid < 16*g.record || valid <= size && valid%g.record != 0 {
		wrong("says that %d of its %d bytes are valid", valid, size)
		valid = size
	}
	m.records = uint64(max(0, min(size, valid, room)) / g.record)
	if m.records > maxClusters {
		wrong("has %d records, and NTFS has 2^32 at most", m.records)
		m.records = maxClusters
	}
}

// better tells whether table a leads to more file records than b: where they differ,
// some records are looked at that should be there.
func (c *checker) better(a, b *tableMap) bool {
	if a.records == b.records && slices.Equal(a.stream.runs, b.stream.runs) {
		return false
	}
	score, left := 0, 1024
	buf := make([]byte, c.g.record)
	for vcn := int64(0); left > 0; {
		from, end := a.place(c.g, vcn)
		other, otherEnd := b.place(c.g, vcn)
		end = min(end, otherEnd)
		if end == math.MaxInt64 {
			break
		}
		for at := vcn; from != other && at < end && left > 0; at += max(1, (end-vcn)/8) {
			no := uint64((at*c.g.cluster + c.g.record - 1) / c.g.record)
			score += c.leads(a, no, buf) - c.leads(b, no, buf)
			left--
		}
		vcn = end
	}
	return score > 0
}

// place is where table m has VCN vcn, and the VCN up to which the clusters follow each
// other from there; behind the last record that is nowhere.
func (m *tableMap) place(g geometry, vcn int64) (lcn, end int64) {
	last := min(m.stream.end(), (int64(m.records)*g.record+g.cluster-1)/g.cluster)
	if vcn >= last {
		return -2, math.MaxInt64
	}
	runs := m.stream.runs
	r := runs[sort.Search(len(runs), func(i int) bool { return runs[i].vcn+runs[i].n > vcn })]
	if lcn = r.lcn; lcn >= 0 {
		lcn += vcn - r.vcn
	}
	return lcn, min(last, r.vcn+r.n)
}

// leads is 1 when table m has record no in its place, otherwise 0.
func (c *checker) leads(m *tableMap, no uint64, b []byte) int {
	if no >= m.records || c.read(&m.stream, b, int64(no)*c.g.record) != nil || string(b[:4]) != "FILE" || fixup(b, headOld) != "" {
		return 0
	}
	if h := parseHeader(b); h.usaOff >= headNew && uint64(h.number) != no {
		return 0
	}
	return 1
}

// recordBits is the bitmap of file records, of which a piece is held.
type recordBits struct {
	s     *stream // nil: it cannot be used
	size  int64   // bytes
	piece []byte
	from  int64 // of the piece
	bad   bool  // the piece cannot be read
}

// bitsPiece is how much of the bitmap is held.
const bitsPiece = 64 << 10

// readTableBitmap opens the bitmap of file records.
func (c *checker) readTableBitmap() {
	s, err := c.load(fMFT, tBitmap, "")
	if err == nil {
		err = c.readable(s, int64(c.records/8+1<<20))
	}
	if err != nil {
		c.find("M5", fMFT, "$BITMAP", "The bitmap of file records cannot be read: %v.", err)
		return
	}
	c.bits = recordBits{s: s, size: s.size, from: -1}
	if uint64(s.size)*8 < c.records {
		c.find("M5", fMFT, "$BITMAP", "The bitmap of file records covers %d of %d records.", s.size*8, c.records)
	}
	c.bitsBehind()
}

// bitsBehind counts bits of records that the table does not have.
func (c *checker) bitsBehind() {
	n, first := 0, c.records
	for no := c.records; no < uint64(c.bits.size)*8; no++ {
		if set, known := c.bit(no); set && known {
			if n++; n == 1 {
				first = no
			}
		}
	}
	if n > 0 {
		c.findAs(Warning, "M6", fMFT, "$BITMAP", "The bitmap of file records has %d bits for records that the file table does not have, the first for record %d.", n, first)
	}
}

// bit tells whether the bitmap calls record no used; known is false where it cannot be
// read.
func (c *checker) bit(no uint64) (set, known bool) {
	b := &c.bits
	at := int64(no / 8)
	switch {
	case b.s == nil:
		return false, false
	case at >= b.size:
		return false, true
	}
	if b.from < 0 || at < b.from || at >= b.from+bitsPiece {
		b.from = at &^ (bitsPiece - 1)
		b.piece = append(b.piece[:0], make([]byte, min(bitsPiece, b.size-b.from))...)
		valid := b.piece[:max(0, min(int64(len(b.piece)), b.s.init-b.from))]
		err := c.read(b.s, valid, b.from)
		if b.bad = err != nil; b.bad {
			c.find("M5", fMFT, "$BITMAP", "The bitmap of file records cannot be read from byte %d on: %v.", b.from, err)
		}
	}
	return !b.bad && b.piece[at-b.from]>>(no&7)&1 != 0, !b.bad
}

// scanChunk is how much of the file table one read takes.
const scanChunk = 256 << 10

// scanTable judges every record, once, front to back.
func (c *checker) scanTable() {
	c.owned.reset(0, c.g.clusters)
	c.start("file records", int64(c.records)*c.g.record)
	c.damagedOwnRecord()
	c.walkTable(c.advance, func(no uint64, b []byte) {
		if b == nil {
			c.unreadable(no)
			return
		}
		c.scanRecord(no, b)
	})
}

// damagedOwnRecord judges record 0 when the mirror's copy stands for it from now
// on, and forgets what it learned.
func (c *checker) damagedOwnRecord() {
	b := make([]byte, c.g.record)
	if c.spare == nil || c.readAt(b, c.g.mft*c.g.cluster) != nil {
		return
	}
	counts := c.rep.Counts
	c.scanRecord(fMFT, b)
	*c.table.at(fMFT), c.rep.Counts, c.lists, c.doubled = entry{}, counts, 0, spans{}
	c.owned.reset(0, c.g.clusters)
}

// unreadable reports a record that cannot be read from the device.
func (c *checker) unreadable(no uint64) {
	if set, known := c.bit(no); no < firstFree || set || !known {
		c.find("D1", no, "", "File record %d cannot be read.", no)
		c.table.at(no).flags |= recBad
	}
}

// walkTable calls do with each record as it is on disk, nil where it cannot be
// read, and read with the bytes that were read. The mirror's copy stands for
// record 0 when that is damaged.
func (c *checker) walkTable(read func(n int64), visit func(no uint64, b []byte)) {
	do := func(no uint64, b []byte) {
		if no == fMFT && c.spare != nil {
			b = bytes.Clone(c.spare)
		}
		visit(no, b)
	}
	buf := make([]byte, scanChunk)
	rec := uint64(c.g.record)
	per := uint64(len(buf)) / rec
	for no := uint64(0); no < c.records && !c.stopped(); no += per {
		n := min(per, c.records-no)
		p := buf[:n*rec]
		if c.read(&c.mft, p, int64(no*rec)) != nil {
			c.walkSlowly(no, p, do)
		} else {
			for i := range n {
				do(no+i, p[i*rec:(i+1)*rec:(i+1)*rec])
			}
		}
		read(int64(len(p)))
	}
}

// walkSlowly reads a chunk that has unreadable places record by record.
func (c *checker) walkSlowly(no uint64, p []byte, do func(uint64, []byte)) {
	rec := c.g.record
	for b := p; len(b) > 0; no, b = no+1, b[rec:] {
		one := b[:rec:rec]
		if c.read(&c.mft, one, int64(no)*rec) != nil {
			one = nil
		}
		do(no, one)
	}
}

// mirror compares the first records with their copies.
func (c *checker) mirror() {
	n := max(4*c.g.record, c.g.cluster)
	n = min(n, int64(c.records)*c.g.record)
	a, b := make([]byte, n), make([]byte, n)
	if c.read(&c.mft, a, 0) != nil {
		return
	}
	if err := c.readAt(b, c.g.mirror*c.g.cluster); err != nil {
		c.find("M1", fMirror, "", "The file table's mirror cannot be read: %v.", err)
		return
	}
	for i := int64(0); i < 4*c.g.record; i += c.g.record {
		c.mirrored(uint64(i/c.g.record), a[i:i+c.g.record], b[i:i+c.g.record])
	}
}

// mirrored compares one record with its copy, in which the update sequence and
// the log number may lag.
func (c *checker) mirrored(no uint64, a, b []byte) {
	if bytes.Equal(a, b) {
		return
	}
	if string(b[:4]) != "FILE" {
		c.find("M1", no, "", "The mirror's copy of file record %d is no file record.", no)
		return
	}
	x, y := bytes.Clone(a), bytes.Clone(b)
	mx, my := fixup(x, headOld), fixup(y, headOld)
	if my != "" {
		c.find("M1", no, "", "The mirror's copy of file record %d is damaged: %s.", no, my)
		return
	}
	sev := Error
	if no == fVolume || c.rep.Volume.Dirty || c.rep.Volume.LogUnclean {
		sev = Warning // the copy follows when the volume is unmounted
	}
	if mx == "" && !sameRecord(x, y) {
		c.findAs(sev, "M1", no, "", "File record %d and its copy in the mirror differ.", no)
	}
}

// sameRecord compares two records but for log number, update sequence and what
// stands behind their end.
func sameRecord(x, y []byte) bool {
	hx, hy := parseHeader(x), parseHeader(y)
	n := min(int(hx.used), len(x))
	if hx.used != hy.used || hx.first != hy.first || int(hx.first) > n {
		return false
	}
	return bytes.Equal(x[16:headOld], y[16:headOld]) && bytes.Equal(x[hx.first:n], y[hx.first:n])
}

// systemFiles judges the first records: in use, with their names.
func (c *checker) systemFiles() {
	major := c.info.major
	for no, name := range systemNames {
		if major < 3 && (no == fSecure || no == fExtend) {
			continue
		}
		c.systemFile(uint64(no), name)
	}
	for no := uint64(16); no < firstFree; no++ {
		if e := c.table.peek(no); e != nil && e.flags&(recUsed|recExt) == recUsed && e.names > 0 {
			c.find("M8", no, "", "The reserved file record %d is in use.", no)
		}
	}
}

func (c *checker) systemFile(no uint64, name string) {
	e := c.table.peek(no)
	if e == nil || e.flags&recUsed == 0 {
		if e == nil || e.flags&recBad == 0 {
			c.find("M7", no, "", "The system file %s (record %d) is missing.", name, no)
		}
		return
	}
	if e.flags&recExt != 0 {
		c.find("M7", no, "", "Record %d, of the system file %s, is an extension of another.", no, name)
		return
	}
	if got := c.nameOf(no); e.names > 0 && got != name {
		c.find("M7", no, "", "Record %d is named %q instead of %s.", no, got, name)
	}
	if want := max(1, uint16(no)); e.seq != want && e.flags&recBad == 0 {
		c.find("M7", no, "", "The system file %s has the sequence number %d instead of %d.", name, e.seq, want)
	}
}
