package reader

import "testing"

func TestFresh(t *testing.T) {
	var f fresh
	for i := range 4 {
		if f.take(1, uint32(i), 0, 0, smallJob/4) {
			t.Error("a small job reads past the cache")
		}
	}
	for _, c := range []struct {
		dir, segment uint32
		first, last  int
		want         bool
		why          string
	}{
		{1, 0, 0, 0, false, "read before"},
		{1, 0, 1, 1, true, "new in a known segment"},
		{1, 0, 0, 7, true, "mostly new"},
		{1, 0, 0, 7, false, "all of it read before"},
		{1, 0, 4, 11, false, "half of it read before"},
		{2, 0, 4, 11, true, "of another member"},
		{2, 0, 0, 63, true, "all of a segment"},
		{2, 0, 0, 63, false, "all of it again"},
		{2, 0, 63, 63, false, "the last chunk again"},
	} {
		if got := f.take(c.dir, c.segment, c.first, c.last, 1); got != c.want {
			t.Errorf("%s: past the cache: %v", c.why, got)
		}
	}
	for i := range uint32(3 * maxTouched) {
		f.take(3, i, 0, 63, 1)
		if len(f.touched) > maxTouched {
			t.Fatalf("%d segments are remembered", len(f.touched))
		}
	}
}
