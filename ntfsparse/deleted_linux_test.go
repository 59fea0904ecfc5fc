package ntfsparse_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// recordIn is file record n inside the volume's bytes, whose file table is in one
// piece.
func recordIn(v *ntfsparse.Volume, b []byte, n uint64) []byte {
	at := v.Boot().MFT*v.Boot().ClusterSize + int64(n)*int64(v.Boot().RecordSize)
	return b[at : at+int64(v.Boot().RecordSize)]
}

// markDeleted does what Windows does to the records of a deleted file: they are not in
// use any more, have the next sequence number, and keep all else.
func markDeleted(r []byte) {
	r[0x16] &^= 1
	seq := binary.LittleEndian.Uint16(r[0x10:]) + 1
	binary.LittleEndian.PutUint16(r[0x10:], max(seq, 1))
}

// TestDeletedFileOfManyRecords: extension records of a deleted file count their
// sequence numbers up like its base record, while what refers to them stays.
func TestDeletedFileOfManyRecords(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 64 << 20})
	testvol.With(t, img, func(dir string) { testvol.Striped(t, filepath.Join(dir, "f"), 3000) })
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	f, err := v.Lookup("f")
	if err != nil {
		t.Fatal(err)
	}
	want, err := contents(v, "f")
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := v.File(ntfsparse.RecordBitmap)
	if err != nil {
		t.Fatal(err)
	}
	bits, err := bitmap.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	bits.Extents(func(_, _, phys int64) bool { at = phys; return false })
	s, _ := f.Open()
	for i := range s.Runs().Len() {
		if r := s.Runs().At(i); r.LCN != ntfsparse.Hole {
			for c := r.LCN; c < r.LCN+r.Len; c++ {
				b[at+c/8] &^= 1 << (c % 8)
			}
		}
	}
	markDeleted(recordIn(v, b, f.Ref().Record()))
	for _, x := range f.Extensions() {
		markDeleted(recordIn(v, b, x.N))
	}
	if len(f.Extensions()) < 5 {
		t.Fatalf("only %d extension records", len(f.Extensions()))
	}

	v = openBytes(t, b)
	d := deletedAt(t, v, "/f")
	if !d.Recoverable() || d.Clusters != 3000 || d.Info.Size != s.Size() {
		t.Errorf("%d of %d clusters free, size %d, %v", d.Free, d.Clusters, d.Info.Size, d.Err)
	}
	got, err := v.OpenDeleted(d.Ref)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(io.NewSectionReader(got, 0, got.Size()))
	if err != nil || !bytes.Equal(all, want) {
		t.Errorf("%d bytes of %d, %v", len(all), len(want), err)
	}

	// One of them has been used anew and freed again.
	last := f.Extensions()[len(f.Extensions())-1]
	markDeleted(recordIn(v, b, last.N))
	v = openBytes(t, b)
	if d = deletedAt(t, v, "/f"); d.Err == nil || d.Recoverable() {
		t.Errorf("a record used anew: %d of %d clusters free, %v", d.Free, d.Clusters, d.Err)
	}
	if _, err := v.OpenDeleted(d.Ref); err == nil {
		t.Error("a record used anew: contents open")
	}
}

