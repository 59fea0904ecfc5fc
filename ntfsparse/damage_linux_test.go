package ntfsparse_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// small makes a volume of a few files and returns its bytes.
func small(t testing.TB) []byte {
	t.Helper()
	img := testvol.Make(t, testvol.Options{Size: 4 << 20, Args: []string{"-z", "1024"}})
	testvol.With(t, img, func(dir string) { testvol.Fill(t, dir, 20, 2) })
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(t testing.TB, v *ntfsparse.Volume) []string {
	t.Helper()
	var list []string
	err := v.Walk(context.Background(), func(e *ntfsparse.WalkEntry) error { list = append(list, e.Path); return nil })
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestSecondCopies(t *testing.T) {
	img := small(t)
	sound, err := ntfsparse.Open(bytes.NewReader(img), int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	want, mft := names(t, sound), sound.Boot().MFT*sound.Boot().ClusterSize
	for _, c := range []struct {
		what  string
		wreck func(b []byte)
		note  string
	}{
		{"boot sector", func(b []byte) { clear(b[:512]) }, "backup"},
		{"OEM id", func(b []byte) { b[3] = 'X' }, "backup"},
		{"MFT place", func(b []byte) { b[0x30] += 3 }, ""},
		{"record 0", func(b []byte) { clear(b[mft : mft+1024]) }, "$MFTMirr"},
		{"torn record 0", func(b []byte) { b[mft+510]++ }, "$MFTMirr"},
		{"record 3", func(b []byte) { b[mft+3*1024] = 'X' }, "record 3"},
		{"signature", func(b []byte) { b[510] = 0 }, "55 AA"},
		{"$UpCase", func(b []byte) { clear(b[mft+10*1024 : mft+11*1024]) }, "$UpCase"},
	} {
		b := bytes.Clone(img)
		c.wreck(b)
		v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if got := names(t, v); !slices.Equal(got, want) {
			t.Errorf("%s: %d names, want %d", c.what, len(got), len(want))
		}
		if s := strings.Join(v.Notes(), " "); !strings.Contains(s, c.note) {
			t.Errorf("%s: notes %q", c.what, s)
		}
	}
}

func TestLookAlikes(t *testing.T) {
	for magic, want := range map[string]string{"-FVE-FS-": "BitLocker", "MSWIN4.1": "BitLocker", "ReFS\x00\x00\x00\x00": "ReFS", "EXFAT   ": "exFAT"} {
		b := make([]byte, 1<<16)
		copy(b[3:], magic)
		if magic == "MSWIN4.1" { // To Go
			copy(b[0x1A8:], "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01")
		}
		_, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
		if !errors.Is(err, ntfsparse.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", magic, err)
		}
	}
}

// TestStates sets what a volume can say about itself.
func TestStates(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		os.WriteFile(filepath.Join(dir, "hiberfil.sys"), append([]byte("HIBR"), make([]byte, 9000)...), 0o644)
	})
	b, _ := os.ReadFile(img)
	v := open(t, img)
	at := v.Boot().MFT*4096 + 3*1024
	flags := bytes.Index(b[at:at+1024], []byte{3, 1, 0x80, 0})
	if flags < 0 {
		if flags = bytes.Index(b[at:at+1024], []byte{0, 0, 0, 0, 0, 0, 0, 0, 3, 1}); flags > 0 {
			flags += 8
		}
	}
	b[at+int64(flags)+2] |= 1
	v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(v.Notes(), " "); !v.VolumeInfo().Dirty() || !strings.Contains(s, "dirty") || !strings.Contains(s, "hibernated") {
		t.Errorf("%+v %q", v.VolumeInfo(), s)
	}
}

func TestDeletedFiles(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	data := bytes.Repeat([]byte("to be deleted "), 5000)
	testvol.With(t, img, func(dir string) {
		os.MkdirAll(filepath.Join(dir, "keep"), 0o755)
		os.MkdirAll(filepath.Join(dir, "gone"), 0o755)
		for _, name := range []string{"keep/a", "gone/b", "keep/stays"} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		os.WriteFile(filepath.Join(dir, "keep/resident"), []byte("small"), 0o644)
		os.Remove(filepath.Join(dir, "keep/a"))
		os.Remove(filepath.Join(dir, "keep/resident"))
		os.RemoveAll(filepath.Join(dir, "gone"))
	})
	v := open(t, img)
	found := map[string]ntfsparse.Ref{}
	err := v.Deleted(context.Background(), func(d *ntfsparse.DeletedFile) error {
		if !d.Recoverable() {
			t.Errorf("%s: %d of %d clusters free, %v", d.Path, d.Free, d.Clusters, d.Err)
		}
		found[d.Path] = d.Ref
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", found)
	s, err := v.OpenDeleted(found["/keep/a"])
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(data))
	if n, err := s.ReadAt(got, 0); n != len(data) || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, ok := found["/gone/b"]; !ok {
		t.Error("/gone/b is not listed")
	}
	if _, err := v.OpenDeleted(ntfsparse.MakeRef(5, 5)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the root is no deleted file: %v", err)
	}

	// Without $Bitmap they are still listed, and those without clusters come back.
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	b[v.Boot().MFT*v.Boot().ClusterSize+ntfsparse.RecordBitmap*1024] = 'X'
	blind, n := openBytes(t, b), 0
	err = blind.Deleted(context.Background(), func(d *ntfsparse.DeletedFile) error {
		if n++; d.Recoverable() != (d.Path == "/keep/resident" || d.Info.IsDir) {
			t.Errorf("without a bitmap: %s, %v", d.Path, d.Err)
		}
		return nil
	})
	if _, opened := blind.OpenDeleted(found["/keep/resident"]); err != nil || opened != nil || n != len(found) {
		t.Errorf("without a bitmap: %d of %d, %v, %v", n, len(found), err, opened)
	}
}

// TestPlaceholders: what is not on the volume does not read as zeros.
func TestPlaceholders(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for _, name := range []string{"away", "tiered", "projected", "unknown", "here"} {
			os.WriteFile(filepath.Join(dir, name), nil, 0o644)
			os.Truncate(filepath.Join(dir, name), 1<<20)
		}
		testvol.Reparse(t, filepath.Join(dir, "tiered"), 0x8000001E, make([]byte, 32))
		testvol.Reparse(t, filepath.Join(dir, "projected"), 0x9000001C, make([]byte, 32))
		testvol.Reparse(t, filepath.Join(dir, "unknown"), 0x80007777, make([]byte, 32))
		os.WriteFile(filepath.Join(dir, "here"), make([]byte, 5000), 0o644)
		testvol.Reparse(t, filepath.Join(dir, "away"), 0x9000701A, make([]byte, 32))
		testvol.Reparse(t, filepath.Join(dir, "here"), 0x9000701A, make([]byte, 32))
	})
	v := open(t, img)
	for name, want := range map[string]error{"away": ntfsparse.ErrNotCaptured, "tiered": ntfsparse.ErrNotCaptured,
		"projected": ntfsparse.ErrNotCaptured, "unknown": ntfsparse.ErrNotCaptured, "here": nil} {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.ReadAt(make([]byte, 100), 0); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// TestCaseSensitiveFolder: names that differ in case alone.
func TestCaseSensitiveFolder(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		os.Mkdir(filepath.Join(dir, "d"), 0o755)
		for _, name := range []string{"d/Name", "d/name", "d/NAME", "d/other"} {
			os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644)
		}
	})
	v := open(t, img)
	f, _ := v.Lookup("d")
	d, err := f.Dir()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		exact, fold string
	}{{"name", "name", "name"}, {"NAME", "NAME", "NAME"}, {"nAME", "", "NAME"}, {"OTHER", "", "other"}, {"absent", "", ""}, {"", "", ""}} {
		e, err := d.Lookup(c.name)
		if (err == nil) != (c.exact != "") || err == nil && e.Name() != c.exact {
			t.Errorf("%q: found %q, %v", c.name, e.Units, err)
		}
		e, err = d.LookupFold(c.name)
		if (err == nil) != (c.fold != "") || err == nil && e.Name() != c.fold {
			t.Errorf("%q without case: found %q, %v", c.name, e.Units, err)
		}
	}
}

