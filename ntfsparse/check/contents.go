package check

import (
	"fmt"

	"vitrine/ntfsparse/internal/decomp"
)

// Forms of CompactOS data: what the number in the reparse point stands for.
var wofForms = []struct {
	chunk  int64
	expand func(dst, src []byte) error
}{{4096, decomp.Xpress}, {32768, decomp.LZX}, {8192, decomp.Xpress}, {16384, decomp.Xpress}}

// overlay is a compressed system file: the stored stream and its plain size.
type overlay struct {
	stored *stream
	size   int64
	form   int
}

// elsewhere judges files whose contents are not in their unnamed stream: the
// tables of compressed system files, and deduplicated ones.
func (c *checker) elsewhere() {
	is := func(e *entry) bool { return e.flags&(recWof|recDedup) != 0 && e.flags&(recExt|recBad) == 0 }
	total := int64(0)
	c.table.each(func(_ uint64, e *entry) {
		if is(e) {
			total += c.g.record
		}
	})
	c.start("contents stored elsewhere", total)
	c.table.each(func(no uint64, e *entry) {
		if !is(e) || c.stopped() {
			return
		}
		c.advance(c.g.record)
		if e.flags&recDedup != 0 {
			c.dedupFile(no)
			return
		}
		if o, msg := c.openOverlay(no); msg != "" {
			c.find("T17", no, "$DATA:WofCompressedData", "The compressed system file in record %d is damaged: %s.", no, msg)
		} else if msg := c.overlayTable(o, nil); msg != "" {
			c.find("T17", no, "$DATA:WofCompressedData", "The compressed system file in record %d is damaged: %s.", no, msg)
		}
	})
}

func (c *checker) openOverlay(no uint64) (o overlay, msg string) {
	o.form = -1
	c.eachOfFile(no, func(a *attr) {
		if v := c.overlayHead(a); len(v) >= reparseHead+wofHead {
			o.form = int(le.Uint32(v[reparseHead+12:]))
		}
	})
	if o.form < 0 || o.form >= len(wofForms) {
		return o, "its form is unknown"
	}
	plain, err := c.load(no, tData, "")
	if err == nil {
		o.size = plain.size
		o.stored, err = c.load(no, tData, nameWof)
	}
	if err == errFragments {
		c.leftOut(fragmented)
		o.stored = nil
		return o, ""
	}
	if err != nil {
		return o, err.Error()
	}
	if !o.stored.resident && o.stored.init < o.stored.size {
		return o, fmt.Sprintf("only %d of %d bytes of its data were ever written", max(0, o.stored.init), o.stored.size)
	}
	if o.stored.size > 0 && !o.stored.resident && o.stored.size > o.stored.real(c.g.clusters)*c.g.cluster {
		return o, "a part of its data is not there"
	}
	return o, ""
}

func (c *checker) overlayHead(a *attr) []byte {
	if a.typ != tReparse {
		return nil
	}
	return c.valueOf(a)
}

// overlayTable walks the offsets of all chunks but the first, 4 bytes each, 8 in
// files of 4 GiB and more, and calls do with each chunk's place.
func (c *checker) overlayTable(o overlay, do func(i, off, n int64) string) string {
	if o.stored == nil {
		return "" // it was left out
	}
	chunk := wofForms[o.form].chunk
	count := max(1, (o.size+chunk-1)/chunk)
	width := int64(4)
	if o.size >= 1<<32 {
		width = 8
	}
	table := (count - 1) * width
	if table > o.stored.size || count < 0 {
		return "its table is longer than its data"
	}
	if !c.afford(table) || do != nil && !c.afford(o.stored.size) {
		return ""
	}
	buf := make([]byte, min(table, 64<<10))
	last := table
	for i := int64(0); i < count; i++ {
		next := o.stored.size
		if i < count-1 {
			at := i * width % max(1, int64(len(buf)))
			if at == 0 {
				if err := c.read(o.stored, buf[:min(int64(len(buf)), table-i*width)], i*width); err != nil {
					return err.Error()
				}
			}
			if next = int64(le.Uint32(buf[at:])); width == 8 {
				next = int64(le.Uint64(buf[at:]))
			}
			next += table
		}
		if next < last || next-last > min(chunk, o.size-i*chunk) || next > o.stored.size {
			return fmt.Sprintf("chunk %d of %d is said to have %d bytes", i, count, next-last)
		}
		if do != nil {
			if msg := do(i, last, next-last); msg != "" {
				return msg
			}
		}
		last = next
	}
	return ""
}

// deep reads all contents and expands what is compressed.
func (c *checker) deep() {
	if !c.o.Deep {
		return
	}
	c.readContents()
	c.start("compressed contents", (c.rep.Counts.Records+c.rep.Counts.Extensions)*c.g.record)
	c.table.each(func(no uint64, e *entry) {
		c.advance(c.g.record)
		if e.flags&(recExt|recBad) != 0 || c.stopped() {
			return
		}
		if e.flags&recWof != 0 {
			c.expandOverlay(no)
		} else if e.flags&recDedup != 0 {
			c.proveFile(no)
		}
		if e.flags&recPacked != 0 {
			c.expandFile(no)
		}
	})
}

