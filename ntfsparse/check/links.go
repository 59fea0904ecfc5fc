package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vitrine/ntfsparse"
)

// want is an index entry that a file's own attributes call for, or one that is
// there.
type want struct {
	kind   byte   // 'n' name, 'o' object identifier, 'r' reparse point
	parent uint64 // folder, for names
	space  uint8
	name   string
}

// have is an entry that is there.
type have struct {
	want
	seq uint16 // of its reference
	dir uint64 // folder that it stands in, for names
}

const wantBytes = 64 // of an entry, its name not counted

// suspect is a file whose attributes and index entries do not cancel out.
type suspect struct {
	want []want
	have []have
}

const (
	maxSuspects  = 20000
	maxLinkBytes = 32 << 20 // what all suspects' names may take
)

// links finds out what the files are missing whose sums did not come out at
// zero, in another walk through the folders.
func (c *checker) links() {
	all := map[uint64]*suspect{}
	more := 0
	c.linkBytes = maxLinkBytes
	c.table.each(func(no uint64, e *entry) {
		if e.sum == 0 || e.flags&(recExt|recBad) != 0 {
			return
		}
		if len(all) >= maxSuspects || c.linkBytes < 0 {
			more++
			return
		}
		all[no] = &suspect{want: c.wants(no)}
	})
	if len(all) == 0 {
		return
	}
	c.collect(all)
	if c.linkBytes >= 0 {
		c.compareLinks(all)
	} else {
		more += len(all)
	}
	if more > 0 {
		c.find("I9", NoRecord, "", "A further %d files do not match the folders.", more)
	}
}

// wants lists the entries that file no calls for.
func (c *checker) wants(no uint64) (out []want) {
	defer func() {
		for _, w := range out {
			c.linkBytes -= len(w.name) + wantBytes
		}
	}()
	c.eachOfFile(no, func(a *attr) {
		switch a.typ {
		case tName:
			if f, ok := parseFileName(a.value); ok {
				out = append(out, want{'n', f.parent, f.space, string(f.name)})
			}
		case tObjectID:
			if len(a.value) >= 16 && no != fVolume {
				out = append(out, want{'o', 0, 0, string(a.value[:16])})
			}
		case tReparse:
			if v := c.valueOf(a); len(v) >= reparseHead {
				out = append(out, want{'r', 0, 0, string(v[:4])})
			}
		}
	})
	return out
}

func (c *checker) valueOf(a *attr) []byte {
	if a.nonRes {
		return c.shortValue(a, maxReparse)
	}
	return a.value
}

// eachOfFile visits the attributes of a file in all its records.
func (c *checker) eachOfFile(no uint64, do func(*attr)) {
	b, _ := c.record(no, nil)
	if b == nil {
		return
	}
	list, _ := c.listOf(b)
	each(b, func(a *attr) bool { do(a); return true })
	done := map[uint64]bool{no: true}
	for len(list) > 0 {
		e, rest, ok := cutList(list)
		if !ok {
			return
		}
		list = rest
		rec := refRecord(e.ref)
		if x := c.table.peek(rec); done[rec] || x == nil || refRecord(x.parent) != no || x.flags&recExt == 0 {
			continue
		}
		done[rec] = true
		if b, _ := c.record(rec, nil); b != nil {
			each(b, func(a *attr) bool { do(a); return true })
		}
	}
}

// collect walks all indexes again, without reporting, for entries of suspects.
func (c *checker) collect(all map[uint64]*suspect) {
	counts := c.rep.Counts
	c.quiet = true
	defer func() { c.quiet, c.rep.Counts = false, counts }()
	c.indexBudget = budget(2 * c.g.clusters * c.g.cluster)
	c.start("doubtful names", c.indexBytes)
	add := func(dir, ref uint64, w want) {
		if s := all[refRecord(ref)]; s != nil && c.linkBytes >= 0 {
			c.linkBytes -= len(w.name) + wantBytes
			s.have = append(s.have, have{w, refSeq(ref), dir})
		}
	}
	c.table.each(func(no uint64, e *entry) {
		if e.flags&recI30 == 0 || e.flags&recExt != 0 || c.stopped() {
			return
		}
		c.folder(no, e, func(dir uint64, b, key []byte) {
			if f, ok := parseFileName(key); ok {
				add(dir, le.Uint64(b), want{'n', f.parent, f.space, string(f.name)})
			}
		})
	})
	c.eachObjectID(func(ref uint64, key []byte) { add(0, ref, want{'o', 0, 0, string(key)}) })
	c.eachReparse(func(ref uint64, tag []byte) { add(0, ref, want{'r', 0, 0, string(tag)}) })
}

