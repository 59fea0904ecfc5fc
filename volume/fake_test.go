package volume

import (
	"encoding/binary"
	"hash/crc32"
)

// fakeGPT builds a disk with one GPT out of any header and entries, with the
// fields in place that a reader checks before all others.
func fakeGPT(header, entries []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 1<<20)
	b[510], b[511], b[446+4], b[446+12] = 0x55, 0xaa, typeGPT, 1
	h := b[512:1024]
	copy(h, header)
	copy(h, gptMagic)
	le.PutUint32(h[12:], uint32(len(header)))
	le.PutUint64(h[24:], 1)
	le.PutUint64(h[72:], 2)
	if n := le.Uint32(h[80:]); n > 1024 {
		le.PutUint32(h[80:], n%1024)
	}
	le.PutUint32(h[84:], 128)
	copy(b[1024:], entries)
	n := int(le.Uint32(h[80:])) * 128
	le.PutUint32(h[88:], crc32.ChecksumIEEE(b[1024:1024+n]))
	le.PutUint32(h[16:], headerCRC(h[:len(header)]))
	return b
}

// fakeEBRs is a disk of 64 sectors: an extended partition with a chain of
// three logical ones.
func fakeEBRs() []byte {
	b := make([]byte, 64*512)
	entry := func(sector, i int, typ, first, count byte) {
		s := b[sector*512:]
		s[510], s[511] = 0x55, 0xaa
		e := s[mbrEntries+i*mbrEntrySize:]
		e[4], e[8], e[12] = typ, first, count
	}
	entry(0, 0, 0x07, 1, 9)
	entry(0, 1, 0x05, 10, 50)
	for i, at := range []int{10, 20, 30} {
		entry(at, 0, 0x83, 1, 5)
		if i < 2 {
			entry(at, 1, 0x05, byte(10*(i+1)), 10)
		}
	}
	return b
}

// fakeGPTDisk is a disk of sectors with both copies of a GPT: 4 entries, of which
// two are partitions.
func fakeGPTDisk(sectors int64, sector int) []byte {
	le := binary.LittleEndian
	b := make([]byte, sectors*int64(sector))
	b[510], b[511], b[446+4], b[446+8] = 0x55, 0xaa, typeGPT, 1
	le.PutUint32(b[446+12:], uint32(sectors-1))
	entries := make([]byte, 4*128)
	for i, first := range []uint64{uint64(sectors) / 4, uint64(sectors) / 2} {
		e := entries[i*128:]
		e[0], e[16] = 7, byte(i+1)
		le.PutUint64(e[32:], first)
		le.PutUint64(e[40:], first+uint64(sectors)/4-1)
	}
	put := func(self, other, at int64) {
		copy(b[at*int64(sector):], entries)
		h := b[self*int64(sector):][:gptMinHeader]
		copy(h, gptMagic)
		le.PutUint32(h[12:], gptMinHeader)
		le.PutUint64(h[24:], uint64(self))
		le.PutUint64(h[32:], uint64(other))
		le.PutUint64(h[40:], 3)
		le.PutUint64(h[48:], uint64(sectors-3))
		h[56] = 9
		le.PutUint64(h[72:], uint64(at))
		le.PutUint32(h[80:], 4)
		le.PutUint32(h[84:], 128)
		le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
		le.PutUint32(h[16:], headerCRC(h))
	}
	put(1, sectors-1, 2)
	put(sectors-1, 1, sectors-2)
	return b
}
