package ntfsparse

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
)

// twoExtents is a volume with a file "f" in record 30 of one cluster of each letter, the
// second one's in record 31, to which the list refers as ext.
func twoExtents(ext Ref, junk int64) *rb {
	b := newRB(200, 4096, 1024, 64)
	one, two := b.alloc(1, bytes.Repeat([]byte("A"), 4096)), b.alloc(1, bytes.Repeat([]byte("B"), 4096))
	b.lister(30, b.extent(TypeData, "", 0, 8192, 1, one), listEntry(TypeData, 0, MakeRef(30, 1), 0), listEntry(TypeData, 1, ext, 0))
	b.put(31, 1, 1, MakeRef(30, 1), b.extent(TypeData, "", 1, junk, 1, two))
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
	return b
}

// lister puts a file "f" of the root with an attribute list in clusters of its own.
func (b *rb) lister(n int, a []byte, list ...[]byte) {
	me := MakeRef(uint64(n), 1)
	all := bytes.Join(append([][]byte{listEntry(TypeStandardInfo, 0, me, 0), listEntry(TypeFileName, 0, me, 0)}, list...), nil)
	count := int64(len(all)+b.cluster-1) / int64(b.cluster)
	b.put(n, 1, 1, 0, b.si(0x20), b.extent(TypeAttributeList, "", 0, int64(len(all)), count, b.alloc(int(count), all)), b.fn(5, 5, "f", 3, 0), a)
}

// extent is one run of an attribute, size what it says of all sizes.
func (b *rb) extent(t AttrType, name string, low, size, n, lcn int64) []byte {
	return b.nonres(t, name, 0, 0, low, low+n-1, runs(n, lcn), size, size, size)
}

func readTwoExtents(t *testing.T, v *Volume) (*Stream, error) {
	t.Helper()
	f, err := v.Lookup("f")
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8192)
	if _, err := s.ReadAt(b, 0); err != nil {
		return s, err
	}
	if b[0] != 'A' || b[len(b)-1] != 'B' {
		t.Errorf("contents are %q … %q", b[:4], b[len(b)-4:])
	}
	return s, nil
}

// TestLaterExtents: what an extension record may have without harm.
func TestLaterExtents(t *testing.T) {
	for name, c := range map[string]*rb{
		"sizes left out":                                    twoExtents(MakeRef(31, 1), 0),
		"sizes without meaning":                             twoExtents(MakeRef(31, 1), -1),
		"no sequence number":                                twoExtents(MakeRef(31, 0), 0),
		"base's sequence left out":                          twoExtents(MakeRef(31, 1), 0),
		"all of it in one extent, the highest VCN left out": newRB(200, 4096, 1024, 64),
	} {
		switch {
		case strings.HasPrefix(name, "base"):
			le.PutUint16(c.img[c.off(31)+0x26:], 0)
		case strings.HasPrefix(name, "all"):
			lcn := c.alloc(2, append(bytes.Repeat([]byte("A"), 4096), bytes.Repeat([]byte("B"), 4096)...))
			c.put(30, 1, 1, 0, c.si(0x20), c.fn(5, 5, "f", 3, 0), c.nonres(TypeData, "", 0, 0, 0, 0, runs(2, lcn), 8192, 8192, 8192))
			c.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
		}
		v := c.open(t)
		if s, err := readTwoExtents(t, v); err != nil || s.Damage() != nil {
			t.Errorf("%s: %v, %v", name, err, s.Damage())
		}
	}
}

// TestLostExtension: what is said of a file with an extension record that is gone names
// the record, and is no reason to think that the file is gone.
func TestLostExtension(t *testing.T) {
	for name, spoil := range map[string]func(c *rb, rec []byte){
		"zeroed":     func(c *rb, rec []byte) { clear(rec) },
		"freed":      func(c *rb, rec []byte) { rec[0x16] = 0 },
		"torn":       func(c *rb, rec []byte) { rec[510]++ },
		"another's":  func(c *rb, rec []byte) { c.put(31, 1, 1, 0, c.si(0)) },
		"no extents": func(c *rb, rec []byte) { c.put(31, 1, 1, MakeRef(30, 1), c.res(TypeData, "x", 0, nil)) },
	} {
		c := twoExtents(MakeRef(31, 1), 0)
		spoil(c, c.img[c.off(31):][:1024])
		v := c.open(t)
		s, err := readTwoExtents(t, v)
		if !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrDeleted) || s.Damage() == nil {
			t.Errorf("%s: %v; of the stream: %v", name, err, s.Damage())
		}
		if name != "no extents" && !strings.Contains(err.Error(), "file record 31") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := v.FileExtents("f"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: extents: %v", name, err)
		}
		if _, err := s.ReadAt(make([]byte, 4096), 0); err != nil {
			t.Errorf("%s: first cluster: %v", name, err)
		}
	}
}

