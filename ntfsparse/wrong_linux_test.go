package ntfsparse_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// edited changes file record n in a copy of a volume's bytes, and keeps its update
// sequence right.
func edited(t *testing.T, b []byte, n uint64, change func(r []byte)) []byte {
	t.Helper()
	v := openBytes(t, b)
	mft, err := v.File(ntfsparse.RecordMFT)
	if err != nil {
		t.Fatal(err)
	}
	s, err := mft.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	size := int64(v.Boot().RecordSize)
	b = bytes.Clone(b)
	s.Extents(func(off, length, phys int64) bool {
		if at := int64(n)*size - off; at >= 0 && at < length {
			r := b[phys+at : phys+at+size]
			array := func() []byte { return r[binary.LittleEndian.Uint16(r[4:]):] }
			for i := 512; i <= len(r); i += 512 {
				copy(r[i-2:i], array()[i/256:])
			}
			change(r)
			for i := 512; i <= len(r); i += 512 {
				copy(array()[i/256:], r[i-2:i])
				copy(r[i-2:i], array()[:2])
			}
			return false
		}
		return true
	})
	return b
}

// attribute finds an attribute in one of the records.
func attribute(t *testing.T, typ ntfsparse.AttrType, name string, recs ...*ntfsparse.Record) (*ntfsparse.Record, ntfsparse.Attr) {
	t.Helper()
	for _, rec := range recs {
		for a, err := range rec.Attrs() {
			if err == nil && a.Type() == typ && a.Name() == name {
				return rec, a
			}
		}
	}
	t.Fatalf("there is no %v %q", typ, name)
	return nil, ntfsparse.Attr{}
}