// compareLinks reports what the suspects lack and what they have too much.
func (c *checker) compareLinks(all map[uint64]*suspect) {
	gone := map[uint64]int{} // names that folders lack
	suspects := slices.Sorted(maps.Keys(all))
	for _, no := range suspects {
		s := all[no]
		s.strike(c.table.at(no).seq)
		for _, w := range s.want {
			gone[refRecord(w.parent)]++
		}
	}
	for _, no := range suspects {
		s := all[no]
		for _, h := range s.have {
			c.surplus(no, s, h)
		}
		for _, w := range s.want {
			c.missing(no, w, gone[refRecord(w.parent)])
		}
	}
}

// strike leaves of what is wanted and of what is there only what has no
// counterpart. An entry with another sequence number than the file's has been
// reported.
func (s *suspect) strike(seq uint16) {
	count := map[want]int{}
	for _, w := range s.want {
		count[w]++
	}
	surplus := s.have[:0]
	for _, h := range s.have {
		if count[h.want]--; count[h.want] < 0 && h.seq == seq {
			surplus = append(surplus, h)
		}
	}
	missing := s.want[:0]
	for _, w := range s.want {
		if count[w] > 0 {
			count[w]--
			missing = append(missing, w)
		}
	}
	s.want, s.have = missing, surplus
}

// missing reports an entry that is not there, a name as one of so many that the
// folder lacks.
func (c *checker) missing(no uint64, w want, gone int) {
	switch w.kind {
	case 'o':
		if c.objectIDs != 0 {
			c.find("X1", no, "$OBJECT_ID", "The object identifier of record %d is not in the index $ObjId.", no)
		}
		return
	case 'r':
		if c.reparseIndex != 0 {
			c.findAs(Warning, "X3", no, "$REPARSE_POINT", "The reparse point of record %d is not in the index $Reparse.", no)
		}
		return
	}
	dir := refRecord(w.parent)
	p := c.table.peek(dir)
	if p != nil && p.flags&(recBad|recNoList) != 0 {
		return // that is the cause, and reported
	}
	if p == nil || p.flags&(recUsed|recI30) != recUsed|recI30 || p.seq != refSeq(w.parent) {
		if w.parent != c.table.at(no).parent { // the first parent is judged elsewhere
			c.find("I13", no, "$FILE_NAME", "%q (record %d) says that it is in record %d, which is no such folder.", decode16([]byte(w.name)), no, dir)
		}
		return
	}
	name := decode16([]byte(w.name))
	switch {
	case p.flags&recTorn != 0:
		c.find("I9", no, "$FILE_NAME", "%q (record %d) is missing from its folder, record %d, whose index is damaged.", name, no, dir)
	case gone == 1 && c.deletedOpen(no, dir):
		c.findAs(Warning, "I9", no, "$FILE_NAME", "%q (record %d) seems to have been deleted from its folder, record %d, while it was open: its record was not freed.", name, no, dir)
	default:
		c.find("I9", no, "$FILE_NAME", "%q (record %d) is missing from its folder, record %d.", name, no, dir)
	}
}

// deletedOpen tells what Linux's driver ntfs3 leaves of a file that is deleted
// while it is open and then never closed, since the system ends or the image is
// made: the folder is written without the name, the file's record stays as it was.
// A lost name looks the same, but not where the folder's index lies in its record
// alone: that is written as a whole, with the folder's time, so that one later than
// the file's is a proof that the driver knew of no such name. It is ntfs3 that
// keeps no log and puts the update sequence where NTFS had it before version 3.1.
func (c *checker) deletedOpen(no, dir uint64) bool {
	f, msg := c.record(no, nil)
	d, msg2 := c.record(dir, nil)
	if msg != "" || msg2 != "" || c.info.major != 3 || c.info.minor != 1 || !byNTFS3(f) || !byNTFS3(d) {
		return false
	}
	if e := c.table.at(no); no < firstFree || e.names != 1 || e.flags&(recI30|recList) != 0 {
		return false
	}
	small := c.table.at(dir).flags&recList == 0
	each(d, func(a *attr) bool {
		small = small && a.typ != tAlloc
		return small
	})
	return small && changed(d) > changed(f)
}