// TestExtensionsWithoutList: what an attribute list should lead to, and does not, is found
// by what the extension records say, which is told.
func TestExtensionsWithoutList(t *testing.T) {
	for name, c := range map[string]struct {
		ref   Ref
		spoil func(c *rb)
	}{
		"list names another record":    {MakeRef(29, 1), func(c *rb) {}},
		"list names a record too far":  {MakeRef(1<<40, 1), func(c *rb) {}},
		"another sequence number":      {MakeRef(31, 1), func(c *rb) { c.img[c.off(31)+0x10]++ }},
		"list ends before":             {MakeRef(31, 1), func(c *rb) { c.lister(30, c.firstExtent(), listEntry(TypeData, 0, MakeRef(30, 1), 0)) }},
		"no list":                      {MakeRef(31, 1), func(c *rb) { c.put(30, 1, 1, 0, c.si(0x20), c.fn(5, 5, "f", 3, 0), c.firstExtent()) }},
		"what is there already, twice": {MakeRef(29, 1), func(c *rb) { c.put(32, 1, 1, MakeRef(30, 1), c.firstExtent(), c.fn(5, 5, "f", 3, 0)) }},
	} {
		b := twoExtents(c.ref, 0)
		c.spoil(b)
		v := b.open(t)
		s, err := readTwoExtents(t, v)
		if err != nil || s.Damage() != nil {
			t.Errorf("%s: %v; of the stream: %v", name, err, s.Damage())
		}
		f, _ := v.Lookup("f")
		if f.Damage() == nil || len(f.Names()) != 1 {
			t.Errorf("%s: damage is %v, %d names", name, f.Damage(), len(f.Names()))
		}
		told := false
		v.Walk(t.Context(), func(e *WalkEntry) error {
			told = told || e.Path == "/f" && e.Err != nil && e.Info.Size == 8192
			return nil
		})
		if !told {
			t.Errorf("%s: a walk does not tell the damage", name)
		}
	}
}

// firstExtent is the one that twoExtents has in the file's base record.
func (b *rb) firstExtent() []byte {
	rec, err := ParseRecord(30, bytes.Clone(b.img[b.off(30):][:1024]))
	if err != nil {
		panic(err)
	}
	for a := range rec.Attrs() {
		if a.is(TypeData, "") {
			return a.Bytes()
		}
	}
	panic("no extent")
}

// TestLongAttributeList: a file may have as many extension records as a list can name.
func TestLongAttributeList(t *testing.T) {
	const records = 8000
	c := newRB(records+400, 4096, 4096, records+64)
	one := c.alloc(1, bytes.Repeat([]byte("D"), 4096))
	list := [][]byte{listEntry(TypeData, 0, MakeRef(40, 1), 0)}
	for i := range records {
		list = append(list, listEntry(TypeData, int64(i+1), MakeRef(uint64(41+i), 1), 0))
		c.put(41+i, 1, 1, MakeRef(40, 1), c.extent(TypeData, "", int64(i+1), 0, 1, one))
	}
	size := int64(records+1) * 4096
	c.lister(40, c.extent(TypeData, "", 0, size, 1, one), list...)
	f, err := c.open(t).File(40)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := s.ReadAt(b, size-1); err != nil || b[0] != 'D' || f.Damage() != nil || s.Damage() != nil {
		t.Errorf("the last byte is %q, %v; damage %v, %v", b, err, f.Damage(), s.Damage())
	}
}

// mftInTwo is a volume with the second half of its 64 file records where record 15 says.
func mftInTwo(junk int64) *rb {
	c := newRB(400, 4096, 1024, 64)
	c.root()
	list := bytes.Join([][]byte{listEntry(TypeData, 0, MakeRef(0, 1), 0), listEntry(TypeData, 8, MakeRef(15, 1), 0)}, nil)
	c.put(0, 1, 1, 0, c.si(6), c.res(TypeAttributeList, "", 0, list), c.fn(5, 5, "$MFT", 3, 0), c.extent(TypeData, "", 0, 64<<10, 8, 8))
	c.put(15, 1, 1, MakeRef(0, 1), c.extent(TypeData, "", 8, junk, 8, 16))
	return c
}

