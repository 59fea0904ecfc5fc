package check

import (
	"fmt"
	"math/bits"
	"sort"
)

const (
	mapWords = 4096 // of a page: 262,144 clusters
	mapPage  = mapWords * 64

	maxSpans  = 4096 // doubtful ranges of a code whose owners are looked for
	maxOwners = 8    // of one range
)

// mapBytes bounds the map of clusters in use: 64 MiB, for 2 TiB of clusters of
// 4 KiB. The clusters behind are compared in further passes over the file table.
// (Tests make it smaller.)
var mapBytes int64 = 64 << 20

// clusterMap has a bit for each cluster of a zone of the volume.
type clusterMap struct {
	from, to int64
	pages    []*[mapWords]uint64
	work     int64 // clusters that may still be marked
	n        int64 // set
}

// reset makes an empty map of the zone that starts at from.
func (m *clusterMap) reset(from, clusters int64) {
	m.from, m.to = from, min(clusters, from+mapBytes*8)
	m.pages, m.n = make([]*[mapWords]uint64, (m.to-m.from+mapPage-1)/mapPage), 0
	// Sound run lists mark each cluster once; four times the volume is patience
	// enough with others.
	m.work = 4*(m.to-m.from) + 1<<20
}

// mark sets clusters [lcn, lcn+n) as far as they lie in the zone and returns how
// many were set before; twice is called with each stretch of those.
func (m *clusterMap) mark(lcn, n int64, twice func(lcn, n int64)) (doubled int64) {
	end := min(lcn+n, m.to)
	lcn = max(lcn, m.from)
	if m.work -= max(0, end-lcn); m.work < 0 {
		return 0
	}
	for lcn < end {
		w, bit := m.word(lcn), uint(lcn-m.from)&63
		k := min(64-int64(bit), end-lcn)
		mask := ^uint64(0) >> (64 - uint(k)) << bit
		if both := *w & mask; both != 0 {
			doubled += int64(bits.OnesCount64(both))
			if twice != nil {
				twice(lcn-int64(bit)+int64(bits.TrailingZeros64(both)), int64(bits.Len64(both)-bits.TrailingZeros64(both)))
			}
		}
		m.n += int64(bits.OnesCount64(mask &^ *w))
		*w |= mask
		lcn += k
	}
	return doubled
}

// word returns the word of cluster lcn of the zone.
func (m *clusterMap) word(lcn int64) *uint64 {
	i := lcn - m.from
	p := &m.pages[i/mapPage]
	if *p == nil {
		*p = new([mapWords]uint64)
	}
	return &(*p)[i%mapPage/64]
}

// peek returns the word of cluster lcn without making a page.
func (m *clusterMap) peek(lcn int64) uint64 {
	i := lcn - m.from
	if p := m.pages[i/mapPage]; p != nil {
		return p[i%mapPage/64]
	}
	return 0
}

// span is a doubtful range of clusters.
type span struct {
	lcn, n int64
	code   string
	owners []owner
}

type owner struct {
	rec   uint64
	label string
	vcn   int64
}

// spans collects doubtful ranges, joining neighbours, up to maxSpans of a code.
type spans struct {
	list []span
	kept map[string]int   // ranges in list, by code
	more map[string]int64 // clusters that did not fit, by code
}

func (s *spans) add(code string, lcn, n int64) {
	if k := len(s.list); k > 0 && s.list[k-1].code == code && s.list[k-1].lcn+s.list[k-1].n == lcn {
		s.list[k-1].n += n
		return
	}
	if s.kept == nil {
		s.kept, s.more = map[string]int{}, map[string]int64{}
	}
	if s.kept[code] >= maxSpans {
		s.more[code] += n
		return
	}
	s.kept[code]++
	s.list = append(s.list, span{code: code, lcn: lcn, n: n})
}