func byNTFS3(b []byte) bool { return le.Uint16(b[4:]) == headOld && le.Uint64(b[8:]) == 0 }

// changed is the time of a record's last change, which users cannot set; 0 when
// it does not tell.
func changed(b []byte) (t uint64) {
	each(b, func(a *attr) bool {
		if a.typ == tStandard && len(a.value) >= 48 {
			t = le.Uint64(a.value[16:])
		}
		return a.typ <= tStandard
	})
	return t
}

// surplus reports an entry of suspect s that the file does not call for, and
// strikes the name that should stand in its place.
func (c *checker) surplus(no uint64, s *suspect, h have) {
	switch h.kind {
	case 'o':
		c.find("X1", no, "$OBJECT_ID", "The index $ObjId has an identifier for record %d that the file does not have.", no)
		return
	case 'r':
		c.find("X3", no, "$REPARSE_POINT", "The index $Reparse has a reparse point for record %d that the file does not have.", no)
		return
	}
	i := slices.IndexFunc(s.want, func(w want) bool { return w.kind == 'n' && w.parent == h.dir && w.name == h.name })
	if i < 0 {
		i = slices.IndexFunc(s.want, func(w want) bool { return w.kind == 'n' && w.parent == h.dir })
	}
	if i < 0 {
		c.find("I8", no, "$FILE_NAME", "The folder of record %d has the entry %q for record %d, which does not have that name there.",
			refRecord(h.dir), decode16([]byte(h.name)), no)
		return
	}
	w := s.want[i]
	s.want = slices.Delete(s.want, i, i+1)
	switch {
	case h.name != w.name:
		c.find("I8", no, "$FILE_NAME", "The folder of record %d has the entry %q for record %d, whose name there is %q.",
			refRecord(h.dir), decode16([]byte(h.name)), no, decode16([]byte(w.name)))
	case h.space != w.space:
		sev := Error
		if h.space != spaceDOS && w.space != spaceDOS {
			sev = Warning // it is shown either way; ntfs-3g leaves such
		}
		c.findAs(sev, "I8", no, "$FILE_NAME", "The folder of record %d has the entry %q for record %d in the name space %d instead of %d.",
			refRecord(h.dir), decode16([]byte(h.name)), no, h.space, w.space)
	} // otherwise it names another folder than its own, which is reported
}

// parents judges that every file's folder is one, and that every folder leads
// to the root.
func (c *checker) parents() {
	c.table.each(func(no uint64, e *entry) {
		if e.flags&(recExt|recBad) != 0 || e.names == 0 || c.stopped() {
			return
		}
		if msg := c.parentFault(e); msg != "" {
			name := ""
			if !c.full("I13") {
				name = c.nameOf(no)
			}
			c.find("I13", no, "$FILE_NAME", "%q (record %d) says that it is in record %d, which %s.", name, no, refRecord(e.parent), msg)
			e.flags |= recDoubt
		}
	})
	c.table.each(func(no uint64, e *entry) {
		if e.flags&(recDir|recI30) == 0 || e.flags&(recExt|recBad) != 0 || e.names == 0 {
			return
		}
		if ring, ok := c.circle(no); ok {
			c.find("I13", ring, "$FILE_NAME", "The folder %q (record %d) is inside itself.", c.nameOf(ring), ring)
		}
	})
}

func (c *checker) parentFault(e *entry) string {
	p := c.table.peek(refRecord(e.parent))
	switch {
	case p != nil && p.flags&recBad != 0:
		return ""
	case p == nil || p.flags&recUsed == 0:
		return "is not in use"
	case p.flags&(recI30|recDir) == 0 || p.flags&recExt != 0:
		return "is no folder"
	case p.seq != refSeq(e.parent):
		return fmt.Sprintf("has the sequence number %d instead of %d", p.seq, refSeq(e.parent))
	}
	return ""
}

