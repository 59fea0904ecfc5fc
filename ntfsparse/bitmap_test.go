package ntfsparse

import (
	"bytes"
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

// TestBitmapGivesUp: of a bitmap that cannot be read at all few reads are tried.
func TestBitmapGivesUp(t *testing.T) {
	tries := 0
	v := &Volume{size: 1 << 40, geo: geometry{4096, 12, 1 << 28}}
	v.r = readerFunc(func([]byte, int64) (int, error) { tries++; return 0, errFlaky })
	m := &patientBits{unread: setPage, s: &Stream{v: v, size: 32 << 20, valid: 32 << 20, runs: &Runs{r: []vrun{{0, 0}}, end: 1 << 13}}}
	runs := 0
	err := usedRuns(context.Background(), m, 1<<28, func(from, to int64) bool { runs++; return from == 0 && to == 1<<28 })
	if err != nil || runs != 1 || tries > 2*maxFailed {
		t.Errorf("%d runs, %d tries, %v", runs, tries, err)
	}
}

// TestBadPieceIsOne: a piece of a bitmap that cannot be read counts once, however often it
// is asked for, and is tried once.
func TestBadPieceIsOne(t *testing.T) {
	tries := 0
	v := &Volume{size: 1 << 40, geo: geometry{4096, 12, 1 << 28}}
	v.r = readerFunc(func(p []byte, off int64) (int, error) {
		if clear(p); off < 3*bitsPiece && off+int64(len(p)) > 2*bitsPiece {
			tries++
			return 0, errFlaky
		}
		return len(p), nil
	})
	b := &patientBits{unread: setPage, s: &Stream{v: v, size: 32 << 20, valid: 32 << 20, runs: &Runs{r: []vrun{{0, 0}}, end: 1 << 13}}}
	page := make([]byte, windowBytes)
	for range 2 * maxFailed {
		if _, err := b.ReadAt(page, 0); err != nil {
			t.Fatal(err)
		}
		for i, c := range page {
			if bad := i/bitsPiece == 2; bad != (c == 0xFF) || !bad && c != 0 {
				t.Fatalf("byte %d is %#x", i, c)
			}
		}
	}
	if len(b.failed) != 1 || tries > 2 {
		t.Errorf("%d pieces failed in %d tries", len(b.failed), tries)
	}
}

// TestUnreadableBitmapHidesNothing: however many pieces of the bitmap cannot be read, the
// clusters of files that it does not mark elsewhere are in use.
func TestUnreadableBitmapHidesNothing(t *testing.T) {
	const pieces, perPiece = 128, bitsPiece * 8
	for _, bad := range []int64{0, maxFailed - 1, maxFailed, pieces / 2} {
		b := newRB(400, 4096, 1024, 64)
		clusters := int64(pieces * perPiece)
		le.PutUint64(b.img[0x28:], uint64(clusters*8))
		lcn := b.alloc(pieces, bytes.Repeat([]byte{0xFF}, 50)) // the image's own clusters
		b.put(RecordBitmap, 6, 1, 0, b.si(6), b.fn(5, 5, "$Bitmap", 3, 0), b.extent(TypeData, "", 0, pieces*4096, pieces, lcn))
		b.root()
		const many = 64 * perPiece
		b.put(29, 1, 1, 0, b.si(0x20), b.fn(5, 5, "a", 3, 0), b.extent(TypeData, "", 0, many*4096, many, 32*perPiece))
		lost := int64(8*perPiece + 5)
		b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "b", 3, 0), b.extent(TypeData, "", 0, 4096, 1, lost))
		from, to := (lcn+32)*4096, (lcn+32+bad)*4096
		end, failing := clusters*4096+512, false
		v, err := Open(readerFunc(func(p []byte, off int64) (int, error) {
			if failing && off < to && off+int64(len(p)) > from {
				return 0, errFlaky
			}
			if clear(p); off < int64(len(b.img)) {
				copy(p, b.img[off:])
			}
			return int(min(int64(len(p)), end-off)), nil
		}), end)
		if err != nil {
			t.Fatal(err)
		}
		failing = true
		found := false
		err = v.UsedExtents(context.Background(), func(e Extent) bool {
			found = found || e.Off <= lost*4096 && lost*4096+4096 <= e.Off+e.Len
			return true
		})
		if !found || err != nil {
			t.Errorf("%d pieces: the file's cluster is in use: %v, %v", bad, found, err)
		}
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
