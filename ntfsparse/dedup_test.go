package ntfsparse

import (
	"bytes"
	"errors"
	"testing"
)

func openDedup(t *testing.T, v *Volume, name string) *Stream {
	t.Helper()
	f, err := v.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readSome(s *Stream) error {
	_, err := s.ReadAt(make([]byte, 100), 0)
	return err
}

// TestChunkStoreLackingOnce: a chunk store that lacks a folder is looked through
// once, not for each file.
func TestChunkStoreLackingOnce(t *testing.T) {
	img := unzipped(t, "testdata/dedup.img.gz")
	v := openImage(t, bytes.ReplaceAll(img, u16("Stream"), u16("Strexm")))
	for _, name := range []string{"form12", "form21", "form31"} {
		if err := readSome(openDedup(t, v, name)); !errors.Is(err, ErrNotCaptured) {
			t.Error(name, err)
		}
	}
	for guid, s := range v.stores {
		if !s.made.Load() || s.err == nil {
			t.Errorf("%x is looked for again", guid)
		}
	}
	if len(v.stores) == 0 {
		t.Error("no store was looked for")
	}
}

// TestChunkStoreAfterReadError: a chunk store that could not be read for a while is
// read again, by files that were open meanwhile, too.
func TestChunkStoreAfterReadError(t *testing.T) {
	img := unzipped(t, "testdata/dedup.img.gz")
	disk := &flaky{b: img, to: int64(len(img))}
	v, err := Open(disk, int64(len(img)))
	if err != nil {
		t.Fatal(err)
	}
	s := openDedup(t, v, "form31")
	v.meta, disk.times = newCache(metaCacheSize), -1
	if err := readSome(s); !errors.Is(err, errFlaky) {
		t.Error(err)
	}
	disk.times = 0
	for _, s := range []*Stream{s, openDedup(t, v, "form21")} {
		if err := readSome(s); err != nil {
			t.Error(err)
		}
	}
}
