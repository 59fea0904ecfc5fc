package check

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"sort"
)

const (
	mapWords = 4096 // of a page: 262,144 clusters
	mapPage  = mapWords * 64

	maxSpans  = 4096    // doubtful ranges of a kind whose owners are looked for
	maxShares = 1 << 15 // owners found of all ranges of a kind
	maxOwners = 1 << 10 // and of one
	maxLabels = 1000    // attributes' names that are kept with them
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
	spent    bool  // more should have been, in this or another zone
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
		m.spent = true
		return 0
	}
	for lcn < end {
		w, bit := m.word(lcn), uint(lcn-m.from)&63
		k := min(64-int64(bit), end-lcn)
		mask := ^uint64(0) >> (64 - uint(k)) << bit
		if both := *w & mask; both != 0 {
			doubled += int64(bits.OnesCount64(both))
			if at := lcn - int64(bit); twice != nil {
				stretches(both, func(k, n int64) { twice(at+k, n) })
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
	shares []share
	open   int // the first range from this on that takes more owners, or one before it
}

func (s *span) end() int64 { return s.lcn + s.n }

// share is what an attribute owns of a doubtful range.
type share struct {
	lcn, n int64
	rec    uint64 // the file
	label  string
}

func (s *share) end() int64 { return s.lcn + s.n }

// listsBad reports whether it is the list of bad clusters.
func (s share) listsBad() bool { return s.rec == fBadClus && s.label != "$DATA" }

// spans collects doubtful ranges of one kind, neighbours and what is told twice as
// one, up to maxSpans.
type spans struct {
	list   []span
	more   int64 // clusters that did not fit, perhaps some of them twice
	frozen bool  // full, and in order
	shares int   // of all ranges
}

func (s *spans) add(lcn, n int64) {
	if k := len(s.list) - 1; k >= 0 && lcn >= s.list[k].lcn && lcn <= s.list[k].end() {
		s.list[k].n = max(s.list[k].n, lcn+n-s.list[k].lcn)
		return
	}
	if len(s.list) >= maxSpans && !s.frozen {
		s.merge()
		s.frozen = len(s.list) > maxSpans*7/8 // else there is room for many before the next time
	}
	if !s.frozen {
		s.list = append(s.list, span{lcn: lcn, n: n})
	} else if i := s.find(lcn); i == len(s.list) || s.list[i].lcn > lcn || s.list[i].end() < lcn+n {
		s.more += n
	}
}

// merge puts the ranges in order and joins those that meet.
func (s *spans) merge() {
	slices.SortFunc(s.list, func(a, b span) int { return cmp.Compare(a.lcn, b.lcn) })
	out := s.list[:0]
	for _, x := range s.list {
		if k := len(out) - 1; k >= 0 && x.lcn <= out[k].end() {
			out[k].n = max(out[k].n, x.end()-out[k].lcn)
			continue
		}
		x.open = len(out)
		out = append(out, x)
	}
	s.list = out
}

// find is the first range, of merged ones, that ends behind lcn.
func (s *spans) find(lcn int64) int {
	return sort.Search(len(s.list), func(i int) bool { return s.list[i].end() > lcn })
}

// next is the first range from i on that takes more owners, so that a run that has
// many of them to itself does not look at those that are full.
func (s *spans) next(i int) int {
	if s.shares >= maxShares {
		return len(s.list)
	}
	for i < len(s.list) && s.list[i].open != i {
		j := s.list[i].open
		if j < len(s.list) {
			s.list[i].open = s.list[j].open
		}
		i = j
	}
	return i
}

// claim notes what a run of an attribute owns of the ranges.
func (s *spans) claim(r run, rec uint64, label func() string) {
	for i := s.next(s.find(r.lcn)); i < len(s.list) && s.list[i].lcn < r.lcn+r.n; i = s.next(i + 1) {
		x := &s.list[i]
		from, to := max(x.lcn, r.lcn), min(x.end(), r.lcn+r.n)
		x.shares = append(x.shares, share{from, to - from, rec, label()})
		if s.shares++; len(x.shares) >= maxOwners {
			x.open = i + 1
		}
	}
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
	c.start("clusters", (c.g.clusters+7)/8)
	for !c.stopped() {
		c.rep.Counts.OwnedClusters += c.owned.n
		if err == nil {
			err = c.compareZone(s)
		}
		if c.owned.to >= c.g.clusters {
			break
		}
		c.nextZone()
	}
	if err == nil {
		c.padding(s)
	}
	if c.owned.spent {
		c.leftOut("runs, which together are far longer than the volume")
	} else {
		c.reportUnowned()
	}
	c.reportSpans()
}

// nextZone marks the clusters of the next zone in another pass.
func (c *checker) nextZone() {
	c.owned.reset(c.owned.to, c.g.clusters)
	done := c.done
	c.start("file records again", int64(c.records)*c.g.record)
	c.eachRun(c.advance, func(_ uint64, _ *attr, r run) {
		c.owned.mark(r.lcn, r.n, c.doubled.add)
	})
	c.done = done
}

// eachRun visits every run of every record in use, as far as they decode.
func (c *checker) eachRun(read func(n int64), do func(no uint64, a *attr, r run)) {
	c.walkTable(read, func(no uint64, b []byte) {
		if e := c.table.peek(no); b == nil || e == nil || e.flags&recUsed == 0 || fixup(b, headOld) != "" {
			return
		}
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
func (c *checker) compareZone(s *stream) error {
	buf := make([]byte, 64<<10)
	for lcn := c.owned.from; lcn < c.owned.to && !c.stopped(); lcn += int64(len(buf)) * 8 {
		n := min(int64(len(buf)), (c.owned.to-lcn+7)/8)
		p := buf[:(n+7)&^7]
		clear(p)
		if err := c.readValid(s, p[:n], lcn/8); err != nil {
			c.find("C7", fBitmap, "$DATA", "The cluster bitmap cannot be read at byte %d: %v.", lcn/8, err)
			return err
		}
		c.compareWords(p, lcn)
		c.advance(n)
	}
	return nil
}

func (c *checker) compareWords(p []byte, lcn int64) {
	for ; len(p) > 0 && lcn < c.owned.to; p, lcn = p[8:], lcn+64 {
		have, own := le.Uint64(p), c.owned.peek(lcn)
		if rest := c.owned.to - lcn; rest < 64 {
			have &= 1<<rest - 1
		}
		c.rep.Volume.UsedClusters += int64(bits.OnesCount64(have))
		if have == own {
			continue
		}
		stretches(own&^have, func(at, n int64) { c.unmarked.add(lcn+at, n) })
		stretches(have&^own, func(at, n int64) { c.unowned.add(lcn+at, n) })
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
	if c.g.clusters&7 == 0 || c.readValid(s, b[:], c.g.clusters/8) != nil {
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
func (c *checker) reportSpans() {
	if len(c.doubled.list)+len(c.unmarked.list) == 0 {
		return
	}
	c.doubled.merge()
	c.unmarked.merge()
	c.start("owners of clusters", int64(c.records)*c.g.record)
	labels := map[labelKey]string{}
	c.eachRun(c.advance, func(no uint64, a *attr, r run) {
		label := func() string { return keepLabel(labels, a) }
		c.doubled.claim(r, c.base(no), label)
		c.unmarked.claim(r, c.base(no), label)
	})
	rest := c.doubled.more
	for i := range c.doubled.list {
		rest += c.reportDoubled(&c.doubled.list[i])
	}
	if rest > 0 {
		c.find("C1", NoRecord, "", "Further clusters belong to two files.")
	}
	rest = c.unmarked.more
	for i := range c.unmarked.list {
		rest += c.reportUnmarked(&c.unmarked.list[i])
	}
	if rest > 0 {
		c.find("C2", NoRecord, "", "A further %d clusters belong to files but are marked free.", rest)
	}
}

type labelKey struct {
	typ  uint32
	name string
}

// keepLabel names an attribute, and when very many have names its type alone.
func keepLabel(labels map[labelKey]string, a *attr) string {
	s, ok := labels[labelKey{a.typ, string(a.name)}]
	if !ok {
		if len(labels) >= maxLabels {
			return attrName(a.typ, nil)
		}
		s = a.label()
		labels[labelKey{a.typ, string(a.name)}] = s
	}
	return s
}

// base is the file that record no belongs to.
func (c *checker) base(no uint64) uint64 {
	if e := c.table.peek(no); e != nil && e.flags&recExt != 0 {
		return refRecord(e.parent)
	}
	return no
}

// reportDoubled tells of each owner of a range with whom it shares clusters, and
// returns how many clusters have no two owners that are known.
func (c *checker) reportDoubled(s *span) (rest int64) {
	slices.SortStableFunc(s.shares, func(a, b share) int { return cmp.Compare(a.lcn, b.lcn) })
	s.shares = pairsAtMost(s.shares)
	told := s.lcn
	rest = s.n
	overlaps(s.shares, func(_, _ *share, lcn, n int64) {
		rest -= max(0, lcn+n-max(told, lcn))
		told = max(told, lcn+n)
	})
	files := s.shares
	if i := slices.IndexFunc(files, share.listsBad); i >= 0 {
		c.reportBad(files)
		files = slices.DeleteFunc(slices.Clone(files), share.listsBad)
	}
	overlaps(files, c.shared)
	return rest
}

// pairsAtMost leaves of equal shares two, which are enough to tell of.
func pairsAtMost(shares []share) []share {
	kept := shares[:0]
	for _, x := range shares {
		if n := len(kept); n < 2 || kept[n-1] != x || kept[n-2] != x {
			kept = append(kept, x)
		}
	}
	return kept
}

// overlaps calls do for each share but the first that has clusters in common with
// one before it, which is one that reaches farthest: it has what any of them has.
func overlaps(shares []share, do func(a, b *share, lcn, n int64)) {
	far := 0
	for i := range shares {
		a, x := &shares[far], &shares[i]
		if n := min(a.end(), x.end()) - x.lcn; i > 0 && n > 0 {
			do(a, x, x.lcn, n)
		}
		if x.end() > a.end() {
			far = i
		}
	}
}

// reportBad reports clusters that files share with the list of bad clusters.
func (c *checker) reportBad(shares []share) {
	for _, bad := range shares {
		for _, x := range shares {
			lcn := max(x.lcn, bad.lcn)
			if n := min(x.end(), bad.end()) - lcn; n > 0 && bad.listsBad() && !x.listsBad() {
				c.find("C5", x.rec, x.label, "Clusters %s belong to a file and are known to be bad.", place(lcn, n))
			}
		}
	}
}

// shared reports clusters that two attributes own.
func (c *checker) shared(a, b *share, lcn, n int64) {
	if a.rec == b.rec && a.label == b.label {
		c.find("C1", a.rec, a.label, "Clusters %s belong to %s of record %d twice.", place(lcn, n), a.label, a.rec)
		return
	}
	kept := len(c.rep.Findings)
	c.find("C1", a.rec, a.label, "Clusters %s belong to %s of record %d and to %s of record %d.", place(lcn, n), a.label, a.rec, b.label, b.rec)
	if len(c.rep.Findings) > kept && a.rec != b.rec {
		c.also[kept] = b.rec
	}
}

// reportUnmarked tells each owner of a range, and returns how many clusters have
// none that is known.
func (c *checker) reportUnmarked(s *span) (rest int64) {
	slices.SortStableFunc(s.shares, func(a, b share) int { return cmp.Compare(a.lcn, b.lcn) })
	told := s.lcn
	rest = s.n
	for _, x := range slices.CompactFunc(s.shares, func(a, b share) bool { return a == b }) {
		c.find("C2", x.rec, x.label, "Clusters %s belong to record %d but are marked free: the next write can destroy them.", place(x.lcn, x.n), x.rec)
		rest -= max(0, x.end()-max(told, x.lcn))
		told = max(told, x.end())
	}
	return rest
}

func place(lcn, n int64) string {
	if n == 1 {
		return fmt.Sprint(lcn)
	}
	return fmt.Sprintf("%d to %d", lcn, lcn+n-1)
}

// places judges where the system files that cannot move are.
func (c *checker) places() {
	for _, p := range []struct {
		no  uint64
		lcn int64
	}{{fMFT, c.g.mft}, {fMirror, c.g.mirror}, {fBoot, 0}} {
		s, err := &c.mft, error(nil) // though its attribute list may be damaged
		if p.no != fMFT {
			s, err = c.load(p.no, tData, "")
		}
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