// TestEveryNameCanBeLookedUp in a folder of many names of all kinds.
func TestEveryNameCanBeLookedUp(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for i := range 3000 {
			name := []byte{byte('a' + i%26), byte('A' + i/26%26), 0xC3, byte(0xA0 + i%31), byte('0' + i%10)}
			os.WriteFile(filepath.Join(dir, string(binary.AppendUvarint(name, uint64(i)&0x3F+0x30))), nil, 0o644)
		}
	})
	v := open(t, img)
	root, _ := v.Root()
	d, _ := root.Dir()
	n := 0
	d.Read(0, func(e ntfsparse.DirEntry, _ error) bool {
		got, err := d.Lookup(e.Name())
		if err != nil || got.Ref != e.Ref {
			t.Errorf("%s: %v, %v", e.Name(), got.Ref, err)
		}
		rest := 0
		if n%500 == 0 {
			d.Read(e.Cookie, func(next ntfsparse.DirEntry, _ error) bool { rest++; return next.Cookie > e.Cookie && rest < 1 })
		}
		n++
		return true
	})
	if n < 1000 {
		t.Errorf("%d names", n)
	}
}

// TestEncrypted marks a stream as encrypted, as crafted data: its contents are
// refused, its raw bytes are not.
func TestEncrypted(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	data := bytes.Repeat([]byte("cipher text "), 1000)
	testvol.With(t, img, func(dir string) { os.WriteFile(filepath.Join(dir, "f"), data, 0o644) })
	v := open(t, img)
	f, _ := v.Lookup("f")
	b, _ := os.ReadFile(img)
	for _, a := range f.Attrs() {
		if a.Type() == ntfsparse.TypeData {
			at := v.Boot().MFT*4096 + int64(f.Ref().Record())*1024 + int64(a.Off)
			b[at+0x0D] |= 0x40
		}
	}
	v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, _ = v.Lookup("f")
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAt(make([]byte, 10), 0); !errors.Is(err, ntfsparse.ErrEncrypted) {
		t.Errorf("contents: %v", err)
	}
	raw := s.Raw()
	got := make([]byte, raw.Size())
	if _, err := raw.ReadAt(got, 0); err != nil || len(got) != 12288 || !bytes.Equal(got[:len(data)], data) {
		t.Errorf("%d raw bytes, %v", len(got), err)
	}
}

