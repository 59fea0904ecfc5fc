package ntfsparse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

// visits walks through a volume and gives each name, with a '!' where there is damage.
func visits(t *testing.T, v *Volume) (names []string) {
	t.Helper()
	err := v.Walk(context.Background(), func(e *WalkEntry) error {
		mark := ""
		if e.Err != nil {
			mark = "!"
		}
		names = append(names, e.Path+mark)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	slices.Sort(names)
	return names
}

func wantVisits(t *testing.T, name string, v *Volume, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := visits(t, v); !slices.Equal(got, want) {
		t.Errorf("%s: visited %q, not %q", name, got, want)
	}
}

// oneFile is a volume with the file "f" in record 30, which has the attributes, and its
// name with the file attributes.
func oneFile(win uint32, flags uint16, attrs ...func(b *rb) []byte) *rb {
	b := newRB(200, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", NameWinDOS, win)))
	all := [][]byte{b.si(win &^ nameIsDir)}
	for _, a := range attrs {
		all = append(all, a(b))
	}
	b.put(30, 1, flags, 0, all...)
	return b
}

func named(parent uint64, name string, space byte) func(b *rb) []byte {
	return func(b *rb) []byte { return b.fn(parent, 5, name, space, 0) }
}

func has(t AttrType, name, value string) func(b *rb) []byte {
	return func(b *rb) []byte { return b.res(t, name, 0, []byte(value)) }
}

// linked is oneFile with a second name "g", of which only the folder tells the first.
func linked(first func(b *rb) []byte) *rb {
	b := oneFile(0x20, 1, first, named(5, "g", NameWinDOS), has(TypeData, "", "contents"))
	le.PutUint16(b.img[b.off(30)+0x12:], 2)
	return b
}

// TestWalkTellsFlips: a bit that is wrong makes no name vanish without a word.
func TestWalkTellsFlips(t *testing.T) {
	name, contents := named(5, "f", NameWinDOS), has(TypeData, "", "contents")
	for what, k := range map[string]struct {
		b    *rb
		want []string
	}{
		"sound":                          {oneFile(0x20, 1, name, contents), []string{"/f"}},
		"$PROPERTY_SET of NT 4":          {oneFile(0x20, 1, name, contents, has(0xF0, "", "properties")), []string{"/f"}},
		"short name beside the long one": {oneFile(0x20, 1, named(5, "f", NameDOS), named(5, "f long", NameWin32), contents), []string{"/f long", "/f!"}},

		"a DOS name alone":              {oneFile(0x20, 1, named(5, "f", NameDOS), contents), []string{"/f!"}},
		"a DOS name in another folder":  {oneFile(0x20, 1, named(5, "f", NameDOS), named(11, "g", NameWin32), contents), []string{"/f!"}},
		"a DOS name beside a link":      {oneFile(0x20, 1, named(5, "f", NameDOS), named(5, "link", NamePOSIX), contents), []string{"/f!", "/link!"}},
		"a DOS name that no folder has": {oneFile(0x20, 1, named(5, "g", NameDOS), contents), []string{"/f!"}},

		"below a metafile": {oneFile(0x20, 1, named(7, "f", NameWinDOS), contents), []string{"/$Orphan-7!", "/$Orphan-7/f"}},
		"below $MFT":       {oneFile(0x20, 1, named(0, "f", NameWinDOS), contents), []string{"/$Orphan-0!", "/$Orphan-0/f"}},
		"in $Extend":       {oneFile(0x20, 1, named(11, "f", NameWinDOS), contents), nil},

		"unknown attribute":         {oneFile(0x20, 1, name, contents, has(0x4080, "s", "stream")), []string{"/f!"}},
		"unknown type of a name":    {oneFile(0x20, 1, has(0x4030, "", string(fnv(5, 5, "f", 3, 0))), contents), []string{"/f!"}},
		"a folder without an index": {oneFile(0x20, 3, name, contents), []string{"/f!"}},
		"a name that is cut short":  {oneFile(0x20, 1, has(TypeFileName, "", string(fnv(5, 5, "f", 3, 0)[:0x43])), contents), []string{"/f!"}},
		"a name outside the record": {oneFile(0x20, 1, name, contents, func(b *rb) []byte { return b.extent(TypeFileName, "", 0, 0x44, 1, 100) }), []string{"/f!"}},
		"another type of a name":    {linked(has(TypeVolumeInfo, "", string(fnv(5, 5, "f", 3, 0)))), []string{"/f!", "/g!"}},
		"another type of a stream":  {oneFile(0x20, 1, name, contents, has(TypeReparse, "s", "stream")), []string{"/f!"}},
		"an empty name":             {oneFile(0x20, 1, named(5, "", NameWinDOS), contents), []string{"/f!"}},
	} {
		if what == "short name beside the long one" { // which the folder has as a name for all
			k.b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", NameDOS, 0)), ixEntry(MakeRef(30, 1), fnv(5, 5, "f long", NameWin32, 0)))
			k.want = k.want[:1]
		}
		wantVisits(t, what, k.b.open(t), append(k.want, "/")...)
	}
}

// TestDOSNameIsLast: a file with nothing but a DOS name, for which its folder has no other
// either, is visited under that one.
func TestDOSNameIsLast(t *testing.T) {
	b := oneFile(0x20, 1, named(5, "f", NameDOS), has(TypeData, "", "contents"))
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", NameDOS, 0)))
	v := b.open(t)
	wantVisits(t, "in the folder, too", v, "/", "/f!")
	b.put(31, 1, 1, 0, b.si(0x20), b.fn(5, 5, "g", NameDOS, 0), b.fn(5, 5, "h", NameDOS, 0), b.res(TypeData, "", 0, nil))
	wantVisits(t, "two that no folder has", b.open(t), "/", "/f!", "/g!", "/h!")
	b.put(31, 1, 1, 0, b.si(0x20), b.fn(5, 5, "g", NameDOS, 0), b.res(TypeData, "", 0, nil))
	b.root(ixEntry(MakeRef(31, 1), fnv(5, 5, "g", NamePOSIX, 0)), ixEntry(MakeRef(31, 1), fnv(5, 5, "h", NamePOSIX, 0)))
	wantVisits(t, "in the folder with another", b.open(t), "/", "/f!", "/g!", "/h!")
	f, err := v.File(30)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := f.Path(); p != "/f" || err != nil {
		t.Errorf("its path is %q, %v", p, err)
	}
}

// TestUnpaired: however many names there are, DOS names go with long ones.
func TestUnpaired(t *testing.T) {
	for _, n := range []int{1, fewNames / 2, fewNames, 1000} {
		var names []FileName
		for i := range n {
			up := MakeRef(uint64(30+i), 1)
			names = append(names, FileName{Parent: up, Space: NameDOS}, FileName{Parent: up, Space: NameWin32})
		}
		if short := unpaired(names); short != nil {
			t.Errorf("%d pairs: %v", n, short)
		}
		names[len(names)-1].Space = NamePOSIX
		if short := unpaired(names); len(short) != 1 || short[0].Parent != names[len(names)-1].Parent {
			t.Errorf("%d pairs without the last: %v", n, short)
		}
	}
}

// TestBrokenNameInList: a name that is damaged is told of files with an attribute list, too.
func TestBrokenNameInList(t *testing.T) {
	b := newRB(400, 4096, 1024, 64)
	var es [][]byte
	for i := 41; i <= 43; i++ {
		es = append(es, ixEntry(MakeRef(40, 1), fnv(5, 5, fmt.Sprintf("n%05d", i), NameWin32, 0)))
	}
	b.root(es...)
	b.heavy(40, 3, false)
	key := fnv(5, 5, "n00042", NameWin32, 0)
	key[0x40] = 200
	b.put(42, 1, 1, MakeRef(40, 1), b.res(TypeFileName, "", 0, key))
	v := b.open(t)
	wantVisits(t, "list", v, "/", "/n00041!", "/n00042!", "/n00043!")
	if f, err := v.File(40); err != nil || !errors.Is(f.Damage(), ErrCorrupt) {
		t.Errorf("%v, damage %v", err, f.Damage())
	}
}

// TestShortInitializedMFT: records that the MFT's bitmap has behind its initialized size
// are told to be there.
func TestShortInitializedMFT(t *testing.T) {
	b := newRB(200, 4096, 1024, 64)
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)), ixEntry(MakeRef(40, 1), fnv(5, 5, "g", 3, 0)))
	for n, name := range map[int]string{30: "f", 40: "g"} {
		b.put(n, 1, 1, 0, b.si(0x20), b.fn(5, 5, name, 3, 0), b.res(TypeData, "", 0, nil))
	}
	bits := make([]byte, 4096) // more of them than the volume has room for
	bits[30/8], bits[40/8], bits[4000] = 1<<(30%8), 1<<(40%8), 1
	for valid, want := range map[int64][]string{64 << 10: {"/", "/f", "/g"}, 41 << 10: {"/", "/f", "/g"}, 32 << 10: {"/", "/!", "/f", "/g!"}} {
		b.put(0, 1, 1, 0, b.si(0), b.fn(5, 5, "$MFT", 3, 0), b.nonres(TypeData, "", 0, 0, 0, 15, runs(16, int64(b.mft)), 64<<10, 64<<10, valid),
			b.extent(TypeBitmap, "", 0, 4096, 1, b.alloc(1, bits)))
		wantVisits(t, fmt.Sprintf("%d bytes initialized", valid), b.open(t), want...)
	}
}