// TestShortMFT: what is missing of the MFT is told.
func TestShortMFT(t *testing.T) {
	for name, k := range map[string]struct {
		spoil   func(c *rb)
		records uint64
	}{
		"sound":                 {func(c *rb) {}, 64},
		"sizes without meaning": {func(c *rb) { *c = *mftInTwo(-1) }, 64},
		"zeroed":                {func(c *rb) { clear(c.img[c.off(15):][:1024]) }, 32},
		"no such extent":        {func(c *rb) { c.put(15, 1, 1, MakeRef(0, 1)) }, 32},
		"extent out of bounds":  {func(c *rb) { c.put(15, 1, 1, MakeRef(0, 1), c.extent(TypeData, "", 8, 0, 8, 1<<20)) }, 32},
		"highest VCN of all": {func(c *rb) {
			c.put(15, 1, 1, MakeRef(0, 1), c.nonres(TypeData, "", 0, 0, 8, math.MaxInt64, runs(8, 16), 0, 0, 0))
		}, 64},
		"no list": {func(c *rb) {
			c.put(0, 1, 1, 0, c.si(6), c.fn(5, 5, "$MFT", 3, 0), c.extent(TypeData, "", 0, 64<<10, 8, 8))
		}, 64},
	} {
		c := mftInTwo(0)
		k.spoil(c)
		v := c.open(t)
		told := strings.Contains(strings.Join(v.Notes(), "\n"), "$MFT cannot be read as a whole")
		if v.Records() != k.records || told != (k.records < 64 || name == "highest VCN of all") {
			t.Errorf("%s: %d records, notes %q", name, v.Records(), v.Notes())
		}
	}
}

// TestNothingGuessed: where no run of a damaged extent of the MFT was taken, records
// without numbers are what their place says.
func TestNothingGuessed(t *testing.T) {
	for clusters, records := range map[int]uint64{400: 64, 380: 32} {
		c := mftInTwo(0)
		c.put(15, 1, 1, MakeRef(0, 1), c.extent(TypeData, "", 8, 0, 8, 390))
		c.root(ixEntry(MakeRef(24, 1), fnv(5, 5, "f", 3, 0)))
		c.put(24, 1, 1, 0, c.si(0x20), c.fn(5, 5, "f", 3, 0), c.res(TypeData, "", 0, []byte("x")))
		r := c.img[c.off(24):]
		copy(r[0x2A:0x30], r[0x30:0x36]) // the update sequence, where NT has it
		le.PutUint16(r[4:], 0x2A)
		v, err := Open(bytes.NewReader(c.img[:clusters*4096]), int64(clusters*4096))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Lookup("f"); err != nil || v.Records() != records {
			t.Errorf("%d clusters: %v, %d records", clusters, err, v.Records())
		}
	}
}

// TestNoContents: a file of $Extend may have named streams alone, and is empty then; no other file.
func TestNoContents(t *testing.T) {
	for flags, class := range map[uint16]error{FlagExtend: fs.ErrNotExist, FlagView: fs.ErrNotExist, 0: ErrCorrupt} {
		c := newRB(200, 4096, 1024, 64)
		for n, parent := range map[int]uint64{40: RecordRoot, 41: RecordExtend} {
			c.put(n, 1, FlagInUse|flags, 0, c.si(6), c.fn(parent, 5, "j", 3, 0), c.res(TypeData, "$Max", 0, make([]byte, 32)))
		}
		v := c.open(t)
		for n, want := range map[uint64]error{40: class, 41: class} {
			f, err := v.File(n)
			if err != nil {
				t.Fatal(err)
			}
			if n == 41 && flags != 0 {
				want = nil
			}
			if s, err := f.Open(); !errors.Is(err, want) || err == nil && s.Size() != 0 {
				t.Errorf("record %d, flags %#x: %v", n, flags, err)
			}
		}
	}
}

