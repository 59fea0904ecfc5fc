package ntfsparse_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// crafted is a volume with deduplicated files. No volume of Windows that has
// any is public, so that it follows descriptions of the format.
type crafted struct {
	img   []byte
	files map[string][]byte // what comes out
	bad   map[string]string // words of the error
}

var craftedOnce = struct {
	sync.Once
	crafted
}{}

// makeCrafted makes the volume once for all tests; its image is not to be
// changed.
func makeCrafted(t *testing.T) crafted {
	craftedOnce.Do(func() { craftedOnce.crafted = craft(t) })
	if craftedOnce.img == nil {
		t.Fatal("the volume could not be made")
	}
	return craftedOnce.crafted
}

func craft(t *testing.T) crafted {
	c := crafted{files: map[string][]byte{}, bad: map[string]string{}}
	rnd := rand.New(rand.NewPCG(13, 0x80000013))
	d := &testvol.Dedup{GUID: [16]byte{0xfa, 0x7b, 0x1b, 0x5d, 0x3e, 0xb7, 0xa0, 0x42, 0x95, 0xcb, 0x91, 0xce, 0x19, 0x21, 0xcf, 0xb2}}
	img := testvol.Make(t, testvol.Options{Size: 24 << 20})
	testvol.With(t, img, func(dir string) {
		file := func(name string, point []byte, plain []byte) {
			testvol.WriteDedup(t, filepath.Join(dir, name), int64(len(plain)), point)
			c.files[name] = plain
		}
		refused := func(name string, size int64, point []byte, words string) {
			testvol.WriteDedup(t, filepath.Join(dir, name), size, point)
			c.bad[name] = words
		}
		data1, data2, maps := d.Container(false, 1, 1), d.Container(false, 0xABCDEF, 3), d.Container(true, 1, 1)

		// One file of plain and compressed chunks, of two containers, in every form.
		var plain []byte
		var chunks []testvol.DedupChunk
		for i, n := range []int{40_000, 131_072, 65_536, 1, 33_000} {
			k := testvol.Content(rnd, n)
			plain = append(plain, k...)
			chunks = append(chunks, []*testvol.DedupContainer{data1, data2}[i%2].AddData(k, i != 2))
		}
		m := maps.AddMap(0, chunks...)
		file("form31", d.Point31(nil, m), plain)
		file("form21", d.Point21(m), plain)
		file("form12", d.Point12(m), plain)

		// Maps with more bytes than their entries take.
		rest := maps.AddLongMap([]byte{1, 2, 3, 4}, 0, chunks...)
		file("map with a rest", d.Point31(nil, rest), plain)
		file("map with a rest 12", d.Point12(rest), plain)

		// The same chunks in another order, and twice: what deduplication is for.
		other := []testvol.DedupChunk{chunks[3], chunks[1], chunks[1], chunks[0], chunks[4]}
		var shuffled []byte
		for _, i := range []int{40_000 + 131_072 + 65_536, 40_000, 40_000, 0, 40_000 + 131_072 + 65_536 + 1} {
			n := map[int]int{0: 40_000, 40_000: 131_072, 236_608: 1, 236_609: 33_000}[i]
			shuffled = append(shuffled, plain[i:i+n]...)
		}
		order := maps.AddMap(0, other...)
		file("shuffled", d.Point31(nil, order), shuffled)
		file("shuffled 21", d.Point21(order), shuffled)

		// A map of 3000 chunks, and a file of several maps.
		var long []byte
		var many []testvol.DedupChunk
		for i := range 3000 {
			k := []byte(fmt.Sprintf("chunk %d of many, %x\n", i, rnd.Uint64()))
			long = append(long, k...)
			many = append(many, data2.AddData(k, false))
		}
		file("long map", d.Point21(maps.AddMap(0, many...)), long)
		var parts []testvol.DedupMap
		for i, at := 0, int64(0); i < 3000; i += 30 {
			p := d.Container(true, 2+uint32(i/1000), 1).AddMap(at, many[i:i+30]...)
			parts, at = append(parts, p), p.End
		}
		file("many maps", d.Point31(nil, parts...), long)
		file("many maps 21", d.Point21(parts...), long)

		// A chunk that was moved in its container, one whose container has a newer
		// generation alone, and one that is sound in the older one of two alone.
		k := testvol.Content(rnd, 50_000)
		stale := data1.AddData(k, true)
		data1.Moved(stale.Number, stale.Offset)
		stale.Offset = 0x5008
		file("moved", d.Point31(nil, maps.AddMap(0, stale)), k)
		gen := d.Container(false, 7, 2).AddData(k[:40_000], true)
		d.Container(false, 7, 2).Moved(gen.Number, gen.Offset)
		gen.Generation, gen.Offset = 1, 0x7000
		file("generation", d.Point31(nil, maps.AddMap(0, gen)), k[:40_000])
		old := d.Container(false, 8, 1).AddData(k[10_000:], true)
		d.Container(false, 8, 2).AddData([]byte("something else"), false)
		old.Generation = 2
		file("two generations", d.Point31(nil, maps.AddMap(0, old)), k[10_000:])
		moved := maps.AddMap(0, chunks...)
		maps.Moved(moved.Number, moved.Offset)
		moved.Offset, moved.Generation = 0x5010, 9
		file("moved map", d.Point31(nil, moved), plain)
		file("moved map 21", d.Point21(moved), plain)

		// What is its own master again, and what is neither nor.
		point := d.Point31(nil, m)
		os.WriteFile(filepath.Join(dir, "own"), shuffled[:len(plain)], 0o644)
		testvol.Reparse(t, filepath.Join(dir, "own"), 0x80000013, point)
		c.files["own"] = shuffled[:len(plain)]
		f, err := os.Create(filepath.Join(dir, "written to"))
		if err == nil {
			_, err = f.WriteAt([]byte("new"), 100_000)
			f.Truncate(int64(len(plain)))
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		testvol.Reparse(t, filepath.Join(dir, "written to"), 0x80000013, point)
		c.bad["written to"] = "written to since"

		// Refusals by the reparse point.
		n := int64(len(plain))
		refused("longer", n+1, point, "holds 269609 bytes of a file of 269610")
		set := func(record string, i int, value []byte) func(string, map[int][]byte) {
			return func(name string, e map[int][]byte) {
				if name == record {
					e[i] = value
				}
			}
		}
		one, one64 := []byte{1, 0, 0, 0}, []byte{1, 0, 0, 0, 0, 0, 0, 0}
		refused("recall bitmap", n, d.Point31(set("RbRp", 4, one64), m), "recall bitmap")
		refused("recall depth", n, d.Point31(set("RbRp", 2, one), m), "recall bitmap")
		refused("recall revision", n, d.Point31(set("RbRp", 0, []byte{2, 0, 0, 0}), m), `"RbRp" of a deduplicated file has 2 as element 0`)
		refused("revision", n, d.Point31(set("FeRp", 0, []byte{2, 0, 0, 0}), m), `"FeRp" of a deduplicated file has 2 as element 0`)
		refused("flags", n, d.Point31(set("FeRp", 1, one), m), "has 1 as element 1")
		refused("bitmap kind", n, d.Point31(set("FeRp", 6, one), m), "has 1 as element 6")
		refused("no size", n, d.Point31(set("FeRp", 4, nil), m), "lacks its element 4")
		refused("size", n, d.Point31(set("FeRp", 4, one64), m), "end at 269609 of 1")
		refused("no store", n, d.Point31(set("FeRp", 2, make([]byte, 15)), m), "lacks its element 2")
		refused("other store", n, d.Point31(set("FeRp", 2, make([]byte, 16)), m), "{00000000-0000-0000-0000-000000000000}.ddp")
		refused("no recall record", n, d.Point31(set("FeRp", 7, []byte("RbRq")), m), `no record "RbRp"`)
		refused("no map record", n, d.Point31(set("FeRp", 8, nil), m), "lacks its element 8")
		refused("map revision", n, d.Point31(set("DdRp", 0, nil), m), `"DdRp" of a deduplicated file lacks its element 0`)
		refused("first map", n, d.Point31(set("DdRp", 1, one64), m), "two first stream maps")
		refused("half a map", n, d.Point31(set("DdRp", 2, make([]byte, 60)), m), "half a stream map")
		refused("no maps", n, d.Point31(set("DdRp", 2, nil), m), "lacks its element 2")
		change := func(p []byte, at int, b ...byte) []byte {
			p = bytes.Clone(p)
			copy(p[at:], b)
			return binary.LittleEndian.AppendUint32(p[:len(p)-4], crc32.ChecksumIEEE(p[:len(p)-4]))
		}
		refused("form", n, change(point, 0, 4), "form 4.1")
		refused("length", n, change(point, 2, 0), "two lengths")
		refused("inner length", n, change(point, 12, 0), "two lengths")
		refused("inner checksum", n, change(point, 8, 0), "wrong checksum")
		sum := bytes.Clone(point)
		sum[len(sum)-1]++
		refused("checksum", n, sum, "wrong checksum")
		refused("short", n, []byte{3, 1, 6, 0, 0, 0}, "cut short")
		refused("form12 of two", n, change(append(d.Point12(m), 0, 0, 0, 0), 2, 128), "form 1.2 with 124 bytes")
		refused("form21 misplaced", n, change(d.Point21(m), 0x4E, 0xF0), "misplaced")
		refused("form21 empty", n, change(d.Point21(m), 0x4C, 0), "misplaced")

		// Refusals by what the maps are.
		with := func(f func(m *testvol.DedupMap)) []byte {
			m := m
			f(&m)
			return d.Point31(nil, m)
		}
		refused("map number", n, with(func(m *testvol.DedupMap) { m.Number++ }), "another number")
		refused("map container", n, with(func(m *testvol.DedupMap) { m.Container = 99 }), "lacks container Stream/00000063")
		refused("map offset", n, with(func(m *testvol.DedupMap) { m.Offset += 8 }), "no chunk")
		refused("map far away", n, with(func(m *testvol.DedupMap) { m.Offset = 1 << 31 }), "ends there")
		refused("map length", n, with(func(m *testvol.DedupMap) { m.Len += 64 }), "another length")
		refused("map odd", n, with(func(m *testvol.DedupMap) { m.Len++ }), "another length")
		refused("map short", n, with(func(m *testvol.DedupMap) { m.Len = 71 }), "stream map of a deduplicated file has 71 bytes")
		refused("map hash", n, with(func(m *testvol.DedupMap) { m.Hash[3]++ }), "another hash")
		refused("map begin", n, with(func(m *testvol.DedupMap) { m.Begin = 1 }), "do not join")
		refused("map end", n-1, with(func(m *testvol.DedupMap) { m.End-- }), "stream map ends at 269609, not at 269608")
		gap := slices.Clone(parts)
		gap = slices.Delete(gap, 4, 5)
		refused("gap", int64(len(long)), d.Point31(nil, gap...), "do not join")

		// Refusals by what is in the maps.
		entry := func(name string, f func(k []testvol.DedupChunk) []testvol.DedupChunk, words string) {
			list := f(slices.Clone(chunks))
			size := int64(0)
			for _, k := range list {
				size += int64(k.Plain)
			}
			refused(name, size, d.Point31(nil, maps.AddMap(0, list...)), words)
		}
		each := func(f func(k *testvol.DedupChunk)) func([]testvol.DedupChunk) []testvol.DedupChunk {
			return func(list []testvol.DedupChunk) []testvol.DedupChunk { f(&list[1]); return list }
		}
		entry("chunk number", each(func(k *testvol.DedupChunk) { k.Number = 5 }), "another number")
		entry("chunk container", each(func(k *testvol.DedupChunk) { k.Container = 5 }), "lacks container Data/00000005")
		entry("chunk offset", each(func(k *testvol.DedupChunk) { k.Offset += 16 }), "Data/00abcdef.00000003.ccc: no chunk")
		entry("chunk in no place", each(func(k *testvol.DedupChunk) { k.Offset = 0xFFFFFFFF }), "ends there")
		entry("chunk hash", each(func(k *testvol.DedupChunk) { k.Hash[31]++ }), "another hash")
		entry("chunk length", each(func(k *testvol.DedupChunk) { k.Len-- }), "another length")
		entry("chunk empty", each(func(k *testvol.DedupChunk) { k.Len = 0 }), "chunk of 131072 bytes in 0")
		entry("chunk shorter", each(func(k *testvol.DedupChunk) { k.Plain-- }), "hash proves")
		entry("chunk longer", each(func(k *testvol.DedupChunk) { k.Plain++ }), "hash proves")
		entry("chunk huge", each(func(k *testvol.DedupChunk) { k.Plain = 1<<20 + 1 }), "chunk of 1048577 bytes")
		entry("chunk nothing", each(func(k *testvol.DedupChunk) { k.Plain = 0 }), "not in order")
		entry("chunk backwards", each(func(k *testvol.DedupChunk) { k.Plain = -1 }), "not in order")
		entry("chunk smaller than stored", each(func(k *testvol.DedupChunk) { k.Plain = 10 }), "chunk of 10 bytes in")
		d.Write(t, dir)
	})
	b, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	c.img = b
	return c
}

func openBytes(t testing.TB, b []byte) *ntfsparse.Volume {
	t.Helper()
	v, err := ntfsparse.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func contents(v *ntfsparse.Volume, name string) ([]byte, error) {
	f, err := v.Lookup(name)
	if err != nil {
		return nil, err
	}
	s, err := f.Open()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
}

func TestDedup(t *testing.T) {
	c := makeCrafted(t)
	v := openBytes(t, c.img)
	for name, want := range c.files {
		got, err := contents(v, name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
	}
	for name, words := range c.bad {
		got, err := contents(v, name)
		if !errors.Is(err, ntfsparse.ErrCorrupt) && !errors.Is(err, ntfsparse.ErrUnsupported) && !errors.Is(err, ntfsparse.ErrNotCaptured) {
			t.Errorf("%s: %d bytes, error %v", name, len(got), err)
		} else if !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "file record") {
			t.Errorf("%s: %q does not say %q", name, err, words)
		}
	}
}

// TestDedupAnywhere reads at random places, in parallel.
func TestDedupAnywhere(t *testing.T) {
	c := makeCrafted(t)
	v := openBytes(t, c.img)
	var wg sync.WaitGroup
	for name, want := range c.files {
		f, err := v.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Open()
		if err != nil || s.Size() != int64(len(want)) {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				for range 60 {
					off := rnd.IntN(len(want) + 10)
					p := make([]byte, rnd.IntN(1<<rnd.IntN(18)))
					n, err := s.ReadAt(p, int64(off))
					rest := want[min(off, len(want)):]
					if n != min(len(p), len(rest)) || !bytes.Equal(p[:n], rest[:n]) || (err != nil) != (n < len(p) || off >= len(want)) {
						t.Errorf("%s: %d at %d: %d, %v", name, len(p), off, n, err)
						return
					}
				}
			}()
		}
		if end, hole := s.NextExtent(0); hole || end != s.Size() {
			t.Errorf("%s: extent to %d, hole %v", name, end, hole)
		}
	}
	wg.Wait()
}

// TestDedupReadsLittle: a byte costs its chunk, and the map.
func TestDedupReadsLittle(t *testing.T) {
	c := makeCrafted(t)
	r := &counted{b: c.img}
	v, err := ntfsparse.Open(r, int64(len(c.img)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.Lookup("long map")
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	read := func(off int64) int64 {
		before := r.n
		if _, err := s.ReadAt(make([]byte, 1), off); err != nil {
			t.Fatal(err)
		}
		return r.n - before
	}
	if n := read(0); n > 600<<10 {
		t.Errorf("the first byte costs %d bytes", n)
	}
	if n := read(s.Size() / 2); n > 96<<10 { // pages of the map, and the chunk
		t.Errorf("a byte in the middle costs %d bytes more", n)
	}
	if n := read(s.Size() / 2); n != 0 {
		t.Errorf("the same byte costs %d bytes again", n)
	}
}

type counted struct {
	b []byte
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.n += int64(len(p))
	return bytes.NewReader(c.b).ReadAt(p, off)
}

// TestDedupDamage flips bits of a store: what comes out is the file or an error.
func TestDedupDamage(t *testing.T) {
	c := makeCrafted(t)
	places := containerBytes(t, c.img)
	rnd := rand.New(rand.NewPCG(3, 3))
	img, failed, reads := bytes.Clone(c.img), 0, 0
	for range 120 {
		undo := map[int64]byte{}
		for range 1 + rnd.IntN(40) {
			at := places[rnd.IntN(len(places))]
			if _, ok := undo[at]; !ok {
				undo[at] = img[at]
			}
			img[at] ^= 1 << rnd.IntN(8)
		}
		v := openBytes(t, img)
		for _, name := range []string{"form31", "moved", "generation", "two generations", "many maps"} {
			got, err := contents(v, name)
			switch reads++; {
			case err == nil && !bytes.Equal(got, c.files[name]):
				t.Fatalf("%s came out wrong", name)
			case err != nil && !errors.Is(err, ntfsparse.ErrCorrupt) && !errors.Is(err, ntfsparse.ErrUnsupported):
				t.Fatalf("%s: %v", name, err)
			case err != nil:
				failed++
			}
		}
		for at, b := range undo {
			img[at] = b
		}
	}
	if failed == 0 || failed == reads {
		t.Errorf("%d of %d reads failed", failed, reads)
	}
	t.Logf("%d of %d reads failed", failed, reads)
}

// containerBytes are the places of all bytes of containers that mean something.
func containerBytes(t *testing.T, img []byte) (at []int64) {
	v := openBytes(t, img)
	store := "System Volume Information/Dedup/ChunkStore/{5D1B7BFA-B73E-42A0-95CB-91CE1921CFB2}.ddp/"
	for _, folder := range []string{"Data", "Stream"} {
		f, err := v.Lookup(store + folder)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Dir()
		if err != nil {
			t.Fatal(err)
		}
		d.Read(0, func(e ntfsparse.DirEntry, err error) bool {
			if err != nil {
				t.Fatal(err)
			}
			f, err := v.FileRef(e.Ref)
			if err != nil {
				t.Fatal(err)
			}
			s, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			s.Extents(func(off, n, phys int64) bool {
				for i := range n {
					if phys >= 0 && img[phys+i] != 0 {
						at = append(at, phys+i)
					}
				}
				return true
			})
			return true
		})
	}
	if len(at) < 100_000 {
		t.Fatalf("%d bytes", len(at))
	}
	return at
}

// TestDedupPoint cuts reparse points short.
func TestDedupPoint(t *testing.T) {
	p := ntfsparse.ReparsePoint{Tag: ntfsparse.TagDedup}
	for _, n := range []int{0, 4, 7, 11} {
		p.Data = make([]byte, n)
		if _, err := p.Dedup(); !errors.Is(err, ntfsparse.ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
