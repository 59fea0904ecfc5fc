package ntfsparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// xpressRun is 4096 times c as XPRESS.
func xpressRun(c byte) []byte {
	b := make([]byte, 256)
	for _, sym := range []int{int(c), 256 + 15} {
		b[sym/2] |= 1 << (4 * (sym & 1))
	}
	b = append(b, 0x00, 0x40, 0, 0, 0xFF)
	return binary.LittleEndian.AppendUint16(b, 4095-3)
}

// compressedWOF is a CompactOS file "w" of chunks of one letter, in which the
// stream that holds it is compressed once more.
func compressedWOF(t testing.TB, chunks int) *Volume {
	b := newRB(2000, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "w", 3, WinReparse)))
	var table, data []byte
	for i := range chunks {
		if i > 0 {
			table = binary.LittleEndian.AppendUint32(table, uint32(len(data)))
		}
		data = append(data, xpressRun(byte('A'+i%26))...)
	}
	src := append(table, data...)
	var list []int64
	units := (len(src) + 65535) / 65536
	for u := range units {
		c := lznt1Runs(src[u*65536 : min(len(src), (u+1)*65536)])
		k := (len(c) + 4095) / 4096
		if k >= 16 {
			t.Fatal("not compressed", k, len(c))
		}
		list = append(list, int64(k), b.alloc(k, c), int64(16-k), Hole)
	}
	point := make([]byte, 8+16)
	le.PutUint32(point, TagWOF)
	le.PutUint16(point[4:], 16)
	le.PutUint32(point[8:], 1)
	le.PutUint32(point[12:], 2)
	le.PutUint32(point[16:], 1)
	size := int64(chunks * 4096)
	b.put(30, 1, 1, 0, b.si(0x620), b.fn(5, 5, "w", 3, WinReparse),
		b.nonres(TypeData, "", AttrSparse, 0, 0, int64(chunks-1), runs(int64(chunks), Hole), size, size, size),
		b.nonres(TypeData, wofStream, AttrCompressed, 4, 0, int64(units*16-1), runs(list...), int64(units*65536), int64(len(src)), int64(len(src))),
		b.res(TypeReparse, "", 0, point))
	return b.open(t)
}

// TestUnitsInUnits: chunks of a CompactOS file are not taken for the compression
// units that hold them, nor the other way round.
func TestUnitsInUnits(t *testing.T) {
	v := compressedWOF(t, 500)
	f, err := v.Lookup("w")
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range []int64{1, 0, 2, 300, 499, 0, 1} {
		var p [8]byte
		if _, err := s.ReadAt(p[:], chunk*4096+16); err != nil || p != [8]byte(bytes.Repeat([]byte{byte('A' + chunk%26)}, 8)) {
			t.Errorf("chunk %d: %q, %v", chunk, p, err)
		}
	}
}