// clusters compares the clusters that run lists own with $Bitmap, zone by zone,
// and names the owners of what is doubtful.
func (c *checker) clusters() {
	s, err := c.load(fBitmap, tData, "")
	if err == nil && s.size < (c.g.clusters+7)/8 {
		err = fmt.Errorf("it covers %d of %d clusters", s.size*8, c.g.clusters)
	}
	if err != nil {
		c.find("C7", fBitmap, "$DATA", "The cluster bitmap cannot be used: %v.", err)
	}
	c.places()
	bad := c.doubled
	c.start("clusters", (c.g.clusters+7)/8)
	for !c.stopped() {
		c.rep.Counts.OwnedClusters += c.owned.n
		if err == nil {
			err = c.compareZone(s, &bad)
		}
		if c.owned.to >= c.g.clusters {
			break
		}
		c.nextZone(&bad)
	}
	if err == nil {
		c.padding(s)
	}
	c.reportUnowned()
	c.reportSpans(&bad)
}

// nextZone marks the clusters of the next zone in another pass.
func (c *checker) nextZone(bad *spans) {
	c.owned.reset(c.owned.to, c.g.clusters)
	done := c.done
	c.start("file records again", int64(c.records)*c.g.record)
	c.eachRun(c.advance, func(_ uint64, _ *attr, r run) {
		c.owned.mark(r.lcn, r.n, func(lcn, n int64) { bad.add("C1", lcn, n) })
	})
	c.done = done
}

// eachRun visits every run of every record in use, as far as they decode.
func (c *checker) eachRun(read func(n int64), do func(no uint64, a *attr, r run)) {
	c.walkTable(read, func(no uint64, b []byte) {
		if e := c.table.peek(no); b == nil || e == nil || e.flags&recUsed == 0 {
			return
		}
		fixup(b, headOld)
		each(b, func(a *attr) bool {
			rr := runReader{b: a.pairs, vcn: a.lowest}
			for a.nonRes {
				r, ok, _ := rr.next()
				if !ok {
					break
				}
				if r.lcn >= 0 && r.lcn < c.g.clusters {
					r.n = min(r.n, c.g.clusters-r.lcn)
					do(no, a, r)
				}
			}
			return true
		})
	})
}

// compareZone compares a zone of the bitmap with its owners.
func (c *checker) compareZone(s *stream, bad *spans) error {
	buf := make([]byte, 64<<10)
	for lcn := c.owned.from; lcn < c.owned.to && !c.stopped(); lcn += int64(len(buf)) * 8 {
		n := min(int64(len(buf)), (c.owned.to-lcn+7)/8)
		p := buf[:(n+7)&^7]
		clear(p)
		if err := c.read(s, p[:n], lcn/8); err != nil {
			c.find("C7", fBitmap, "$DATA", "The cluster bitmap cannot be read at byte %d: %v.", lcn/8, err)
			return err
		}
		c.compareWords(p, lcn, bad)
		c.advance(n)
	}
	return nil
}

func (c *checker) compareWords(p []byte, lcn int64, bad *spans) {
	for ; len(p) > 0 && lcn < c.owned.to; p, lcn = p[8:], lcn+64 {
		have, own := le.Uint64(p), c.owned.peek(lcn)
		if rest := c.owned.to - lcn; rest < 64 {
			have &= 1<<rest - 1
		}
		c.rep.Volume.UsedClusters += int64(bits.OnesCount64(have))
		if have == own {
			continue
		}
		stretches(own&^have, func(at, n int64) { bad.add("C2", lcn+at, n) })
		stretches(have&^own, func(at, n int64) { c.unowned.add("C3", lcn+at, n) })
		c.rep.Counts.UnownedClusters += int64(bits.OnesCount64(have &^ own))
	}
}

// stretches calls do with each stretch of set bits in w.
func stretches(w uint64, do func(at, n int64)) {
	for at := int64(0); w != 0; {
		z := bits.TrailingZeros64(w)
		k := bits.TrailingZeros64(^(w >> z))
		do(at+int64(z), int64(k))
		if z+k >= 64 {
			return
		}
		w, at = w>>(z+k), at+int64(z+k)
	}
}

// padding looks at the bits behind the volume's end, which should be set.
func (c *checker) padding(s *stream) {
	var b [1]byte
	if c.g.clusters&7 == 0 || c.read(s, b[:], c.g.clusters/8) != nil {
		return
	}
	if b[0]>>(c.g.clusters&7) != 0xff>>(c.g.clusters&7) {
		c.find("C4", fBitmap, "$DATA", "Bits behind the volume's end are clear in the cluster bitmap.")
	}
}

