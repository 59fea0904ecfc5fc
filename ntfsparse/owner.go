package ntfsparse

import (
	"context"
	"math"
	"slices"
	"sort"
)

// Owners maps clusters to the files that own them, in 16 bytes a run.
type Owners struct{ runs []owned }

type owned struct {
	lcn    uint64
	n      uint32
	record uint32
}

// maxOwned bounds the map: 512 MiB, enough for some 30 million runs.
const maxOwned = 1 << 25

// Owners makes the map of clusters, once: it scans the whole MFT.
func (v *Volume) Owners() (*Owners, error) { return v.owners.get(v.mapOwners) }

func (v *Volume) mapOwners() (*Owners, error) {
	o := &Owners{}
	if sp, err := v.Space(); err == nil { // most files have one run
		used := sp.Records - sp.FreeRecords
		o.runs = make([]owned, 0, min(used+used/8, maxOwned))
	}
	err := v.Scan(context.Background(), 0, func(n uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() || n > math.MaxUint32 {
			return nil
		}
		owner := n
		if base := rec.Base(); base != 0 {
			owner = base.Record()
		}
		if owner > math.MaxUint32 {
			return nil // an extension of nothing
		}
		return o.addRecord(v, rec, uint32(owner))
	})
	slices.SortFunc(o.runs, func(a, b owned) int { return compare(int64(a.lcn), int64(b.lcn)) })
	o.part()
	return o, err
}

// part cuts runs that lie upon each other, so that each cluster is in one.
func (o *Owners) part() {
	end, kept := uint64(0), o.runs[:0]
	for _, r := range o.runs {
		last := r.lcn + uint64(r.n)
		if last <= end {
			continue
		}
		if r.lcn < end {
			r.n, r.lcn = uint32(last-end), end
		}
		kept, end = append(kept, r), last
	}
	o.runs = kept
}

func (o *Owners) addRecord(v *Volume, rec *Record, owner uint32) error {
	for a, err := range rec.Attrs() {
		if err != nil || a.Resident() {
			continue
		}
		DecodeRuns(a.RunList(), a.LowVCN(), v.geo.maxVCN(), func(r Run) bool {
			for ; r.LCN != Hole && r.LCN <= v.geo.clusters-r.Len && r.Len > 0 && len(o.runs) < maxOwned; r.LCN, r.Len = r.LCN+math.MaxUint32, r.Len-math.MaxUint32 {
				o.runs = append(o.runs, owned{uint64(r.LCN), uint32(min(r.Len, math.MaxUint32)), owner})
			}
			return true
		})
	}
	if len(o.runs) >= maxOwned {
		return classf(ErrUnsupported, NoRecord, "volume has more than %d runs", maxOwned)
	}
	return nil
}

// Owner is the record of the file that owns a cluster, and the clusters from
// there on that it owns in one piece; ok is false when no file does. Of files
// that are cross-linked it finds one.
func (o *Owners) Owner(lcn int64) (record uint64, n int64, ok bool) {
	i := sort.Search(len(o.runs), func(i int) bool { return int64(o.runs[i].lcn) > lcn }) - 1
	if i < 0 {
		return 0, 0, false
	}
	r := o.runs[i]
	if n = int64(r.lcn) + int64(r.n) - lcn; n <= 0 {
		return 0, 0, false
	}
	return uint64(r.record), n, true
}