// TestSizeNotKnownNow: a file of which the disk does not give the record that tells its
// size is not said to be empty.
func TestSizeNotKnownNow(t *testing.T) {
	c := newRB(200, 4096, 1024, 64)
	c.lister(40, nil, listEntry(TypeData, 0, MakeRef(41, 1), 0))
	c.put(41, 1, 1, MakeRef(40, 1), c.res(TypeData, "", 0, []byte("contents")))
	v, disk := c.openFlaky(t)
	disk.from, disk.to = int64(c.off(41)), int64(c.off(42))
	for _, disk.times = range []int{-1, 0} {
		v.meta = newCache(metaCacheSize)
		v.Infos([]Ref{MakeRef(40, 1)}, func(_ int, in *Info, err error) {
			if disk.times != 0 && !errors.Is(err, errFlaky) || disk.times == 0 && (err != nil || in.Size != 8) {
				t.Errorf("%d bytes, %v", in.Size, err)
			}
		})
	}
}

// TestListsThatMiss: where what an attribute list names is not where it says, or there
// is none any more, parts of the file are found or told to be lost.
func TestListsThatMiss(t *testing.T) {
	me := MakeRef(30, 1)
	list := func(refs ...Ref) []byte {
		b := bytes.Join([][]byte{listEntry(TypeStandardInfo, 0, me, 0), listEntry(TypeFileName, 0, me, 0)}, nil)
		for i, ref := range refs {
			e := append(listEntry(TypeData, 0, ref, 0), make([]byte, 8)...)
			e[4], e[6], e[7] = byte(len(e)), 2, 26
			copy(e[26:], []byte{'a' + byte(i), 0, 'a' + byte(i), 0})
			b = append(b, e...)
		}
		return b
	}
	for name, k := range map[string]struct {
		list        []byte
		typ         AttrType
		found, told bool // with the file; by a walk alone
	}{
		"sound":           {list(MakeRef(47, 1), MakeRef(63, 1)), TypeAttributeList, true, false},
		"to the base":     {list(me, me), TypeAttributeList, true, true},
		"to each other":   {list(MakeRef(63, 1), MakeRef(47, 1)), TypeAttributeList, true, false},
		"one missing":     {list(MakeRef(47, 1)), TypeAttributeList, false, true},
		"another type":    {list(MakeRef(47, 1), MakeRef(63, 1)), TypeAttributeList + 1, true, true},
		"out of order":    {list(MakeRef(47, 1), MakeRef(63, 1)), TypeEA, true, true},
		"no list":         {nil, 0, false, true},
		"one that is not": {list(MakeRef(47, 1), MakeRef(63, 1), MakeRef(47, 1)), TypeAttributeList, true, true},
	} {
		b := twoStreams()
		attrs := [][]byte{b.si(0x20), b.res(k.typ, "", 0, k.list), b.fn(5, 5, "f", 3, 0), b.res(TypeData, "", 0, []byte("main"))}
		if k.list == nil {
			attrs = slices.Delete(attrs, 1, 2)
		}
		b.put(30, 1, 1, 0, attrs...)
		v := b.open(t)
		damaged := 0
		err := v.Walk(t.Context(), func(e *WalkEntry) error {
			if e.Err != nil {
				damaged++
			}
			return nil
		})
		if err != nil || damaged > 1 || damaged == 1 != k.told {
			t.Errorf("%s: a walk tells %d files, %v", name, damaged, err)
		}
		if err := v.WalkLost(t.Context(), func(Ref, *DirEntry) error { return nil }); (err != nil) != (k.told && !k.found) {
			t.Errorf("%s: lost: %v", name, err)
		}
		f, err := v.File(30)
		if err != nil {
			t.Fatal(err)
		}
		if (f.Damage() != nil) != (k.told && k.found) {
			t.Errorf("%s: %v", name, f.Damage())
		}
		for stream, c := range map[string]byte{"aa": 'A', "bb": 'B'} {
			var p [8]byte
			s, err := f.Stream(stream)
			if err == nil {
				_, err = s.ReadAt(p[:], 100)
			}
			if err == nil && p[0] != c || err != nil && k.found {
				t.Errorf("%s: stream %s: %q, %v", name, stream, p, err)
			}
		}
	}
}

// TestLeftOver: an extension record that is empty is no lost part of a file.
func TestLeftOver(t *testing.T) {
	b := newRB(200, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
	b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0), b.res(TypeData, "", 0, []byte("main")))
	b.put(40, 1, 1, MakeRef(30, 1))
	v := b.open(t)
	if err := v.Walk(t.Context(), func(e *WalkEntry) error { return e.Err }); err != nil {
		t.Error(err)
	}
}