// TestCaseSensitiveFlag sets what Windows sets on case-sensitive folders.
func TestCaseSensitiveFlag(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		os.Mkdir(filepath.Join(dir, "d"), 0o755)
		os.WriteFile(filepath.Join(dir, "d/Name"), nil, 0o644)
	})
	v := open(t, img)
	f, _ := v.Lookup("d")
	b, _ := os.ReadFile(img)
	at := v.Boot().MFT*4096 + int64(f.Ref().Record())*1024 + int64(f.Attrs()[0].Off) + 0x18
	b[at+0x28] = 1
	v, _ = ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if _, err := v.Lookup("D/Name"); err != nil {
		t.Error(err)
	}
	if _, err := v.Lookup("d/name"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("d/name: %v", err)
	}
	if ref, _, err := v.LookupLost(t.Context(), "/D/Name"); err != nil || ref != f.Ref()+1 {
		t.Errorf("/D/Name among all files: %v, %v", ref, err)
	}
	if _, _, err := v.LookupLost(t.Context(), "/d/name"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("/d/name among all files: %v", err)
	}
}

// TestMirrorOfAnotherRecord: what lies in a record's place in the mirror is its
// copy only when it has its number.
func TestMirrorOfAnotherRecord(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 256 << 20, Cluster: 64 << 10})
	testvol.With(t, img, func(dir string) { os.WriteFile(filepath.Join(dir, "f"), []byte("f"), 0o644) })
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	const n = 26
	mirror := b[v.Boot().Mirror*v.Boot().ClusterSize:]
	copy(mirror[n*1024:], recordIn(v, b, ntfsparse.RecordRoot))
	clear(recordIn(v, b, n)[:4])
	if f, err := openBytes(t, b).File(n); err == nil {
		t.Errorf("record %d is %v", n, f.Names()[0].Name())
	}
	copy(mirror[9*1024:], recordIn(v, b, 9))
	clear(recordIn(v, b, 9)[:4])
	if _, err := openBytes(t, b).File(9); err != nil {
		t.Errorf("a copy in the mirror: %v", err)
	}
}

// TestRecord0 changes each bit of $MFT's own record: by its copy in the mirror all
// files are found.
func TestRecord0(t *testing.T) {
	for _, b := range [][]byte{small(t), made(t, testvol.Options{Size: 12 << 20, Cluster: 512}, func(dir string) { testvol.FragmentMFT(t, dir, 300) })} {
		v := openBytes(t, b)
		want := names(t, v)
		rec := b[v.Boot().MFT*v.Boot().ClusterSize:][:1024]
		used, step := int(binary.LittleEndian.Uint32(rec[0x18:])), 1+len(want)/100
		for i := 0; i < 8*used; i += step {
			if i/8%512 >= 510 {
				continue
			}
			rec[i/8] ^= 1 << (i % 8)
			got := slices.Compact(names(t, openBytes(t, b))) // what is wrong with the volume has the root's path
			if !slices.Equal(got, want) {
				t.Errorf("bit %d of byte %#x: %d names, want %d", i%8, i/8, len(got), len(want))
			}
			rec[i/8] ^= 1 << (i % 8)
		}
	}
}
