package ntfsparse

import (
	"math"
	"slices"
)

// mftMap is where the file records are.
type mftMap struct {
	mft     *Stream
	records uint64
	unsure  bool // the map may be wrong
	copied  bool // it is that of record 0's copy in the mirror, not of record 0
	sought  bool // extension records were found that the attribute list does not lead to
}

// openMFT finds all extents of $MFT, which maps itself: record 0 holds the
// first, and those in extension records are read through the ones before.
// Where record 0 is of no use, or its map leads to fewer file records than that
// of its copy in the mirror, the copy is taken; where the copy is not sound
// either, as much of the runs as there is.
func (v *Volume) openMFT() error {
	why := v.openMFTAt(v.boot.MFT, false)
	own := v.mftMap
	if v.openMFTAt(v.boot.Mirror, false) == nil && (why != nil || v.better(&v.mftMap, &own)) {
		v.copied = true
		v.note("The first record of $MFT is damaged; its copy in $MFTMirr was used.")
	} else if v.mftMap = own; why != nil && v.openMFTAt(v.boot.MFT, true) != nil {
		return why
	}
	if v.sought {
		v.note("The attribute list of $MFT is damaged; its extension records were found without it.")
	}
	if v.mft.bad != nil {
		v.note("$MFT cannot be read as a whole: %v.", v.mft.bad)
	}
	return nil
}

// better tells whether map a leads to more file records than b: where they differ,
// some records are looked at that should be there.
func (v *Volume) better(a, b *mftMap) bool {
	if a.records == b.records && slices.Equal(a.mft.runs.r, b.mft.runs.r) {
		return false
	}
	score, left := 0, 1024
	buf, size := make([]byte, v.boot.RecordSize), int64(v.boot.RecordSize)
	v.differences(a, b, func(vcn, clusters int64) bool {
		for at := vcn; at < vcn+clusters && left > 0; at += max(1, clusters/8) {
			n := uint64((at<<v.geo.shift + size - 1) / size)
			score += v.leads(a, n, buf) - v.leads(b, n, buf)
			left--
		}
		return left > 0
	})
	return score > 0
}

// leads is 1 when map m has record n in its place, otherwise 0.
func (v *Volume) leads(m *mftMap, n uint64, buf []byte) int {
	var rec Record
	if n < m.records && m.mft.readRuns(buf, int64(n)*int64(len(buf))) == nil && v.parseRecord(&rec, n, buf) == nil {
		return 1
	}
	return 0
}

// differences yields the clusters of the MFT that two maps of it have in different
// places, until yield returns false.
func (v *Volume) differences(a, b *mftMap, yield func(vcn, clusters int64) bool) {
	for vcn := int64(0); ; {
		from, end := v.place(a, vcn)
		other, otherEnd := v.place(b, vcn)
		end = min(end, otherEnd)
		if end == math.MaxInt64 || from != other && !yield(vcn, end-vcn) {
			return
		}
		vcn = end
	}
}

// place is where map m has VCN vcn, and the VCN up to which the clusters follow each
// other from there; behind the last record that is nowhere.
func (v *Volume) place(m *mftMap, vcn int64) (lcn, end int64) {
	last := (int64(m.records)*int64(v.boot.RecordSize) + v.geo.cluster - 1) >> v.geo.shift
	if vcn >= last {
		return -2, math.MaxInt64
	}
	r := m.mft.runs.At(m.mft.runs.Find(vcn))
	if lcn = r.LCN; lcn != Hole {
		lcn += vcn - r.VCN
	}
	return lcn, min(last, r.VCN+r.Len)
}
