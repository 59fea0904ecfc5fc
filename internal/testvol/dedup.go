//go:build linux

package testvol

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// Dedup is a chunk store for deduplicated files, crafted after descriptions of
// the format: no volume of Windows that has one was at hand.
type Dedup struct {
	GUID       [16]byte
	containers map[string]*DedupContainer
}

// DedupContainer is a container of data chunks or of stream maps.
type DedupContainer struct {
	stream         bool
	id, generation uint32
	b              []byte
	next           uint32 // number of the next chunk
	moved          []byte
}

// DedupChunk says where a chunk is.
type DedupChunk struct {
	Number, Container, Offset, Generation, Len uint32
	Hash                                       [32]byte
	Plain                                      int // bytes
}

// DedupMap is a stream map: where it is, and which part of its file it has.
type DedupMap struct {
	DedupChunk
	Begin, End int64
}

// Container gives a container, in the folder Data or Stream.
func (d *Dedup) Container(stream bool, id, generation uint32) *DedupContainer {
	folder := "Data"
	if stream {
		folder = "Stream"
	}
	name := fmt.Sprintf("%s/%08x.%08x.ccc", folder, id, generation)
	if d.containers == nil {
		d.containers = map[string]*DedupContainer{}
	}
	c := d.containers[name]
	if c == nil {
		c = &DedupContainer{stream: stream, id: id, generation: generation, b: make([]byte, 0x5000), next: 1}
		d.containers[name] = c
	}
	return c
}

// AddData appends a chunk, compressed if told so and if that helps.
func (c *DedupContainer) AddData(plain []byte, compress bool) DedupChunk {
	stored, method := plain, uint32(0)
	if z := CompressLZ77(plain); compress && len(z) < len(plain) {
		stored, method = z, 2
	}
	hash := sha512.Sum512(plain)
	own := binary.LittleEndian.AppendUint32(nil, method)
	own = append(append(own, 2, 0, 0, 0), hash[:32]...)
	at := c.add(1, own, stored)
	at.Hash, at.Plain = [32]byte(hash[:32]), len(plain)
	return at
}

// AddMap appends a stream map of the part of a file that starts at begin and
// has the chunks.
func (c *DedupContainer) AddMap(begin int64, chunks ...DedupChunk) DedupMap {
	return c.AddLongMap(nil, begin, chunks...)
}

// AddLongMap is AddMap with bytes behind the last entry.
func (c *DedupContainer) AddLongMap(rest []byte, begin int64, chunks ...DedupChunk) DedupMap {
	b, end := []byte("Smap\x01\x04\x04\x01"), begin
	for _, k := range chunks {
		end += int64(k.Plain)
		for _, n := range []uint32{k.Number, k.Container, k.Offset, k.Generation} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		b = append(binary.LittleEndian.AppendUint64(b, uint64(end)), k.Hash[:]...)
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, k.Len), 0)
	}
	b = append(b, rest...)
	hash := sha512.Sum512(b)
	at := c.add(2, append(make([]byte, 24), hash[:32]...), b)
	copy(at.Hash[:], hash[:])
	return DedupMap{at, begin, end}
}

// add appends a chunk: header, with the part of its kind's own, and bytes.
func (c *DedupContainer) add(kind uint16, own, stored []byte) DedupChunk {
	at := DedupChunk{Number: c.next, Container: c.id, Offset: uint32(len(c.b)), Generation: c.generation, Len: uint32(len(stored))}
	c.next++
	b := append(c.b, "Ckhr\x01\x03\x03\x01"...)
	b = binary.LittleEndian.AppendUint32(b, at.Number)
	b = binary.LittleEndian.AppendUint32(b, at.Len)
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(own)))
	b = append(append(b, 8, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0), own...)
	b = append(append(b, make([]byte, 16)...), stored...)
	c.b = append(b, make([]byte, -len(b)&7)...)
	return at
}

// Moved notes in the container's table that a chunk is elsewhere by now. The
// numbers of later calls must be larger.
func (c *DedupContainer) Moved(number, offset uint32) {
	c.moved = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(c.moved, number), offset)
}

// bytes are the container's file.
func (c *DedupContainer) bytes() []byte {
	copy(c.b, "Cthr\x01\x03\x03\x00\x01")
	binary.LittleEndian.PutUint32(c.b[16:], c.id)
	binary.LittleEndian.PutUint32(c.b[20:], c.generation)
	binary.LittleEndian.PutUint64(c.b[32:], uint64(len(c.b)))
	binary.LittleEndian.PutUint32(c.b[48:], 0x4000)
	for _, at := range []int{0x3000, 0x4000} {
		copy(c.b[at:], "Rrtl\x01\x03\x03\x00")
		binary.LittleEndian.PutUint32(c.b[at+8:], uint32(len(c.moved)/8))
		binary.LittleEndian.PutUint32(c.b[at+12:], 8)
		copy(c.b[at+32:0x1000+at], c.moved)
	}
	return c.b
}

