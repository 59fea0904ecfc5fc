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