// TestOverlong: a stream that is larger than its allocated size is damaged, and what is
// there can be read.
func TestOverlong(t *testing.T) {
	for size, sound := range map[int64]bool{8192: true, 8193: false, 1 << 59: false, math.MaxInt64: false} {
		for _, stream := range []string{"", "s"} {
			b := newRB(200, 4096, 1024, 64)
			b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
			a := b.nonres(TypeData, stream, 0, 0, 0, 1, runs(2, b.alloc(2, bytes.Repeat([]byte("x"), 8192))), 8192, size, size)
			more := b.res(TypeData, "", 0, nil)
			if stream == "" {
				more = nil
			}
			b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0), more, a)
			v := b.open(t)
			want := []string{"/", "/f"}
			if !sound {
				want[1] += "!"
			}
			wantVisits(t, fmt.Sprint(size), v, want...)
			f, err := v.File(30)
			if err != nil {
				t.Fatal(err)
			}
			if in := f.Info(); (in.Damage == nil) != sound || in.NoSize != (!sound && stream == "") {
				t.Errorf("%d bytes in %q: %v, size not known: %v", size, stream, in.Damage, in.NoSize)
			}
			if size == math.MaxInt64 {
				continue
			}
			s, err := f.Stream(stream)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 8192)
			if _, err := s.ReadAt(p, 0); err != nil || p[8191] != 'x' || (s.Damage() == nil) != sound {
				t.Errorf("%d bytes in %q: %v, %v", size, stream, err, s.Damage())
			}
		}
	}
}

