package ntfsparse

import "bytes"

// indexBlock makes an index block of 4 KiB or another size.
func indexBlock(size int, vcn int64, entries ...[]byte) []byte {
	b := make([]byte, size)
	words := size/512 + 1
	first := (0x28 + 2*words + 7) &^ 7
	copy(b, "INDX")
	le.PutUint16(b[4:], 0x28)
	le.PutUint16(b[6:], uint16(words))
	le.PutUint64(b[0x10:], uint64(vcn))
	at := first
	for _, e := range append(entries, ixEnd()) {
		at += copy(b[at:], e)
	}
	le.PutUint32(b[0x18:], uint32(first-0x18))
	le.PutUint32(b[0x1C:], uint32(at-0x18))
	le.PutUint32(b[0x20:], uint32(size-0x18))
	le.PutUint16(b[0x28:], 7)
	for i := 512; i <= size; i += 512 {
		copy(b[0x28+2*(i/512):], b[i-2:i])
		le.PutUint16(b[i-2:], 7)
	}
	return b
}

// overBlocks makes the attributes of an index of n blocks of size bytes that begin in
// cluster lcn, without names in its root and with the first block below it.
func (b *rb) overBlocks(size, n int, lcn int64) [][]byte {
	root := make([]byte, 32+24)
	le.PutUint32(root, uint32(TypeFileName))
	le.PutUint32(root[4:], CollateFileName)
	le.PutUint32(root[8:], uint32(size))
	root[12], root[28] = byte(size/b.cluster), 1
	le.PutUint32(root[16:], 16)
	le.PutUint32(root[20:], 16+24)
	le.PutUint32(root[24:], 16+24)
	le.PutUint16(root[32+8:], 24)
	le.PutUint16(root[32+12:], EntryLast|EntrySubNode)
	marked := bytes.Repeat([]byte{0xFF}, (n/8+8)&^7)
	for i := n; i < len(marked)*8; i++ {
		marked[i/8] &^= 1 << (i % 8)
	}
	at, room := b.alloc((len(marked)+b.cluster-1)/b.cluster, marked), int64((len(marked)+b.cluster-1)/b.cluster)
	clusters, bytes := int64(n*size/b.cluster), int64(n*size)
	return [][]byte{b.res(TypeIndexRoot, "$I30", 0, root),
		b.nonres(TypeIndexAllocation, "$I30", 0, 0, 0, clusters-1, runs(clusters, lcn), bytes, bytes, bytes),
		b.nonres(TypeBitmap, "$I30", 0, 0, 0, room-1, runs(room, at), room*int64(b.cluster), int64(len(marked)), int64(len(marked)))}
}

// folderOver puts a folder of the root with such an index into a record.
func (b *rb) folderOver(n int, name string, size, blocks int, lcn int64) {
	b.put(n, 1, 3, 0, append([][]byte{b.si(0x10), b.fn(5, 5, name, 3, nameIsDir)}, b.overBlocks(size, blocks, lcn)...)...)
}

// listing is what a listing of a folder gives: its names, "!" for an error.
func listing(d *Dir) (names []string) {
	d.Read(0, func(e DirEntry, err error) bool {
		if err != nil {
			names = append(names, "!")
		} else {
			names = append(names, e.Name())
		}
		return true
	})
	return names
}