// readContents reads every run of every file.
func (c *checker) readContents() {
	buf := make([]byte, 1<<20)
	left := budget(2 * c.g.clusters * c.g.cluster)
	var bad unreadable
	c.start("contents", c.rep.Counts.OwnedClusters*c.g.cluster)
	c.eachRun(func(int64) {}, func(no uint64, a *attr, r run) {
		if !left.take(r.n * c.g.cluster) {
			c.leftOut("contents, which together are larger than the volume")
			return
		}
		for off, end := r.lcn*c.g.cluster, (r.lcn+r.n)*c.g.cluster; off < end && !c.stopped(); off += int64(len(buf)) {
			c.advance(min(int64(len(buf)), end-off))
			if err := c.readAt(buf[:min(int64(len(buf)), end-off)], off); err != nil {
				if bad.no != no || bad.label != a.label() {
					bad.report(c)
					bad = unreadable{no: no, label: a.label(), off: off, err: err}
				}
				bad.runs++
				return
			}
		}
	})
	bad.report(c)
}

// unreadable is what is known of a stream that cannot be read.
type unreadable struct {
	no    uint64 // record of its runs
	label string
	off   int64 // of the first failure, from the volume's begin
	err   error // of that
	runs  int   // that could not be read to their end
}

func (u *unreadable) report(c *checker) {
	switch no := c.base(u.no); {
	case u.runs == 1:
		c.find("D1", no, u.label, "Contents of record %d cannot be read from byte %d of the volume on: %v.", no, u.off, u.err)
	case u.runs > 1:
		c.find("D1", no, u.label, "Contents of record %d cannot be read in %d places, the first at byte %d of the volume: %v.", no, u.runs, u.off, u.err)
	}
}

// expandOverlay expands every chunk of a compressed system file.
func (c *checker) expandOverlay(no uint64) {
	o, msg := c.openOverlay(no)
	if msg != "" {
		return // reported
	}
	f := wofForms[o.form]
	src, dst := make([]byte, f.chunk), make([]byte, f.chunk)
	c.overlayTable(o, func(i, off, n int64) string { // what is wrong with the table itself was reported
		if err := c.read(o.stored, src[:n], off); err != nil {
			msg = err.Error()
		} else if plain := min(f.chunk, o.size-i*f.chunk); n < plain {
			if err := f.expand(dst[:plain], src[:n]); err != nil {
				msg = fmt.Sprintf("chunk %d: %v", i, err)
			}
		}
		return msg
	})
	if msg != "" && c.err == nil {
		c.find("D2", no, "$DATA:WofCompressedData", "The compressed system file in record %d does not decode: %s.", no, msg)
	}
}

// fragmented is what is left out for maxRuns.
const fragmented = "compressed streams, which have over a million fragments"

// lznt1Unit is the clusters of a compression unit.
const lznt1Unit = 16

// expandFile expands the compressed streams of a file.
func (c *checker) expandFile(no uint64) {
	src, dst := make([]byte, lznt1Unit*c.g.cluster), make([]byte, lznt1Unit*c.g.cluster)
	c.eachOfFile(no, func(a *attr) {
		if a.typ != tData || !a.nonRes || a.lowest != 0 || a.method() != 1 || a.unit != 4 || c.g.cluster > 4096 {
			return
		}
		s := new(stream)
		err := s.extend(a)
		if err == nil && s.end() < s.alloc/c.g.cluster { // it has extents in other records
			if !c.afford(c.g.record) {
				return
			}
			s, err = c.load(no, tData, string(a.name))
		}
		if err == errFragments {
			c.leftOut(fragmented)
		}
		if err == nil {
			c.expandStream(no, a.label(), s, src, dst)
		}
	})
}

// expandStream expands every compression unit of a stream.
func (c *checker) expandStream(no uint64, label string, s *stream, src, dst []byte) {
	const unit = lznt1Unit
	end := min((min(s.size, s.init)+c.g.cluster-1)/c.g.cluster, s.end())
	cut := false // that a unit ends early was told
	for vcn, i := int64(0), 0; vcn < end && !c.stopped(); {
		for s.runs[i].vcn+s.runs[i].n <= vcn {
			i++
		}
		if r := s.runs[i]; r.vcn+r.n >= vcn+unit {
			vcn = (r.vcn + r.n) / unit * unit // a hole, or stored plain
			continue
		}
		n, msg := c.expandUnit(s, s.stored(i, vcn, unit), vcn, src, dst)
		if msg != "" {
			c.find("D2", no, label, "The contents of record %d do not decode at byte %d: %s.", no, vcn*c.g.cluster, msg)
			return
		}
		if want := min(unit*c.g.cluster, min(s.size, s.init)-vcn*c.g.cluster); n < want && !cut {
			c.findAs(Warning, "D2", no, label, "The compression unit of record %d at byte %d ends after %d of %d bytes: the others read as zeros.", no, vcn*c.g.cluster, n, want)
			cut = true
		}
		vcn += unit
	}
}

// expandUnit expands the compression unit at vcn, of which have clusters are
// there, and tells how many bytes it gives; one that is all there is stored plain.
func (c *checker) expandUnit(s *stream, have, vcn int64, src, dst []byte) (int64, string) {
	src = src[:have*c.g.cluster]
	if have == 0 || have == 16 || !c.afford(int64(len(src))) || c.read(s, src, vcn*c.g.cluster) != nil {
		return int64(len(dst)), ""
	}
	n, err := decomp.LZNT1(dst, src)
	if err != nil {
		return 0, err.Error()
	}
	return int64(n), ""
}

// stored counts the clusters that the unit at vcn has before its hole; runs
// before index i end before it.
func (s *stream) stored(i int, vcn, unit int64) (n int64) {
	for ; i < len(s.runs) && s.runs[i].vcn < vcn+unit; i++ {
		if s.runs[i].lcn < 0 {
			continue
		}
		n += min(vcn+unit, s.runs[i].vcn+s.runs[i].n) - max(vcn, s.runs[i].vcn)
	}
	return n
}
