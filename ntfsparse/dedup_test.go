package ntfsparse

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
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

// TestRealChunkRefs decodes two entries that follow each other in a stream map which
// Windows Server wrote, as they are printed in public.
func TestRealChunkRefs(t *testing.T) {
	var start int64
	var next uint32
	for _, c := range []struct {
		entry string
		want  chunkRef
	}{
		{"820000000400000038718b0000000100639e000000000000" + "51f1bd2cbe2b69d0c672814298d3f2467dce959f993e55a91b6c88df9c43551c" + "d21b000000000000",
			chunkRef{chunkPlace: chunkPlace{0x82, 4, 0x8B7138, 0x10000, 0x1BD2}, end: 0x9E63}},
		{"8300000004000000688d8b00000001003ab5000000000000" + "667fb50794619985045c5744d7556fa8f4b6d58904145211b2fb1b8060474766" + "ae04000000000000",
			chunkRef{chunkPlace: chunkPlace{0x83, 4, 0x8B8D68, 0x10000, 0x4AE}, end: 0xB53A}},
	} {
		b, err := hex.DecodeString(c.entry)
		if err != nil || len(b) != smapEntry {
			t.Fatal(len(b), err)
		}
		copy(c.want.hash[:], b[24:56])
		got := parseChunkRef(b)
		if got != c.want {
			t.Errorf("%+v, not %+v", got, c.want)
		}
		if err := got.checkLen(start); err != nil {
			t.Error(err)
		}
		if next != 0 && got.offset != next {
			t.Errorf("the chunk is at %#x, behind the one before it is %#x", got.offset, next)
		}
		start, next = got.end, (got.offset+uint32(chunkHeads[chunkData].size)+got.len+7)&^7
	}
	if number, generation, ok := parseContainerName("00000004.00010000.ccc"); number != 4 || generation != 0x10000 || !ok {
		t.Errorf("container %d.%x, %v", number, generation, ok)
	}
}

// TestChunkStoreListedInPart: a chunk store of which the disk gave a part is used, and
// listed again another time, for files that were open meanwhile, too.
func TestChunkStoreListedInPart(t *testing.T) {
	b := newRB(400, 4096, 1024, 64)
	var guid [16]byte
	names := []string{"System Volume Information", "Dedup", "ChunkStore", "{" + GUIDText(guid[:]) + "}.ddp"}
	b.root(ixEntry(MakeRef(30, 1), fnv(5, 5, names[0], 3, nameIsDir)))
	folder := func(n, up int, name string, entries ...[]byte) {
		b.put(n, 1, 3, 0, b.si(0x10), b.fn(uint64(up), 1, name, 3, nameIsDir), b.ixRoot(entries...))
	}
	entry := func(n, up int, name string, attrs uint32) []byte {
		return ixEntry(MakeRef(uint64(n), 1), fnv(uint64(up), 1, name, 3, attrs))
	}
	for i := range 3 {
		folder(30+i, []int{5, 30, 31}[i], names[i], entry(31+i, 30+i, names[i+1], nameIsDir))
	}
	folder(33, 32, names[3], entry(34, 33, "Data", nameIsDir), entry(35, 33, "Stream", nameIsDir))
	folder(35, 33, "Stream", entry(36, 35, "00000001.00000001.ccc", 0))
	lcn := b.alloc(2, append(indexBlock(4096, 0, entry(37, 34, "00000009.00000001.ccc", 0)), indexBlock(4096, 1, entry(36, 34, "00000001.00000001.ccc", 0))...))
	b.folderOver(34, "Data", 4096, 2, lcn)
	b.put(36, 1, 1, 0, b.si(0x20), b.fn(35, 1, "00000001.00000001.ccc", 3, 0), b.res(TypeData, "", 0, []byte("Cthr")))
	b.put(37, 1, 1, 0, b.si(0x20), b.fn(34, 1, "00000009.00000001.ccc", 3, 0), b.res(TypeData, "", 0, []byte("Cthr")))
	v, d := b.openFlaky(t)
	d.from, d.to, d.times = (lcn+1)*4096, (lcn+2)*4096, -1
	first, err := v.chunkStore(guid)
	if err != nil || len(first.kinds[chunkData]) != 1 {
		t.Fatal(first, err)
	}
	if s, err := v.chunkStore(guid); err != nil || !errors.Is(s.bad[chunkData], errFlaky) {
		t.Error(s, err)
	}
	d.times = 0
	open := &dedupBlocks{v: v, store: guid}
	whole := slices.ContainsFunc(make([]int, 10), func(int) bool { return len(open.storeOf(&smap{store: first}).kinds[chunkData]) == 2 })
	if s, err := v.chunkStore(guid); !whole || err != nil || s.passing() != nil {
		t.Errorf("%+v, %v", s, err)
	}
}
