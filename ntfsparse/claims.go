package ntfsparse

import (
	"cmp"
	"context"
	"slices"
	"sort"
)

// claims are the clusters of deleted files that others have as well.
type claims struct {
	shared spans // with other deleted files: nobody knows whose contents are in them
	taken  spans // with files that exist, whatever $Bitmap says
}

// claimed is a run of a deleted file.
type claimed struct {
	lcn, n int64
	record uint64
}

// maxClaims bounds the runs of deleted files that are compared: 24 MiB.
const maxClaims = 1 << 20

// claims are found out once: two scans of the MFT.
func (v *Volume) claims(ctx context.Context) (*claims, error) {
	return v.claimed.get(func() (*claims, error) { return v.findClaims(ctx) })
}

func (v *Volume) findClaims(ctx context.Context) (*claims, error) {
	var all []claimed
	err := v.eachRun(ctx, false, func(record uint64, r Run) bool {
		all = append(all, claimed{r.LCN, r.Len, record})
		return len(all) < maxClaims
	})
	if err != nil || len(all) == 0 {
		return &claims{}, err
	}
	full := len(all) >= maxClaims
	slices.SortFunc(all, func(a, b claimed) int { return cmp.Compare(a.lcn, b.lcn) })
	c := &claims{shared: sharedOf(all)}
	any := spansOf(all)
	err = v.eachRun(ctx, true, func(_ uint64, r Run) bool {
		any.each(r.LCN, r.Len, func(lcn, n int64) { c.taken = append(c.taken, span{lcn: lcn, n: n}) })
		return len(c.taken) < maxClaims
	})
	if full = full || len(c.taken) >= maxClaims; full {
		v.note("There are more deleted files than are compared with others.")
	}
	c.taken.merge()
	return c, err
}

// eachRun yields the runs of files that exist, or of those that do not, until yield
// returns false.
func (v *Volume) eachRun(ctx context.Context, live bool, yield func(record uint64, r Run) bool) error {
	more := true
	return v.Scan(ctx, 0, func(n uint64, rec *Record, err error) error {
		if err != nil || rec.InUse() != live || !more {
			return nil
		}
		if base := rec.Base(); base != 0 {
			n = base.Record()
		}
		for a, err := range rec.Attrs() {
			if err != nil || a.Resident() {
				continue
			}
			DecodeRuns(a.RunList(), a.LowVCN(), v.geo.maxVCN(), func(r Run) bool {
				if r.LCN != Hole && r.LCN <= v.geo.clusters-r.Len {
					more = yield(n, r)
				}
				return more
			})
		}
		return nil
	})
}

// sharedOf are the clusters that runs of different files have; they are sorted.
func sharedOf(all []claimed) (s spans) {
	var far claimed // of the runs so far, the one that ends last
	for _, r := range all {
		end := far.lcn + far.n
		if r.lcn < end && r.record != far.record {
			s = append(s, span{lcn: r.lcn, n: min(end, r.lcn+r.n) - r.lcn})
		}
		if r.lcn+r.n > end {
			far = r
		}
	}
	s.merge()
	return s
}

func spansOf(all []claimed) spans {
	s := make(spans, len(all))
	for i, r := range all {
		s[i] = span{lcn: r.lcn, n: r.n}
	}
	s.merge()
	return s
}

// span is n clusters from lcn on; before is the sum of those before it.
type span struct{ lcn, n, before int64 }

// spans do not lie upon each other, and are sorted, once they are merged.
type spans []span

func (s *spans) merge() {
	slices.SortFunc(*s, func(a, b span) int { return cmp.Compare(a.lcn, b.lcn) })
	kept := (*s)[:0]
	for _, r := range *s {
		if k := len(kept) - 1; k >= 0 && r.lcn <= kept[k].lcn+kept[k].n {
			kept[k].n = max(kept[k].n, r.lcn+r.n-kept[k].lcn)
			continue
		}
		kept = append(kept, r)
	}
	for i := 1; i < len(kept); i++ {
		kept[i].before = kept[i-1].before + kept[i-1].n
	}
	*s = kept
}

// each calls do for what of n clusters from lcn on is in s.
func (s spans) each(lcn, n int64, do func(lcn, n int64)) {
	i := sort.Search(len(s), func(i int) bool { return s[i].lcn+s[i].n > lcn })
	for ; i < len(s) && s[i].lcn < lcn+n; i++ {
		from, to := max(lcn, s[i].lcn), min(lcn+n, s[i].lcn+s[i].n)
		do(from, to-from)
	}
}

// count is how many of n clusters from lcn on are in s.
func (s spans) count(lcn, n int64) int64 { return s.below(lcn+n) - s.below(lcn) }

// below is how many clusters before lcn are in s.
func (s spans) below(lcn int64) int64 {
	i := sort.Search(len(s), func(i int) bool { return s[i].lcn >= lcn }) - 1
	if i < 0 {
		return 0
	}
	return s[i].before + min(s[i].n, lcn-s[i].lcn)
}
