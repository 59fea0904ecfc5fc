package ntfsparse

import (
	"context"
	"strings"
	"testing"
)

type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestWindowKeeps: a bitmap of 32 MiB is read once, in whatever order, and one of
// 512 MiB that is mostly empty, too.
func TestWindowKeeps(t *testing.T) {
	for size, mixed := range map[int64]int64{32 << 20: 1, 512 << 20: 256} { // one of so many pages is neither clear nor set
		v := &Volume{size: 1 << 60, geo: geometry{4096, 12, 1 << 50}}
		read := int64(0)
		v.r = readerFunc(func(p []byte, off int64) (int, error) {
			read += int64(len(p))
			clear(p)
			if off/windowBytes%mixed == 0 {
				p[100] = 1
			}
			return len(p), nil
		})
		w := bitWindow{s: &Stream{v: v, size: size, valid: size, runs: &Runs{r: []vrun{{0, 0}}, end: size / 4096}}}
		rnd := uint64(1)
		for range 1 << 19 {
			rnd = rnd*6364136223846793005 + 1442695040888963407
			at := int64(rnd>>16) % (size*8 - 8)
			first, err := w.firstSet(at, at+8)
			page, bit := at/8/windowBytes, at-at%(windowBytes*8)+800
			want := at + 8
			if page%mixed == 0 && bit >= at && bit < want {
				want = bit
			}
			if err != nil || first != want && page == (at+7)/8/windowBytes {
				t.Fatalf("%d is the first bit from %d on, not %d; %v", want, at, first, err)
			}
		}
		if read > size {
			t.Errorf("bitmap of %d MiB: %d MiB read", size>>20, read>>20)
		}
		if n := w.held(); n > maxWindow {
			t.Errorf("bitmap of %d MiB: %d MiB held", size>>20, n>>20)
		}
	}
}

func (w *bitWindow) held() (n int) {
	for i := range w.kept.shards {
		n += w.kept.shards[i].size
	}
	return n
}

// TestUsedUnreadableBitmap: clusters of which the bitmap cannot be read count as used.
func TestUsedUnreadableBitmap(t *testing.T) {
	const clusters = 1 << 18 // 8 pieces of 4 KiB
	b := newRB(clusters, 512, 1024, 64)
	b.root()
	b.bitmap(nil)
	v, disk := b.openFlaky(t)
	s, err := v.clusterBitmap()
	if err != nil {
		t.Fatal(err)
	}
	e := s.extents()[0]
	disk.from, disk.to, disk.times = e.Off+3*4096+700, e.Off+4*4096+1, -1 // in two pieces
	used := int64(0)
	var at Extent
	if err := v.UsedExtents(context.Background(), func(e Extent) bool {
		if used += e.Len; e.Off == 3*4096*8*512 {
			at = e
		}
		return true
	}); err != nil || at.Len != 2*4096*8*512 {
		t.Errorf("%+v, %v", at, err)
	}
	if notes := strings.Join(v.Notes(), "\n"); !strings.Contains(notes, "8192 bytes of the bitmap") || !strings.Contains(notes, errFlaky.Error()) {
		t.Error(notes)
	}
	if want := int64(b.next+1)*512 + at.Len; used < want-1<<16 || used > want+1<<16 {
		t.Errorf("%d bytes in use, not %d", used, want)
	}

	disk.from, disk.to, disk.failed = e.Off, e.Off+e.Len, 0
	used = 0
	if err := v.UsedExtents(context.Background(), func(e Extent) bool { used += e.Len; return true }); err != nil || used != v.Size() {
		t.Errorf("%d bytes in use of %d, %v", used, v.Size(), err)
	}
}

// TestMarkedGivesUp: of a bitmap that cannot be read at all few reads are tried.
func TestMarkedGivesUp(t *testing.T) {
	tries := 0
	v := &Volume{size: 1 << 40, geo: geometry{4096, 12, 1 << 28}}
	v.r = readerFunc(func([]byte, int64) (int, error) { tries++; return 0, errFlaky })
	m := &markedBits{s: &Stream{v: v, size: 32 << 20, valid: 32 << 20, runs: &Runs{r: []vrun{{0, 0}}, end: 1 << 13}}}
	runs := 0
	err := usedRuns(context.Background(), m, 1<<28, func(from, to int64) bool { runs++; return from == 0 && to == 1<<28 })
	if err != nil || runs != 1 || tries > 2*maxMarked {
		t.Errorf("%d runs, %d tries, %v", runs, tries, err)
	}
}

// TestSpaceInPart: without a bitmap of clusters the free records are told all the same.
func TestSpaceInPart(t *testing.T) {
	b := newRB(400, 4096, 1024, 64)
	b.root()
	b.putMFT(64, b.res(TypeBitmap, "", 0, []byte{0xFF, 0, 0, 0, 0, 0, 0, 0}))
	v := b.open(t)
	sp, err := v.Space()
	if err == nil || sp != (Space{400, 0, 64, 56}) {
		t.Errorf("%+v, %v", sp, err)
	}
	if !strings.Contains(strings.Join(v.Notes(), "\n"), "How much is free") {
		t.Errorf("%q", v.Notes())
	}
}
