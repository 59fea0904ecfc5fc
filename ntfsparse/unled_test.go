package ntfsparse

import "testing"

// TestLookupLostDamaged: a file that is damaged is found by its path, a sound one of the
// same spelling rather; what has no record is not.
func TestLookupLostDamaged(t *testing.T) {
	b := newRB(400, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(36, 1), fnv(5, 5, "gone", 3, 0)))
	b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "whole", 3, 0), b.res(TypeData, "", 0, nil))
	b.put(31, 1, 1, 0, b.fn(5, 5, "without standard information", 3, 0), b.res(TypeData, "", 0, nil))
	b.put(32, 1, 1, 0, b.fn(5, 5, "two", 3, 0), b.res(TypeData, "", 0, nil))
	b.put(33, 1, 1, 0, b.si(0x20), b.fn(5, 5, "two", 3, 0), b.res(TypeData, "", 0, nil))
	b.put(34, 1, 1, 0, b.fn(5, 5, "Case", 3, 0), b.res(TypeData, "", 0, nil))
	b.put(35, 1, 1, 0, b.si(0x20), b.fn(5, 5, "case", 3, 0), b.res(TypeData, "", 0, nil))
	copy(b.img[b.off(36):], "noise")
	v := b.open(t)
	for path, want := range map[string]uint64{"/whole": 30, "/without standard information": 31, "/WITHOUT standard information": 31,
		"/two": 33, "/Case": 34, "/case": 35, "/CASE": 35, "/gone": 0, "/no": 0} {
		if ref, spelled, err := v.LookupLost(t.Context(), path); ref.Record() != want || (err == nil) != (want > 0) {
			t.Errorf("%s: record %d, %q, %v", path, ref.Record(), spelled, err)
		}
	}
}