// TestDeletedFileWithoutName: ntfs-3g takes the name out of the record when it is
// not in the base record.
func TestDeletedFileWithoutName(t *testing.T) {
	img := testvol.Make(t, testvol.Options{})
	want := bytes.Repeat([]byte("nameless"), 2000)
	var n uint64
	testvol.With(t, img, func(dir string) {
		name := filepath.Join(dir, "f")
		os.WriteFile(name, want, 0o644)
		for i := range 30 {
			if err := os.WriteFile(fmt.Sprintf("%s:stream %02d", name, i), bytes.Repeat([]byte("s"), 200), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	f, err := open(t, img).Lookup("f")
	if err != nil {
		t.Fatal(err)
	}
	n = f.Ref().Record()
	testvol.With(t, img, func(dir string) { os.Remove(filepath.Join(dir, "f")) })
	v := open(t, img)
	d := deletedAt(t, v, fmt.Sprintf("/$Nameless-%d", n))
	if !d.Recoverable() || d.Name.Name() != "" {
		t.Errorf("%d of %d clusters free, %v, name %q", d.Free, d.Clusters, d.Err, d.Name.Name())
	}
	s, err := v.OpenDeleted(d.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size())); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if list, err := v.DeletedStreams(d.Ref); err != nil || len(list) < 30 { // of 31 one is lost to its list
		t.Errorf("%d streams, %v", len(list), err)
	}
}

// deletedAt finds the deleted file with a path.
func deletedAt(t *testing.T, v *ntfsparse.Volume, path string) ntfsparse.DeletedFile {
	t.Helper()
	var found ntfsparse.DeletedFile
	var all []string
	err := v.Deleted(t.Context(), func(d *ntfsparse.DeletedFile) error {
		all = append(all, d.Path)
		if d.Path == path {
			found = *d
		}
		return nil
	})
	if err != nil || found.Path == "" {
		t.Fatalf("no deleted %s among %q, %v", path, all, err)
	}
	return found
}

// TestVeryDeepFolders: each folder lies in the one before, deeper than any path
// may be. What is held and given out stays bounded.
func TestVeryDeepFolders(t *testing.T) {
	const folders = 1300
	img := testvol.Make(t, testvol.Options{})
	testvol.With(t, img, func(dir string) {
		for i := range folders {
			if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("d%04d", i)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	v := openBytes(t, b)
	above := ntfsparse.MakeRef(ntfsparse.RecordRoot, 5)
	for i := range folders {
		f, err := v.Lookup(fmt.Sprintf("d%04d", i))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range f.Attrs() {
			if a.Type() == ntfsparse.TypeFileName {
				r := recordIn(v, b, f.Ref().Record())[a.Off:]
				binary.LittleEndian.PutUint64(r[binary.LittleEndian.Uint16(r[0x14:]):], uint64(above))
			}
		}
		above = f.Ref()
	}
	deep, n := 0, 0
	err = openBytes(t, b).Walk(t.Context(), func(e *ntfsparse.WalkEntry) error {
		deep, n = max(deep, strings.Count(e.Path, "/")), n+1
		if strings.HasPrefix(e.Path, "/$Orphan-") && strings.Count(e.Path, "/") == 1 {
			f, err := openBytes(t, b).Lookup(e.Path)
			if !errors.Is(e.Err, ntfsparse.ErrUnsupported) || err != nil || f.Damage() != nil && !errors.Is(f.Damage(), ntfsparse.ErrUnsupported) {
				t.Errorf("%s: %v, %v, %v", e.Path, e.Err, err, f.Damage())
			}
		}
		return nil
	})
	if err != nil || deep != 1025 || n != folders+2 { // a folder's path has 1,024 names; deeper ones are below "/$Orphan-N"
		t.Errorf("%d entries, %d names deep, %v", n, deep, err)
	}

	for i := range folders { // the deleted ones, too
		f, _ := v.Lookup(fmt.Sprintf("d%04d", i))
		markDeleted(recordIn(v, b, f.Ref().Record()))
	}
	deep, n = 0, 0
	err = openBytes(t, b).Deleted(t.Context(), func(d *ntfsparse.DeletedFile) error {
		deep, n = max(deep, strings.Count(d.Path, "/")), n+1
		return nil
	})
	if err != nil || n != folders || deep > 66 { // 64 folders below "/$Orphan-N"
		t.Errorf("%d deleted, %d names deep, %v", n, deep, err)
	}
}

// TestDeletedCompactFile: its contents are in a named stream, whose clusters have
// others by now.
func TestDeletedCompactFile(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 16 << 20})
	want := bytes.Repeat([]byte("The quick brown fox. "), 20000)
	testvol.With(t, img, func(dir string) {
		if !testvol.WriteWOF(t, filepath.Join(dir, "wof"), want, testvol.XPRESS4K) {
			t.Fatal("it was not compressed")
		}
	})
	testvol.With(t, img, func(dir string) { os.Remove(filepath.Join(dir, "wof")) })
	v := open(t, img)
	d := deletedAt(t, v, "/wof")
	if !d.Recoverable() || d.Clusters == 0 {
		t.Errorf("%d of %d clusters free, %v", d.Free, d.Clusters, d.Err)
	}
	s, err := v.OpenDeleted(d.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size())); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.File(ntfsparse.RecordBitmap)
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := f.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	bitmap.Extents(func(_, n, phys int64) bool {
		for i := range b[phys : phys+n] {
			b[phys+int64(i)] = 0xFF
		}
		return true
	})
	v = openBytes(t, b)
	if d := deletedAt(t, v, "/wof"); d.Recoverable() || d.Free != 0 {
		t.Errorf("all in use: %d of %d clusters free, %v", d.Free, d.Clusters, d.Err)
	}
	if _, err := v.OpenDeleted(d.Ref); !errors.Is(err, ntfsparse.ErrNotCaptured) {
		t.Errorf("all in use: %v", err)
	}
}