// twoStreams is a file "f" with compressed streams "aa" and "bb", each in an
// extension record of its own.
func twoStreams() *rb {
	b := newRB(400, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
	me := MakeRef(30, 1)
	stream := func(name string, c byte) []byte {
		lcn := b.alloc(1, lznt1Runs(bytes.Repeat([]byte{c}, 65536)))
		return b.nonres(TypeData, name, AttrCompressed, 4, 0, 15, runs(1, lcn, 15, Hole), 65536, 65536, 65536)
	}
	list := bytes.Join([][]byte{listEntry(TypeStandardInfo, 0, me, 0), listEntry(TypeFileName, 0, me, 0), listEntry(TypeData, 0, MakeRef(47, 1), 0), listEntry(TypeData, 0, MakeRef(63, 1), 0)}, nil)
	b.put(30, 1, 1, 0, b.si(0x20), b.res(TypeAttributeList, "", 0, list), b.fn(5, 5, "f", 3, 0))
	b.put(47, 1, 1, me, stream("aa", 'A'))
	b.put(63, 1, 1, me, stream("bb", 'B'))
	return b
}

// TestUnitsAfterReadError: what was cached while an extension record could not be
// read is not taken for another stream's later.
func TestUnitsAfterReadError(t *testing.T) {
	b := twoStreams()
	v, disk := b.openFlaky(t)
	v.meta = newCache(metaCacheSize)
	disk.from, disk.to, disk.times = int64(b.off(47)), int64(b.off(48)), -1
	first := func(name string) byte {
		f, err := v.File(30)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Stream(name)
		if err != nil {
			t.Fatal(err)
		}
		var p [8]byte
		if _, err := s.ReadAt(p[:], 100); err != nil {
			t.Fatal(err)
		}
		return p[0]
	}
	if c := first("bb"); c != 'B' || disk.failed == 0 {
		t.Errorf("%c instead of B; %d failures", c, disk.failed)
	}
	disk.times = 0
	if c := first("aa"); c != 'A' {
		t.Errorf("%c instead of A", c)
	}
}

// TestHalfUnit: a unit of which some clusters are not known is an error, not
// what the others decode to.
func TestHalfUnit(t *testing.T) {
	unit := append(lznt1Runs(bytes.Repeat([]byte{'A'}, 4096)), make([]byte, 4096)...)
	b := newRB(400, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
	me := MakeRef(30, 1)
	list := bytes.Join([][]byte{listEntry(TypeStandardInfo, 0, me, 0), listEntry(TypeFileName, 0, me, 1), listEntry(TypeData, 0, me, 2), listEntry(TypeData, 1, MakeRef(31, 1), 0)}, nil)
	b.put(30, 1, 1, 0, b.si(0x20), b.res(TypeAttributeList, "", 0, list), b.fn(5, 5, "f", 3, 0),
		b.nonres(TypeData, "", AttrCompressed, 4, 0, 0, runs(1, b.alloc(1, unit)), 65536, 60000, 60000))
	v := b.open(t)
	f, err := v.File(30)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 4090, 50000} {
		var p [8]byte
		if _, err := s.ReadAt(p[:], off); err == nil {
			t.Errorf("at %d: %q without an error", off, p)
		} else if !errors.Is(err, ErrCorrupt) {
			t.Errorf("at %d: %v", off, err)
		}
	}
}

// TestHolesInUnits: the units without clusters are the holes of a compressed
// stream, and nothing else is.
func TestHolesInUnits(t *testing.T) {
	const k = 4096
	for name, c := range map[string]struct {
		list        []int64 // 0: clusters
		size, valid int64
		want        []int64 // ends, negative where a hole ends
	}{
		"1 TiB of which a unit is stored": {[]int64{16, 0, 1<<28 - 16, Hole}, 1 << 40, 1 << 40, []int64{16 * k, -1 << 40}},
		"compressed units":                {[]int64{5, 0, 11, Hole, 5, 0, 11, Hole}, 32 * k, 32 * k, []int64{32 * k}},
		"a hole between them":             {[]int64{5, 0, 11 + 32, Hole, 5, 0, 11, Hole}, 64 * k, 64 * k, []int64{16 * k, -48 * k, 64 * k}},
		"a hole first, and not written":   {[]int64{16, Hole, 5, 0, 27, Hole}, 48 * k, 20 * k, []int64{-16 * k, 20 * k, -48 * k}},
		"a hole last":                     {[]int64{16, 0, 5, 0, 27, Hole}, 40*k - 5, 40*k - 5, []int64{32 * k, -(40*k - 5)}},
	} {
		b := newRB(400, k, 1024, 64)
		b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
		end := int64(0)
		for i := 0; i < len(c.list); i += 2 {
			if end += c.list[i]; c.list[i+1] != Hole {
				c.list[i+1] = b.alloc(int(c.list[i]), nil)
			}
		}
		b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0),
			b.nonres(TypeData, "", AttrCompressed|AttrSparse, 4, 0, end-1, runs(c.list...), end*k, c.size, c.valid))
		f, err := b.open(t).Lookup("f")
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for off := int64(0); off < s.Size(); {
			end, hole := s.NextExtent(off)
			if mid, again := s.NextExtent((off + end) / 2); mid != end || again != hole {
				t.Errorf("%s: %d %v in the middle of an extent that ends at %d", name, mid, again, end)
			}
			if off = end; hole {
				end = -end
			}
			got = append(got, end)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}

// TestHoleInsideUnit: clusters behind a hole in its unit are not compressed, whatever
// the stream says to be.
func TestHoleInsideUnit(t *testing.T) {
	for flags, bad := range map[[2]uint16]bool{{AttrSparse, 0x20}: false, {AttrCompressed, 0x20}: true,
		{AttrSparse, WinCompressed}: true, {AttrSparse, WinCompressed | WinSparse}: false} {
		c := newRB(200, 4096, 1024, 64)
		lcn := c.alloc(2, bytes.Repeat([]byte("x "), 4096))
		list := []byte{0x21, 1, byte(lcn), byte(lcn >> 8), 0x01, 1, 0x11, 1, 1, 0x01, 13, 0}
		unit := uint8(4)
		c.put(30, 1, 1, 0, c.si(uint32(flags[1])), c.fn(5, 5, "f", 3, 0), c.nonres(TypeData, "", flags[0], unit, 0, 15, list, 65536, 65536, 65536))
		c.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
		f, err := c.open(t).Lookup("f")
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadAt(make([]byte, 65536), 0); errors.Is(err, ErrCorrupt) != bad {
			t.Errorf("flags %#x: %v", flags, err)
		}
	}
}