func lookup(t *testing.T, b []byte, path string) *ntfsparse.File {
	t.Helper()
	f, err := openBytes(t, b).Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func made(t *testing.T, o testvol.Options, fill func(dir string)) []byte {
	t.Helper()
	img := testvol.Make(t, o)
	testvol.With(t, img, fill)
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRunListOfWrongLength: runs of a run list that does not end where its
// attribute does are not used.
func TestRunListOfWrongLength(t *testing.T) {
	b := made(t, testvol.Options{Size: 64 << 20}, func(dir string) { testvol.Striped(t, filepath.Join(dir, "f"), 2000) })
	f := lookup(t, b, "f")
	if len(f.Extensions()) == 0 {
		t.Fatal("no extension records")
	}
	want, err := contents(openBytes(t, b), "f")
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Extensions() {
		ext, a := attribute(t, ntfsparse.TypeData, "", f.Extensions()[i:]...)
		runs := a.Off + int(binary.LittleEndian.Uint16(a.Bytes()[0x20:]))
		for _, d := range []byte{1, 5} {
			bad := edited(t, b, ext.N, func(r []byte) { r[runs+1] += d })
			f := lookup(t, bad, "f")
			s, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, a.LowVCN()*4096)
			if n, err := s.ReadAt(got, 0); n != len(got) || !bytes.Equal(got, want[:n]) {
				t.Errorf("before the damage: %d bytes, %v", n, err)
			}
			for vcn := a.LowVCN(); vcn*4096 < s.Size(); vcn++ {
				if n, err := s.ReadAt(got[:1], vcn*4096); n != 0 || !errors.Is(err, ntfsparse.ErrCorrupt) {
					t.Fatalf("VCN %d, behind the damage at %d: %d bytes, %v", vcn, a.LowVCN(), n, err)
				}
			}
		}
	}
}

// TestRecordOfAnotherFile: what was written into a wrong place is not the file of
// that place.
func TestRecordOfAnotherFile(t *testing.T) {
	b := made(t, testvol.Options{}, func(dir string) {
		for _, name := range []string{"a", "b"} {
			os.WriteFile(filepath.Join(dir, name), []byte("this is "+name), 0o644)
		}
	})
	from, to := lookup(t, b, "a").Base(), lookup(t, b, "b").Base()
	b = edited(t, b, to.N, func(r []byte) { copy(r, from.Bytes()) })
	v := openBytes(t, b)
	if got, err := contents(v, "a"); err != nil || string(got) != "this is a" {
		t.Errorf("a: %q, %v", got, err)
	}
	if got, err := contents(v, "b"); !errors.Is(err, ntfsparse.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("record %d", from.N)) {
		t.Errorf("b: %q, %v", got, err)
	}
	v.Infos([]ntfsparse.Ref{to.Ref()}, func(_ int, _ *ntfsparse.Info, err error) {
		if !errors.Is(err, ntfsparse.ErrCorrupt) {
			t.Errorf("Infos: %v", err)
		}
	})
	if paths, bad := walked(t, v); fmt.Sprint(paths, bad) != "[/ /a /b] [/b]" {
		t.Errorf("a walk finds %q and %q", paths, bad)
	}
	old := edited(t, b, to.N, func(r []byte) { // as NTFS 3.0 and Linux write them, without a number
		copy(r[0x2A:0x2C], r[0x30:])
		binary.LittleEndian.PutUint16(r[4:], 0x2A)
	})
	if _, err := openBytes(t, old).File(to.N); err != nil {
		t.Errorf("a record without a number: %v", err)
	}
}

// TestDamagedMapOfMFT: where a run list of $MFT is wrong, no record is taken for
// another, and those before the fault are found.
func TestDamagedMapOfMFT(t *testing.T) {
	b := made(t, testvol.Options{Size: 48 << 20}, func(dir string) { testvol.FragmentMFT(t, dir, 7000) })
	sound := openBytes(t, b)
	mft, err := sound.File(ntfsparse.RecordMFT)
	if err != nil {
		t.Fatal(err)
	}
	for _, recs := range [][]*ntfsparse.Record{{mft.Base()}, mft.Extensions()} {
		rec, a := attribute(t, ntfsparse.TypeData, "", recs...)
		runs := a.Off + int(binary.LittleEndian.Uint16(a.Bytes()[0x20:]))
		for range 5 { // runs before the fault
			runs += 1 + int(a.Bytes()[runs-a.Off]&15) + int(a.Bytes()[runs-a.Off]>>4)
		}
		for _, d := range []byte{1, 0xFF} {
			bad := edited(t, b, rec.N, func(r []byte) { r[runs+1] += d })
			clear(bad[sound.Boot().Mirror*4096:][:1024])
			v := openBytes(t, bad)
			found := 0
			err := v.Scan(context.Background(), 0, func(n uint64, rec *ntfsparse.Record, err error) error {
				if err == nil && rec.InUse() {
					if found++; rec.OwnNumber() != uint32(n) {
						t.Fatalf("record %d is taken for %d", rec.OwnNumber(), n)
					}
				}
				return nil
			})
			if notes := strings.Join(v.Notes(), " "); err != nil || found < 16 || !strings.Contains(notes, "$MFT cannot be read as a whole") {
				t.Errorf("record %d: %d records, %v, %q", rec.N, found, err, notes)
			}
		}
	}
}

// TestListOfMFTLost: the extension records of $MFT are found without its attribute list.
func TestListOfMFTLost(t *testing.T) {
	b := made(t, testvol.Options{Size: 48 << 20}, func(dir string) { testvol.FragmentMFT(t, dir, 7000) })
	sound := openBytes(t, b)
	mft, err := sound.File(ntfsparse.RecordMFT)
	if err != nil || len(mft.Extensions()) == 0 {
		t.Fatalf("%v, %d extension records", err, len(mft.Extensions()))
	}
	want := names(t, sound)
	_, list := attribute(t, ntfsparse.TypeAttributeList, "", mft.Base())
	for what, change := range map[string]func(entries []byte){
		"zeros": func(e []byte) { clear(e) },
		"names another record": func(e []byte) {
			for ; len(e) > 26 && binary.LittleEndian.Uint16(e[4:]) > 0; e = e[binary.LittleEndian.Uint16(e[4:]):] {
				if binary.LittleEndian.Uint32(e) == uint32(ntfsparse.TypeData) && binary.LittleEndian.Uint64(e[8:]) > 0 {
					e[16]++
				}
			}
		},
	} {
		var bad []byte
		if list.Resident() {
			bad = edited(t, b, 0, func(r []byte) {
				at := list.Off + int(binary.LittleEndian.Uint16(list.Bytes()[0x14:]))
				change(r[at : at+len(list.Value())])
			})
		} else {
			bad = bytes.Clone(b)
			ntfsparse.DecodeRuns(list.RunList(), 0, 1<<20, func(r ntfsparse.Run) bool {
				change(bad[r.LCN*4096:][:min(r.Len*4096, list.Size())])
				return false
			})
		}
		v := openBytes(t, bad)
		if got, notes := names(t, v), strings.Join(v.Notes(), " "); !slices.Equal(got, want) || strings.Contains(notes, "cannot be read as a whole") {
			t.Errorf("%s: %d names, want %d; %q", what, len(got), len(want), notes)
		}
	}
}

// TestReparsePointLost: what is left of a file whose reparse point cannot be read is
// not taken for its contents.
func TestReparsePointLost(t *testing.T) {
	data := bytes.Repeat([]byte("to be compressed "), 3000)
	b := made(t, testvol.Options{Size: 32 << 20}, func(dir string) {
		if !testvol.WriteWOF(t, filepath.Join(dir, "small"), data, testvol.XPRESS4K) {
			t.Fatal("not compressed")
		}
		os.WriteFile(filepath.Join(dir, "link"), nil, 0o644)
		testvol.Reparse(t, filepath.Join(dir, "link"), ntfsparse.TagSymlink, testvol.LinkData("small", "small", true, 1))
	})
	for _, name := range []string{"small", "link"} {
		rec, a := attribute(t, ntfsparse.TypeReparse, "", lookup(t, b, name).Base())
		for what, edit := range map[string]func(a []byte){
			"length of the value": func(a []byte) { a[19] = 0x0B }, "type": func(a []byte) { a[0] = 0xD0 }, "length": func(a []byte) { a[5] = 0x10 },
			"form": func(a []byte) { a[8] = 1 }, "name": func(a []byte) { a[9] = 1 }, "place of the value": func(a []byte) { a[20] = 0x10 },
		} {
			bad := edited(t, b, rec.N, func(r []byte) { edit(r[a.Off:]) })
			if got, err := contents(openBytes(t, bad), name); !errors.Is(err, ntfsparse.ErrCorrupt) {
				t.Errorf("%s, %s: %d bytes, %v", name, what, len(got), err)
			}
		}
	}
	if got, err := contents(openBytes(t, b), "small"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("undamaged: %d bytes, %v", len(got), err)
	}
}

// TestCompressionMarksLost: what may be compressed is not read as it is stored.
func TestCompressionMarksLost(t *testing.T) {
	log := bytes.Repeat([]byte("one line like the other\n"), 20000)
	b := made(t, testvol.Options{Size: 32 << 20}, func(dir string) {
		os.Mkdir(filepath.Join(dir, "c"), 0o755)
		testvol.Compressed(t, filepath.Join(dir, "c"))
		os.WriteFile(filepath.Join(dir, "c", "log"), log, 0o644)
		os.WriteFile(filepath.Join(dir, "c", "zeros"), nil, 0o644)
		os.Truncate(filepath.Join(dir, "c", "zeros"), 1<<20)
	})
	zeros := make([]byte, 1<<20)
	for _, c := range []struct {
		name string
		edit func(a []byte)
		want []byte
	}{
		{"c/log", func(a []byte) {}, log},
		{"c/log", func(a []byte) { a[12] = 0 }, nil},
		{"c/log", func(a []byte) { a[34] = 5 }, nil},
		{"c/zeros", func(a []byte) { a[12], a[13] = 0, 0 }, zeros}, // zeros in any case
	} {
		rec, a := attribute(t, ntfsparse.TypeData, "", lookup(t, b, c.name).Base())
		v := openBytes(t, edited(t, b, rec.N, func(r []byte) { c.edit(r[a.Off:]) }))
		got, err := contents(v, c.name)
		if c.want == nil && !errors.Is(err, ntfsparse.ErrCorrupt) || c.want != nil && (err != nil || !bytes.Equal(got, c.want)) {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
	}
}

// TestNamesThatIndexHides: a folder's index that hides names, or has those of another
// folder, is damaged, and what it has lost is found.
func TestNamesThatIndexHides(t *testing.T) {
	const n = 100
	name := func(dir string, i int) string { return fmt.Sprintf("%s with a long name %03d", dir, i) }
	b := made(t, testvol.Options{Size: 32 << 20}, func(dir string) {
		for _, sub := range []string{"one", "two"} {
			os.Mkdir(filepath.Join(dir, sub), 0o755)
			for i := range n {
				path := filepath.Join(dir, sub, name(sub, i))
				os.WriteFile(path, []byte(path), 0o644)
				if i%3 == 0 {
					testvol.DOSName(t, path, fmt.Sprintf("%s~%d.TXT", strings.ToUpper(sub), i))
				}
			}
		}
	})
	one, two := indexBlocks(b, lookup(t, b, "one").Ref()), indexBlocks(b, lookup(t, b, "two").Ref())
	other := bytes.Clone(b)
	copy(other[one[1]:one[1]+4096], b[two[1]:]) // with the VCN that it has
	volumes := map[string][]byte{"block of another folder": other}
	for _, hidden := range []int{4, 5, 6} {
		space := bytes.Clone(b)
		at := bytes.Index(space, append([]byte{0}, ntfsparse.EncodeName(name("one", hidden))...))
		if hidden%3 == 0 {
			at = bytes.Index(space, append([]byte{ntfsparse.NameWin32}, ntfsparse.EncodeName(name("one", hidden))...))
		}
		for at >= 0 && string(space[at&^4095:at&^4095+4]) != "INDX" {
			next := bytes.Index(space[at+1:], space[at:at+20])
			if at += 1 + next; next < 0 {
				t.Fatal("the entry is not found")
			}
		}
		space[at] = ntfsparse.NameDOS
		volumes[fmt.Sprint("name space of ", hidden)] = space
	}
	for what, img := range volumes {
		v := openBytes(t, img)
		for _, page := range []int{0, 7} {
			seen, faults := list(t, v, "one", page)
			if faults == 0 || len(seen) != n || !once(seen) || seen[name("one", 5)] != 1 {
				t.Errorf("%s: %d names in pages of %d, %d errors", what, len(seen), page, faults)
			}
		}
		fresh := openBytes(t, img)
		dir, err := lookup(t, img, "one").Dir()
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if got, err := contents(fresh, "one/"+name("one", i)); err != nil || !strings.HasSuffix(string(got), name("one", i)) {
				t.Errorf("%s, %d: %q, %v", what, i, got, err)
			}
			if e, err := dir.Lookup(name("one", i)); err != nil || e.Space == ntfsparse.NameDOS {
				t.Errorf("%s, %d: name space %d, %v", what, i, e.Space, err)
			}
		}
		if e, err := dir.Lookup(name("two", 50)); err == nil {
			t.Errorf("%s: %s is found", what, e.Name())
		}
		if names := lost(t, v); len(names) > 0 {
			t.Errorf("%s: lost besides: %q", what, names)
		}
	}
	v := openBytes(t, b)
	for _, page := range []int{0, 7} {
		if seen, faults := list(t, v, "one", page); faults > 0 || len(seen) != n {
			t.Errorf("undamaged: %d names, %d errors", len(seen), faults)
		}
	}
	if e, err := lookup(t, b, "one").Dir(); err != nil {
		t.Error(err)
	} else if dos, err := e.LookupFold("one~3.txt"); err != nil || dos.Space != ntfsparse.NameDOS {
		t.Errorf("DOS name: %+v, %v", dos, err)
	}
}

// TestWrongNumberOfSectors: the backup boot sector at the end of the device tells when
// the boot sector's number is too small, unless the volume was made smaller.
func TestWrongNumberOfSectors(t *testing.T) {
	b := small(t)
	total := openBytes(t, b).Boot().TotalSectors
	b[0x29] = 1 // of 8 KiB and more
	if got := binary.LittleEndian.Uint64(b[0x28:]); got >= total {
		t.Fatal(got, total)
	}
	v := openBytes(t, b)
	if notes := strings.Join(v.Notes(), " "); v.Boot().TotalSectors != total || !strings.Contains(notes, "its backup at the end") {
		t.Errorf("%d sectors, %q", v.Boot().TotalSectors, notes)
	}
	copy(b[binary.LittleEndian.Uint64(b[0x28:])*512:], b[:512])
	if v := openBytes(t, b); v.Boot().TotalSectors != binary.LittleEndian.Uint64(b[0x28:]) {
		t.Errorf("of a smaller volume: %d sectors", v.Boot().TotalSectors)
	}
}

// TestMadeSmaller: ntfsresize leaves the former backup boot sector where it was, and
// writes none at the new end.
func TestMadeSmaller(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 100 << 20})
	testvol.Run(t, "ntfsresize", "-ff", "-s", "70M", img)
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v, said := openBytes(t, b), binary.LittleEndian.Uint64(b[0x28:])
	if v.Boot().TotalSectors != said || said > 70_000_000/512 {
		t.Errorf("%d sectors of %d, %q", v.Boot().TotalSectors, said, v.Notes())
	}
}