// Folder is the store's folder on the volume mounted at dir.
func (d *Dedup) Folder(dir string) string {
	g := d.GUID[:]
	guid := fmt.Sprintf("%08X-%04X-%04X-%X-%X", binary.LittleEndian.Uint32(g), binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:])
	return filepath.Join(dir, "System Volume Information/Dedup/ChunkStore/{"+guid+"}.ddp")
}

// Write writes the store to the volume mounted at dir, with things in its
// folders that are none of its containers.
func (d *Dedup) Write(t testing.TB, dir string) {
	t.Helper()
	files := map[string][]byte{
		"stamp.dat": make([]byte, 28), "Data/00000001.00000001.delete.log": []byte("log"), "Data/0000000x.00000001.ccc": []byte("x"),
		"Hotspot/00000001.00000001.ccc": make([]byte, 0x5000), "Stream/00000001.00000001.bitmap": make([]byte, 64),
	}
	for name, c := range d.containers {
		files[name] = c.bytes()
	}
	for name, b := range files {
		path := filepath.Join(d.Folder(dir), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// WriteDedup makes a deduplicated file of size bytes, with the data of its
// reparse point.
func WriteDedup(t testing.TB, path string, size int64, point []byte) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	Reparse(t, path, 0x80000013, point)
}

// entries are the stream maps as a reparse point names them.
func entries(maps []DedupMap) (b []byte) {
	for _, m := range maps {
		for _, n := range []uint32{m.Number, m.Container, m.Offset, m.Generation, 1, 64, m.Len, 64} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		b = append(b, m.Hash[:16]...)
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, uint64(m.End)), uint64(m.Begin))
	}
	return b
}

// seal puts the length and the checksum into the data of a reparse point.
func seal(b []byte) []byte {
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)+4))
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// Point12 is the reparse point of a file with one stream map in form 1.2.
func (d *Dedup) Point12(m DedupMap) []byte {
	b := make([]byte, 56)
	b[0], b[1] = 1, 2
	binary.LittleEndian.PutUint64(b[8:], uint64(m.End))
	copy(b[24:], d.GUID[:])
	b = append(b, entries([]DedupMap{m})...)
	copy(b[88:120], m.Hash[:])
	return seal(b)
}

// Point21 is a reparse point in form 2.1.
func (d *Dedup) Point21(maps ...DedupMap) []byte {
	b := make([]byte, 0x94)
	b[0], b[1] = 2, 1
	list := entries(maps)
	binary.LittleEndian.PutUint16(b[0x4C:], uint16(len(list)))
	binary.LittleEndian.PutUint16(b[0x4E:], 0x94)
	copy(b[0x74:], d.GUID[:])
	return seal(append(b, list...))
}

// Point31 is a reparse point in form 3.1. Of its records "FeRp", "RbRp" and
// "DdRp", change gets the elements before they are joined, by record and number.
func (d *Dedup) Point31(change func(record string, elements map[int][]byte), maps ...DedupMap) []byte {
	u32, u64 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint64
	list := entries(maps)
	if change == nil {
		change = func(string, map[int][]byte) {}
	}
	record := func(magic string, kinds []uint16, elements map[int][]byte) []byte {
		change(magic, elements)
		b := append([]byte(magic), make([]byte, 12+8*len(kinds))...)
		binary.LittleEndian.PutUint16(b[14:], uint16(len(kinds)))
		for i, kind := range kinds {
			if v := elements[i]; v != nil {
				binary.LittleEndian.PutUint16(b[16+8*i:], kind)
				binary.LittleEndian.PutUint16(b[18+8*i:], uint16(len(v)))
				binary.LittleEndian.PutUint32(b[20+8*i:], uint32(len(b)))
				b = append(b, v...)
			}
		}
		binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
		binary.LittleEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[8:]))
		return b
	}
	one, zero := u32(nil, 1), u32(nil, 0)
	recall := record("RbRp", []uint16{10, 9, 9, 6, 6, 12, 0, 0}, map[int][]byte{0: one, 1: u32(nil, 16), 2: zero, 3: u64(nil, 0), 4: u64(nil, 0), 5: make([]byte, 16)})
	dedup := record("DdRp", []uint16{10, 14, 13}, map[int][]byte{0: one, 1: list[:8], 2: list})
	file := record("FeRp", []uint16{10, 10, 12, 11, 6, 5, 9, 13, 13}, map[int][]byte{0: one, 1: zero, 2: d.GUID[:], 3: u64(nil, 0x01D36F667251F859),
		4: u64(nil, uint64(maps[len(maps)-1].End)), 5: zero, 6: zero, 7: recall, 8: dedup})
	return seal(append([]byte{3, 1, 0, 0}, file...))
}
