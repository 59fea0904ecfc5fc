package ntfsparse

import (
	"context"
	"errors"
	"testing"
)

// TestPassingError: what could not be read once is read again.
func TestPassingError(t *testing.T) {
	b := newRB(400, 4096, 1024, 64)
	b.root()
	b.bitmap(nil)
	b.putMFT(64, b.res(TypeBitmap, "", 0, []byte{0xFF, 0, 0, 0, 0, 0, 0, 0}))
	v, disk := b.openFlaky(t)
	v.meta = newCache(metaCacheSize)
	disk.from, disk.to, disk.times = int64(b.off(0)), int64(b.off(64)), -1
	if _, err := v.Space(); !errors.Is(err, errFlaky) {
		t.Fatal(err)
	}
	disk.times = 0
	want := Space{400, int64(400 - b.next), 64, 56}
	if sp, err := v.Space(); err != nil || sp != want {
		t.Errorf("%+v, not %+v; %v", sp, want, err)
	}
	disk.times = -1
	if sp, err := v.Space(); err != nil || sp != want {
		t.Errorf("counted again: %+v, %v", sp, err)
	}
}

// TestTriesAgain: what cannot be made for now is tried again, ever less often, and what
// the volume forbids is not.
func TestTriesAgain(t *testing.T) {
	for _, c := range []struct {
		err    error
		search bool
		tries  int
	}{
		{errFlaky, false, 10},
		{context.Canceled, true, 1000},
		{&Error{Class: ErrCorrupt, Err: errFlaky}, false, 10},
		{&Error{Class: ErrCorrupt, Err: errFlaky}, true, 1},
		{classf(ErrCorrupt, 1, "x"), false, 1},
		{&Error{Class: ErrNotCaptured, Err: classf(ErrCorrupt, 1, "x")}, false, 1},
	} {
		var l lazy[int]
		get := l.get
		if c.search {
			get = l.search
		}
		tries := 0
		for range 1000 {
			if n, err := get(func() (int, error) { tries++; return tries, c.err }); err != c.err || n != tries {
				t.Fatal(n, err)
			}
		}
		if tries != c.tries {
			t.Errorf("%v: %d tries", c.err, tries)
		}
	}
}
