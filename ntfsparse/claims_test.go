package ntfsparse

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestClaims compares with one cluster after the other.
func TestClaims(t *testing.T) {
	const clusters = 60
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var all []claimed
		owners := [clusters]map[uint64]bool{}
		for range rnd.IntN(8) {
			r := claimed{rnd.Int64N(clusters - 20), 1 + rnd.Int64N(20), rnd.Uint64N(4)}
			all = append(all, r)
			for i := r.lcn; i < r.lcn+r.n; i++ {
				if owners[i] == nil {
					owners[i] = map[uint64]bool{}
				}
				owners[i][r.record] = true
			}
		}
		slices.SortFunc(all, func(a, b claimed) int { return cmp.Compare(a.lcn, b.lcn) })
		shared, any := sharedOf(all), spansOf(all)
		from := rnd.Int64N(clusters)
		n := rnd.Int64N(clusters - from)
		var wantShared, wantAny, each int64
		for _, o := range owners[from : from+n] {
			if len(o) > 0 {
				wantAny++
			}
			if len(o) > 1 {
				wantShared++
			}
		}
		any.each(from, n, func(_, n int64) { each += n })
		if got := shared.count(from, n); got != wantShared || any.count(from, n) != wantAny || each != wantAny {
			t.Fatalf("%+v from %d, %d clusters: %d shared, want %d; %d of any, %d, want %d", all, from, n, got, wantShared, any.count(from, n), each, wantAny)
		}
	}
}

// TestDeletedUponEachOther: of deleted files with the same clusters nobody knows whose
// contents are there, and what files have that exist is not free, whatever $Bitmap says.
func TestDeletedUponEachOther(t *testing.T) {
	b := newRB(200, 4096, 1024, 64)
	b.root()
	lcn := b.alloc(20, nil)
	data := func(lcn, n int64) []byte {
		return b.nonres(TypeData, "", 0, 0, 0, n-1, runs(n, lcn), n*4096, n*4096, n*4096)
	}
	b.put(30, 1, 0, 0, b.si(0x20), b.fn(5, 5, "first", 3, 0), data(lcn, 4))
	b.put(31, 1, 0, 0, b.si(0x20), b.fn(5, 5, "second", 3, 0), data(lcn+3, 2))
	b.put(32, 1, 0, 0, b.si(0x20), b.fn(5, 5, "alone", 3, 0), data(lcn+8, 2))
	b.put(33, 1, 0, 0, b.si(0x20), b.fn(5, 5, "taken", 3, 0), data(lcn+12, 3))
	b.put(34, 1, FlagInUse, 0, b.si(0x20), b.fn(5, 5, "lives", 3, 0), data(lcn+14, 3))
	b.bitmap(func(int) bool { return false })
	v := b.open(t)
	want := map[string][3]int64{"/first": {4, 4, 1}, "/second": {2, 2, 1}, "/alone": {2, 2, 0}, "/taken": {3, 2, 0}}
	err := v.Deleted(t.Context(), func(d *DeletedFile) error {
		if got := [3]int64{d.Clusters, d.Free, d.Shared}; d.Err != nil || got != want[d.Path] {
			t.Errorf("%s: %v, want %v, %v", d.Path, got, want[d.Path], d.Err)
		}
		delete(want, d.Path)
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%v, not told: %v", err, want)
	}
	for n, can := range map[uint64]bool{30: true, 31: true, 32: true, 33: false} {
		if _, err := v.OpenDeleted(MakeRef(n, 1)); (err == nil) != can {
			t.Errorf("record %d: %v", n, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := b.open(t).Deleted(stopped, nil); err != context.Canceled {
		t.Error(err)
	}
}