// circle follows a folder's parents, each once for all folders, and tells the first that
// leads back to itself.
func (c *checker) circle(no uint64) (ring uint64, ok bool) {
	at := no
	for ; at != fRoot; at = refRecord(c.table.at(at).parent) {
		e := c.table.peek(at)
		if ok = e != nil && e.flags&recTrail != 0; ok || e == nil || e.flags&(recReached|recDoubt|recBad) != 0 || e.names == 0 {
			break
		}
		e.flags |= recTrail
	}
	ring = at
	for at = no; at != fRoot; at = refRecord(c.table.at(at).parent) {
		e := c.table.peek(at)
		if e == nil || e.flags&recTrail == 0 {
			break
		}
		e.flags &^= recTrail
		if e.flags |= recReached; ok {
			e.flags ^= recReached | recDoubt
		}
	}
	return ring, ok
}

// nameOf is a file's best name: any but a DOS name.
func (c *checker) nameOf(no uint64) string {
	name, _ := c.bestName(no)
	return decode16(name)
}

// bestName returns raw UTF-16.
func (c *checker) bestName(no uint64) (name []byte, parent uint64) {
	best := -1
	c.eachOfFile(no, func(a *attr) {
		f, ok := parseFileName(a.value)
		if a.typ != tName || !ok {
			return
		}
		rank := 1
		if f.space == spaceDOS {
			rank = 0
		}
		if rank > best {
			best, name, parent = rank, f.name, f.parent
		}
	})
	return name, parent
}

const (
	maxPathDepth = 128     // names found at once
	maxPaths     = 1 << 14 // folders whose path is remembered
	maxPath      = 32 << 10
	maxPathBytes = 8 << 20 // of all findings; from there on a path has
	shortPath    = 512     // bytes at most, or a single name
)

// path is a file's path from the root, as listings have it; folders that cannot be
// told, and those in front of a very long path, are "?".
func (c *checker) path(no uint64) string {
	if no == NoRecord {
		return ""
	}
	var parts []string
	var seen []uint64
	for no != fRoot {
		if len(parts) >= maxPathDepth || slices.Contains(seen, no) {
			parts = append(parts, "?")
			break
		}
		seen = append(seen, no)
		if p, ok := c.paths[no]; ok {
			parts = append(parts, p)
			break
		}
		raw, parent := c.bestName(no)
		if base := c.base(no); len(raw) == 0 && base != no {
			raw, parent = c.bestName(base)
		}
		name := ntfsparse.DecodeName(raw)
		if l, ok := c.lost[no]; ok && name == "" {
			name, parent = l.name, l.dir
		}
		if name == "" {
			if len(parts) == 0 {
				return ""
			}
			parts = append(parts, "?")
			break
		}
		parts = append(parts, name)
		no = refRecord(parent)
	}
	return c.fitPath(joinPath(parts))
}

// fitPath cuts a path that is too long.
func (c *checker) fitPath(p string) string {
	limit := maxPath
	if c.pathBytes > maxPathBytes {
		limit = shortPath
	}
	if over := len(p) - limit; over > 0 {
		if i := strings.IndexByte(p[over:], '/'); i >= 0 {
			p = "/?" + p[over+i:]
		} else {
			p = "/?" + p[strings.LastIndexByte(p, '/'):]
		}
		p = strings.Clone(p)
	}
	c.pathBytes += len(p)
	return p
}

func joinPath(parts []string) string {
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		if !strings.HasPrefix(parts[i], "/") {
			b.WriteByte('/')
		}
		b.WriteString(parts[i])
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// addPaths gives each finding the path of its file, and of another that it tells of.
func (c *checker) addPaths() {
	if len(c.mft.runs) == 0 {
		return
	}
	for i := range c.rep.Findings {
		f := &c.rep.Findings[i]
		if f.Record == NoRecord || f.Path != "" || c.stopped() {
			continue
		}
		f.Path = c.pathOnce(f.Record)
		if no, ok := c.also[i]; ok {
			if p := c.pathOnce(no); p != "" {
				f.Message = strings.TrimSuffix(f.Message, ".") + " (" + p + ")."
			}
		}
	}
}

// pathOnce is path, found out once for each file.
func (c *checker) pathOnce(no uint64) string {
	p, ok := c.paths[no]
	if ok {
		return c.fitPath(p)
	}
	p = c.path(no)
	if len(c.paths) < maxPaths && p != "" {
		c.paths[no] = p
	}
	return p
}
