package ntfsparse

import (
	"math"
	"sort"
)

// Hole is the LCN of a run that has no clusters.
const Hole = -1

// Run is a piece of a stream: Len clusters from VCN on lie at LCN, or nowhere.
type Run struct {
	VCN, LCN, Len int64
}

// DecodeRuns decodes a run list whose first run is at VCN low and yields its
// runs until yield returns false.
//
// Each run is a header byte (low nibble: size of the length, high nibble:
// size of the offset), the length in clusters, and the signed distance of
// its LCN from the run's before; without an offset it is a hole. A zero byte
// ends the list. The sum of lengths cannot pass limit clusters.
func DecodeRuns(b []byte, low, limit int64, yield func(Run) bool) error {
	vcn, lcn := low, int64(0)
	for i := 0; i < len(b) && b[i] != 0; {
		n, o := int(b[i]&15), int(b[i]>>4)
		if n == 0 || n > 8 || o > 8 || n+o > len(b)-i-1 {
			return corrupt("run list has an impossible run header", i)
		}
		length := signed(b[i+1 : i+1+n])
		if length <= 0 || length > limit-vcn {
			return corrupt("run has an impossible length", i)
		}
		run := Run{vcn, Hole, length}
		if o > 0 {
			delta := signed(b[i+1+n : i+1+n+o])
			if delta > 0 && lcn > math.MaxInt64-delta || delta < 0 && lcn < math.MinInt64-delta {
				return corrupt("run has an impossible LCN", i)
			}
			if lcn += delta; lcn < Hole { // NT 3 and 4 wrote holes as LCN -1
				return corrupt("run has a negative LCN", i)
			}
			run.LCN = lcn
		}
		if !yield(run) {
			return nil
		}
		vcn += length
		i += 1 + n + o
	}
	return nil
}

// runsEnd is the length of a run list with its end mark, as far as it can be told.
func runsEnd(b []byte) int {
	i := 0
	for i < len(b) && b[i] != 0 {
		i += 1 + int(b[i]&15) + int(b[i]>>4)
	}
	return min(i+1, len(b))
}

func signed(b []byte) int64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(v<<shift) >> shift
}

// Runs maps a stream's clusters from VCN 0 on, without gaps. Neighbouring
// runs are joined.
type Runs struct {
	r   []vrun
	end int64 // first VCN behind the map
}

type vrun struct{ vcn, lcn int64 }

// Len is the number of runs, End the first VCN behind the last.
func (m *Runs) Len() int { return len(m.r) }

// End is the first VCN that is not mapped.
func (m *Runs) End() int64 { return m.end }

// At is run i.
func (m *Runs) At(i int) Run {
	end := m.end
	if i+1 < len(m.r) {
		end = m.r[i+1].vcn
	}
	return Run{m.r[i].vcn, m.r[i].lcn, end - m.r[i].vcn}
}

// Find is the index of the run that holds vcn, which must be in [0, End).
func (m *Runs) Find(vcn int64) int {
	return sort.Search(len(m.r), func(i int) bool { return m.r[i].vcn > vcn }) - 1
}

// next gives the end of the hole or of the clusters at vcn, where holes begin and
// end at multiples of grain.
func (m *Runs) next(vcn, grain int64) (end int64, hole bool) {
	for i := m.Find(vcn); i < len(m.r); i++ {
		run := m.At(i)
		if run.LCN != Hole {
			continue
		}
		from, to := (run.VCN+grain-1)/grain*grain, (run.VCN+run.Len)/grain*grain
		switch {
		case from <= vcn && vcn < to:
			return to, true
		case vcn < from && from < to:
			return from, false
		}
	}
	return m.end, false
}

// add appends a run that must follow the last one.
func (m *Runs) add(r Run) error {
	if r.VCN != m.end {
		return corruptf("extents leave a gap or overlap at VCN %d", min(r.VCN, m.end))
	}
	m.end += r.Len
	if n := len(m.r); n > 0 && m.r[n-1].follows(r) {
		return nil
	}
	if len(m.r) >= maxRuns {
		return classf(ErrUnsupported, NoRecord, "stream has more than %d runs", maxRuns)
	}
	m.r = append(m.r, vrun{r.VCN, r.LCN})
	return nil
}

// cut ends the map at a VCN.
func (m *Runs) cut(end int64) {
	for len(m.r) > 0 && m.r[len(m.r)-1].vcn >= end {
		m.r = m.r[:len(m.r)-1]
	}
	m.end = min(m.end, end)
}

func (v vrun) follows(r Run) bool {
	if v.lcn == Hole || r.LCN == Hole {
		return v.lcn == r.LCN
	}
	return r.LCN-v.lcn == r.VCN-v.vcn
}

// addExtent appends the runs of one attribute extent, inside a volume of so
// many clusters: none when its run list is damaged or does not end where the
// attribute does, since then nobody knows which of its runs are right.
func (m *Runs) addExtent(a Attr, geo geometry) error {
	runs, end := len(m.r), m.end
	usable, err := m.decodeExtent(a, geo)
	if !usable {
		m.r, m.end = m.r[:runs], end
	}
	return err
}

// decodeExtent appends the runs of an extent up to the first that cannot be. They
// are usable when the run list as a whole agrees with the attribute.
func (m *Runs) decodeExtent(a Attr, geo geometry) (usable bool, err error) {
	if a.Resident() {
		return false, corrupt("an extent of the stream has its bytes in the record, where others have runs", a.Off)
	}
	end := a.LowVCN()
	var bad error
	err = DecodeRuns(a.RunList(), a.LowVCN(), geo.maxVCN(), func(r Run) bool {
		end += r.Len
		if bad == nil && r.LCN != Hole && r.LCN > geo.clusters-r.Len {
			bad = corruptf("run at LCN %d of %d clusters lies beyond the volume", r.LCN, r.Len)
		}
		if bad == nil {
			bad = m.add(r)
		}
		return true
	})
	if err == nil && !a.endsAt(end, geo) {
		err = corruptf("run list ends at VCN %d, the attribute at %d", end, a.HighVCN()+1)
	}
	if err != nil {
		return false, err
	}
	return true, bad
}

// endsAt tells whether an extent's run list may end before VCN end. Of the only
// extent of a stream the allocated size tells, too: the highest VCN may be 0, or wrong.
func (a Attr) endsAt(end int64, geo geometry) bool {
	return end == a.HighVCN()+1 || a.LowVCN() == 0 && end == a.Alloc()>>geo.shift
}

// geometry is what decoding runs needs to know of the volume.
type geometry struct {
	cluster  int64 // bytes
	shift    uint  // log2 of cluster
	clusters int64
}

// maxVCN keeps every byte offset inside int64.
func (g geometry) maxVCN() int64 { return math.MaxInt64 >> g.shift }