func (c *checker) reportUnowned() {
	u := c.unowned
	if len(u.list) == 0 {
		return
	}
	c.find("C3", fBitmap, "$DATA", "%d clusters are marked used but belong to no file, the first at cluster %d (%d).",
		c.rep.Counts.UnownedClusters, u.list[0].lcn, u.list[0].n)
}

// reportSpans finds the owners of doubtful ranges in one more pass and reports.
func (c *checker) reportSpans(bad *spans) {
	if len(bad.list) == 0 {
		return
	}
	list := bad.list
	sort.Slice(list, func(i, j int) bool { return list[i].lcn < list[j].lcn })
	c.start("owners of clusters", int64(c.records)*c.g.record)
	c.eachRun(c.advance, func(no uint64, a *attr, r run) {
		i := sort.Search(len(list), func(i int) bool { return list[i].lcn+list[i].n > r.lcn })
		for ; i < len(list) && list[i].lcn < r.lcn+r.n; i++ {
			if len(list[i].owners) < maxOwners {
				list[i].owners = append(list[i].owners, owner{c.base(no), a.label(), r.vcn})
			}
		}
	})
	for i := range list {
		c.reportSpan(&list[i])
	}
	if n := bad.more["C1"]; n > 0 {
		c.find("C1", NoRecord, "", "A further %d clusters belong to two files.", n)
	}
	if n := bad.more["C2"]; n > 0 {
		c.find("C2", NoRecord, "", "A further %d clusters belong to files but are marked free.", n)
	}
}

// base is the file that record no belongs to.
func (c *checker) base(no uint64) uint64 {
	if e := c.table.peek(no); e != nil && e.flags&recExt != 0 {
		return refRecord(e.parent)
	}
	return no
}

func (c *checker) reportSpan(s *span) {
	if len(s.owners) == 0 {
		return
	}
	a := s.owners[0]
	if s.code == "C2" {
		c.find("C2", a.rec, a.label, "Clusters %s belong to record %d but are marked free: the next write can destroy them.", s.place(), a.rec)
		return
	}
	b := s.owners[len(s.owners)-1]
	for i, o := range s.owners {
		if o.rec == fBadClus && o.label != "$DATA" {
			c.find("C5", s.owners[(i+1)%len(s.owners)].rec, "", "Clusters %s belong to a file and are known to be bad.", s.place())
			return
		}
	}
	c.find("C1", a.rec, a.label, "Clusters %s belong to %s of record %d and to %s of record %d (%s).",
		s.place(), a.label, a.rec, b.label, b.rec, c.path(b.rec))
}

func (s *span) place() string {
	if s.n == 1 {
		return fmt.Sprint(s.lcn)
	}
	return fmt.Sprintf("%d to %d", s.lcn, s.lcn+s.n-1)
}

// places judges where the system files that cannot move are.
func (c *checker) places() {
	for _, p := range []struct {
		no  uint64
		lcn int64
	}{{fMFT, c.g.mft}, {fMirror, c.g.mirror}, {fBoot, 0}} {
		s, err := c.load(p.no, tData, "")
		if err != nil || s.resident || len(s.runs) == 0 {
			c.find("C6", p.no, "$DATA", "The system file %s has no clusters.", systemNames[p.no])
			continue
		}
		if s.runs[0].lcn != p.lcn {
			c.find("C6", p.no, "$DATA", "The system file %s starts at cluster %d instead of %d.", systemNames[p.no], s.runs[0].lcn, p.lcn)
		}
	}
	if s, err := c.load(fBadClus, tData, nameBad); err == nil && !s.resident && max(s.end()-c.g.clusters, c.g.clusters-s.end()) > 1 && s.size != 0 {
		c.find("B4", fBadClus, "$DATA:$Bad", "The boot sector has %d clusters, the list of bad clusters %d.", c.g.clusters, s.end())
	} else if err == nil {
		if n := s.real(c.g.clusters); n > 0 {
			c.find("V9", fBadClus, "$DATA:$Bad", "The volume has %d bad clusters.", n)
		}
	}
}