// TestOverwritten: a stream of which more is valid than it has is damaged.
func TestOverwritten(t *testing.T) {
	for valid, want := range map[int64]string{0: "/f", 100: "/f", 101: "/f!", 8192: "/f!"} {
		b := newRB(200, 4096, 1024, 64)
		b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
		b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0), b.nonres(TypeData, "", 0, 0, 0, 1, runs(2, b.alloc(2, nil)), 8192, 100, valid))
		wantVisits(t, fmt.Sprint(valid), b.open(t), "/", want)
	}
}

// TestSparseIsNotOverlong: the allocated size of sparse and compressed streams counts their
// holes.
func TestSparseIsNotOverlong(t *testing.T) {
	for _, flags := range []uint16{AttrSparse, AttrCompressed} {
		b := newRB(200, 4096, 1024, 64)
		b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, "f", 3, 0)))
		b.put(30, 1, 1, 0, b.si(0x20), b.fn(5, 5, "f", 3, 0), b.nonres(TypeData, "", flags, 4, 0, 1<<20-1, runs(1<<20, Hole), 4<<30, 4<<30-5, 0))
		wantVisits(t, fmt.Sprint(flags), b.open(t), "/", "/f")
	}
}

// TestManyDamagedTold: a walk that cannot look for the names of all damaged records, or tell
// all folders that are lost, says so.
func TestManyDamagedTold(t *testing.T) {
	const first, records = 64, 64 + maxDamaged + 1
	b := newRB(records/4+200, 4096, 1024, records)
	bits := make([]byte, (records+63)/64*8)
	for n := first; n < records-1; n++ {
		bits[n/8] |= 1 << (n % 8) // in use, and all zero
	}
	lcn := b.alloc(3, bits)
	b.putMFT(records, b.nonres(TypeBitmap, "", 0, 0, 0, 2, runs(3, lcn), 3*4096, int64(len(bits)), int64(len(bits))))
	b.root()
	check := func(what string, want error) {
		v := b.open(t)
		err := v.Walk(context.Background(), func(e *WalkEntry) error { return nil })
		told := strings.Contains(strings.Join(v.Notes(), "\n"), "More f")
		if !errors.Is(err, want) || told != (want != nil) {
			t.Errorf("%s: %v, notes %q", what, err, v.Notes())
		}
	}
	check("as many as there may be", nil)
	b.img[lcn*4096+(records-1)/8] |= 1 << ((records - 1) % 8)
	check("one more", ErrUnsupported)

	clear(b.img[lcn*4096:][:3*4096])
	for n := first; n < records; n++ {
		b.put(n, 1, 1, 0, b.fn(5, 5, "f", 3, 0), b.res(TypeData, "", 0, nil))
	}
	check("records that can be read", ErrUnsupported)
	clear(b.img[b.off(first):][:1024])
	check("one less", nil)

	for n := first; n < records; n++ {
		b.put(n, 1, 1, 0, b.si(0x20), b.fn(uint64(n), 5, "f", 3, 0), b.res(TypeData, "", 0, nil)) // in what this record was
	}
	check("lost folders", ErrUnsupported)
	clear(b.img[b.off(first):][:1024])
	check("one lost folder less", nil)
}

// TestWalkChangesNoFile: what a walk finds out about a file does not get into the one that
// others have.
func TestWalkChangesNoFile(t *testing.T) {
	const k = longList + 6
	b := newRB(64+k+100, 4096, 1024, k+64)
	b.root(ixEntry(MakeRef(40, 1), fnv(5, 5, fmt.Sprintf("n%05d", 40+k), NameWin32, 0)))
	b.heavy(40, k, true) // that name is in the torn extension record
	v := b.open(t)
	f, err := v.File(40)
	if err != nil {
		t.Fatal(err)
	}
	before := f.Damage()
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			v.Walk(context.Background(), func(*WalkEntry) error { return nil })
		}()
	}
	for range 100 {
		if f, err := v.File(40); err != nil || f.Damage() == nil || f.Damage().Error() != before.Error() {
			t.Errorf("%v, damage %v, not %v", err, f.Damage(), before)
			break
		}
	}
	wg.Wait()
}
