package check

import "fmt"

// extend judges the views in $Extend against the files.
func (c *checker) extend() {
	c.objectIDs, c.reparseIndex = c.folders["$ObjId"], c.folders["$Reparse"]
	c.eachObjectID(func(ref uint64, key []byte) {
		if r := c.viewed("X1", "$ObjId", ref); r != nil {
			r.sum -= hashName(keyObject, 0, key)
		}
	})
	c.eachReparse(func(ref uint64, tag []byte) {
		if r := c.viewed("X3", "$Reparse", ref); r != nil {
			r.sum -= hashName(keyReparse, 0, tag)
		}
	})
	c.quota()
	c.journal()
	if no := c.folders["$Deleted"]; no != 0 {
		if e := c.table.peek(no); e != nil && e.flags&recI30 != 0 {
			c.deleted(no, e)
		}
	}
}

// eachObjectID walks $ObjId:$O: the key is the identifier, the data begin with
// the file's reference.
func (c *checker) eachObjectID(do func(ref uint64, key []byte)) {
	if c.objectIDs == 0 {
		return
	}
	c.view(c.objectIDs, nameO, func(e, key []byte) {
		d := viewData(e)
		if len(d) < 8 || len(key) != 16 {
			c.find("X1", c.objectIDs, "$INDEX_ROOT:$O", "An entry of the index of object identifiers is malformed.")
			return
		}
		if ref := le.Uint64(d); refRecord(ref) != fVolume {
			do(ref, key)
		}
	})
}

// eachReparse walks $Reparse:$R: the key is the tag and the file's reference.
func (c *checker) eachReparse(do func(ref uint64, tag []byte)) {
	if c.reparseIndex == 0 {
		return
	}
	c.view(c.reparseIndex, nameR, func(_, key []byte) {
		if len(key) != 12 {
			c.find("X3", c.reparseIndex, "$INDEX_ROOT:$R", "An entry of the index of reparse points is malformed.")
			return
		}
		do(le.Uint64(key[4:]), key[:4])
	})
}

// viewed returns the file that a view's entry leads to, nil when there is none.
func (c *checker) viewed(code, index string, ref uint64) *entry {
	r := c.table.peek(refRecord(ref))
	switch {
	case r == nil || r.flags&recUsed == 0 || r.flags&recExt != 0:
		if r == nil || r.flags&recBad == 0 {
			c.find(code, refRecord(ref), "", "The index %s leads to record %d, which is not in use.", index, refRecord(ref))
		}
		return nil
	case r.seq != refSeq(ref):
		c.find(code, refRecord(ref), "", "The index %s leads to record %d with the sequence number %d, which is now %d.", index, refRecord(ref), refSeq(ref), r.seq)
		return nil
	}
	return r
}

// deleted counts files that were deleted while open.
func (c *checker) deleted(no uint64, e *entry) {
	n := 0
	counts := c.rep.Counts
	c.quiet = true
	c.folder(no, e, func(uint64, []byte, []byte) { n++ })
	c.quiet, c.rep.Counts = false, counts
	switch {
	case n == 1:
		c.find("X5", no, "", "A file that was deleted while open remains.")
	case n > 1:
		c.find("X5", no, "", "%d files that were deleted while open remain.", n)
	}
}

// USN record: length (4), major version (2 at 4), USN (8 at 24, or at 40 in
// version 3). No record crosses a page; what is left of one is zero.
const usnPage = 4096

// journal judges the change journal: its settings, and every page that it still
// has. The first fault is reported, as what follows one tells nothing.
func (c *checker) journal() {
	no := c.folders["$UsnJrnl"]
	if no == 0 {
		return
	}
	if s, err := c.load(no, tData, nameMax); err != nil || s.size < 32 {
		c.find("X4", no, "$DATA:$Max", "The change journal lacks its settings.")
	}
	j, err := c.load(no, tData, nameJ)
	if err != nil {
		c.find("X4", no, "$DATA:$J", "The change journal cannot be read: %v.", err)
		return
	}
	kept := j.real(c.g.clusters) * c.g.cluster
	if kept == 0 || !c.afford(kept) {
		return
	}
	c.start("change journal", kept)
	defer func() { c.advance(kept) }()
	b := make([]byte, 64*usnPage)
	end, left := min(j.size, j.init), kept+c.g.cluster+usnPage
	for i := 0; i < len(j.runs) && !c.stopped(); {
		from, to := j.runs[i].vcn*c.g.cluster, int64(0)
		for ; i < len(j.runs) && j.runs[i].lcn >= 0; i++ {
			to = (j.runs[i].vcn + j.runs[i].n) * c.g.cluster
		}
		if to == 0 { // a hole
			i++
			continue
		}
		for off := from &^ (usnPage - 1); off < min(to, end) && !c.stopped(); off += int64(len(b)) {
			p := b[:min(int64(len(b)), min(to, end)-off)]
			if left -= int64(len(p)); left < 0 {
				c.leftOut("pages of the change journal, which share clusters")
				return
			}
			if err := c.readValid(j, p, off); err != nil {
				c.find("X4", no, "$DATA:$J", "The change journal cannot be read at byte %d: %v.", off, err)
				return
			}
			if msg := journalFault(p, off); msg != "" {
				c.find("X4", no, "$DATA:$J", "%s", msg)
				return
			}
			c.advance(int64(len(p)))
		}
	}
}

// journalFault judges the pages in b, which begin at byte off of the journal, a
// multiple of a page.
func journalFault(b []byte, off int64) string {
	for at := 0; at < len(b); {
		p := b[at:min(at&^(usnPage-1)+usnPage, len(b))]
		if len(p) < 8 || le.Uint32(p) == 0 {
			at += len(p)
			continue
		}
		n, major, place := int(le.Uint32(p)), le.Uint16(p[4:]), 24
		if major > 2 {
			place = 40
		}
		if n < 56 || n&7 != 0 || n > len(p) || major < 2 || major > 4 {
			return fmt.Sprintf("The change journal breaks off at byte %d.", off+int64(at))
		}
		if usn := int64(le.Uint64(p[place:])); usn != off+int64(at) {
			return fmt.Sprintf("The change journal has the record %d at byte %d.", usn, off+int64(at))
		}
		at += n
	}
	return ""
}
