// Package mirage has an NTFS volume that exists only while it is read, for tests of what
// hostile volumes can make a reader hold: any number of file records and index blocks
// which are all made to cost memory. Names are as long as they may be and lead
// anywhere; folders lie in each other, thousands deep, have no index or a very large
// one; records are extents of any others, torn, zeroed, deleted, fragmented.
package mirage

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// Volume has a number of file records and of index blocks, which all folders share
// that have an index; both are multiples of 8. It is an io.ReaderAt, safe for parallel
// use.
type Volume struct {
	Records, Blocks uint64
}

const (
	recordSize = 1024
	blockSize  = 4096 // of indexes, and the clusters
	mirror     = 8 * blockSize
	mft        = 1 << 20
	ones       = 1 << 26 // bytes at the end that are all 0xFF, for bitmaps
)

// Types and flags of attributes and file records, see ntfsparse.
const (
	typeStandardInfo    = 0x10
	typeAttributeList   = 0x20
	typeFileName        = 0x30
	typeData            = 0x80
	typeIndexRoot       = 0x90
	typeIndexAllocation = 0xA0
	typeBitmap          = 0xB0
	typeReparse         = 0xC0
	typeEnd             = 0xFFFFFFFF

	flagInUse     = 1
	flagDirectory = 2
	nameIsDir     = 0x10000000

	recordMFT    = 0
	recordMirror = 1
	recordRoot   = 5
	recordBitmap = 6
	firstFile    = 24
)

var le = binary.LittleEndian

func (v *Volume) tableSize() int64 { return int64(v.Records) * recordSize }
func (v *Volume) indexSize() int64 { return int64(v.Blocks) * blockSize }
func (v *Volume) index() int64     { return mft + v.tableSize() }
func (v *Volume) ones() int64      { return v.index() + v.indexSize() }

// Size is the volume's, in bytes.
func (v *Volume) Size() int64 { return v.ones() + ones }

// ReadAt makes the bytes at off.
func (v *Volume) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		var block [blockSize]byte
		at, size := off+int64(n), int64(blockSize)
		switch {
		case at >= v.Size():
			return n, io.EOF
		case at < blockSize:
			v.boot(block[:])
		case at >= mirror && at < mirror+4*recordSize:
			size = recordSize
			v.record(block[:size], uint64(at-mirror)/recordSize)
		case at >= mft && at < v.index():
			size = recordSize
			v.record(block[:size], uint64(at-mft)/recordSize)
		case at >= v.index() && at < v.ones():
			v.block(block[:], uint64(at-v.index())/blockSize)
		case at >= v.ones():
			for i := range block {
				block[i] = 0xFF
			}
		}
		n += copy(p[n:], block[at%size:size])
	}
	return len(p), nil
}

func (v *Volume) boot(b []byte) {
	copy(b[3:], "NTFS    ")
	le.PutUint16(b[0x0B:], 512)
	b[0x0D] = blockSize / 512
	le.PutUint64(b[0x28:], uint64(v.Size()/512-1))
	le.PutUint64(b[0x30:], mft/blockSize)
	le.PutUint64(b[0x38:], mirror/blockSize)
	b[0x40], b[0x44] = 0xF6, 1
	b[0x1FE], b[0x1FF] = 0x55, 0xAA
}

// hash is a number that belongs to another.
func hash(n uint64) uint64 {
	hi, lo := bits.Mul64(n^0x9E3779B97F4A7C15, 0xD1342543DE82EF95)
	return (hi ^ lo) * 0x9E3779B97F4A7C15
}

func ref(record, seq uint64) uint64 { return record&(1<<48-1) | seq<<48 }

// record makes file record n.
func (v *Volume) record(b []byte, n uint64) {
	r := hash(n)
	kind := r % 16
	if n < firstFile {
		kind = 16
	}
	if kind == 0 {
		return // zeroed
	}
	seq, flags := uint64(1), uint16(flagInUse)
	a := attrs{b, 0x38}
	a.resident(typeStandardInfo, "", make([]byte, 72))
	switch kind {
	case 1, 2, 3: // a folder with a damaged index
		flags |= flagDirectory
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 255, true))
		a.resident(typeIndexRoot, "$I30", []byte{0x77, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0})
	case 4:
		flags |= flagDirectory
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 200, true))
		v.folder(&a)
	case 5: // names of another file
		le.PutUint64(b[0x20:], ref(r>>24%v.Records, 1))
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 255, false))
	case 6: // names in other files
		var list []byte
		for i := range uint64(12) {
			e := make([]byte, 32)
			le.PutUint32(e, typeFileName)
			le.PutUint16(e[4:], 32)
			e[7] = 26
			le.PutUint64(e[16:], ref(hash(n*16+i)%v.Records, 1))
			list = append(list, e...)
		}
		a.resident(typeAttributeList, "", list)
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 100, false))
	case 7: // deleted
		flags = 0
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 255, false))
		a.runs(typeData, "", 1<<30, run(v.index(), 1<<30))
	case 8: // fragmented
		var pairs []byte
		for i := range 60 {
			pairs = append(pairs, 0x21, 1, byte(r>>i%8), 1+byte(i))
		}
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 60, false))
		a.runs(typeData, "", 60*blockSize, pairs)
		a.resident(typeReparse, "", append([]byte{0x0C, 0, 0, 0xA0, 0, 1, 0, 0}, make([]byte, 256)...))
	case 16:
		seq = max(n, 1)
		flags |= v.system(&a, n)
	default:
		a.resident(typeFileName, "", fileName(v.parent(n, r), r, 255, false))
		a.resident(typeData, "", nil)
	}
	copy(b, "FILE")
	le.PutUint16(b[4:], 0x30)
	le.PutUint16(b[6:], recordSize/512+1)
	le.PutUint16(b[0x10:], uint16(seq))
	le.PutUint16(b[0x12:], 1)
	le.PutUint16(b[0x14:], 0x38)
	le.PutUint16(b[0x16:], flags)
	le.PutUint32(b[0x18:], uint32(a.at+8))
	le.PutUint32(b[0x1C:], recordSize)
	le.PutUint32(b[0x2C:], uint32(n))
	le.PutUint32(b[a.at:], typeEnd)
	seal(b, 0x30)
	if kind == 9 {
		b[510]++ // torn
	}
}

// parent is the folder, or none, that file n of hash r says to be in.
func (v *Volume) parent(n, r uint64) uint64 {
	switch r >> 12 % 8 {
	case 0:
		return ref(recordRoot, recordRoot)
	case 1:
		return ref(1<<40+r>>20, 1) // impossible
	case 2:
		return ref(n-1, 1)
	case 3:
		return ref(n, 1)
	case 4:
		return ref(firstFile+r>>20%5000, 1)
	}
	return ref(r>>20%v.Records, 1)
}

// system makes the volume's own files, without which it cannot be opened.
func (v *Volume) system(a *attrs, n uint64) (flags uint16) {
	bitmap := func(bits int64) (size int64, pairs []byte) { return bits / 8, run(v.ones(), bits/8) }
	switch n {
	case recordMFT:
		a.runs(typeData, "", v.tableSize(), run(mft, v.tableSize()))
		size, pairs := bitmap(int64(v.Records))
		a.runs(typeBitmap, "", size, pairs)
	case recordMirror:
		a.runs(typeData, "", 4*recordSize, run(mirror, 4*recordSize))
	case recordRoot:
		flags = flagDirectory
		a.resident(typeFileName, "", fileName(ref(recordRoot, recordRoot), 0, 4, true))
		v.folder(a)
	case recordBitmap:
		size, pairs := bitmap(v.Size() / blockSize)
		a.runs(typeData, "", size, pairs)
	}
	return flags
}

// folder makes the index that all folders have.
func (v *Volume) folder(a *attrs) {
	const node, entry = 16, 16 + 16
	root := make([]byte, entry+24)
	le.PutUint32(root, typeFileName)
	le.PutUint32(root[4:], 1) // by file name
	le.PutUint32(root[8:], blockSize)
	root[12] = 1
	le.PutUint32(root[node:], entry-node)
	le.PutUint32(root[node+4:], entry-node+24)
	le.PutUint32(root[node+8:], entry-node+24)
	root[node+12] = 1
	le.PutUint16(root[entry+8:], 24)
	le.PutUint16(root[entry+12:], 3) // the last one, with block 0 below
	a.resident(typeIndexRoot, "$I30", root)
	a.runs(typeIndexAllocation, "$I30", v.indexSize(), run(v.index(), v.indexSize()))
	a.runs(typeBitmap, "$I30", int64(v.Blocks/8), run(v.ones(), int64(v.Blocks/8)))
}

// block makes index block i, full of names of any files; one in eight is zeroed.
func (v *Volume) block(b []byte, i uint64) {
	r := hash(i + 1<<40)
	if r%8 == 0 {
		return
	}
	const node, entries = 0x18, 0x28
	at := node + entries
	for ; ; r++ {
		h := hash(r)
		name := fileName(ref(recordRoot, recordRoot), h, 255, h>>5%2 == 0)
		size := (16 + len(name) + 7) &^ 7
		if at+size+16 > len(b) {
			break
		}
		le.PutUint64(b[at:], ref(h>>16%v.Records, 1))
		le.PutUint16(b[at+8:], uint16(size))
		le.PutUint16(b[at+10:], uint16(len(name)))
		copy(b[at+16:], name)
		at += size
	}
	le.PutUint16(b[at+8:], 16)
	le.PutUint16(b[at+12:], 2) // the last one
	copy(b, "INDX")
	le.PutUint16(b[4:], 0x28)
	le.PutUint16(b[6:], blockSize/512+1)
	le.PutUint64(b[0x10:], i)
	le.PutUint32(b[node:], entries)
	le.PutUint32(b[node+4:], uint32(at+16-node))
	le.PutUint32(b[node+8:], blockSize-node)
	seal(b, 0x28)
}

// seal makes the update sequence at a place.
func seal(b []byte, at int) {
	le.PutUint16(b[at:], 1)
	for i := 512; i <= len(b); i += 512 {
		copy(b[at+i/256:at+i/256+2], b[i-2:i])
		le.PutUint16(b[i-2:], 1)
	}
}

// fileName is a $FILE_NAME with letters of hash r: of so many, or of fewer.
func fileName(parent, r uint64, letters int, dir bool) []byte {
	if r%4 == 0 {
		letters = 4 + int(r>>8)%letters/2
	}
	b := make([]byte, 0x42+2*letters)
	le.PutUint64(b, parent)
	if dir {
		le.PutUint32(b[0x38:], nameIsDir)
	}
	b[0x40] = byte(letters)
	for i := range letters {
		r = r*0x5851F42D4C957F2D + 1
		le.PutUint16(b[0x42+2*i:], 0x4E00+uint16(r>>50))
	}
	return b
}

// run is a mapping pair of 4 bytes of place and 8 of length.
func run(at, size int64) []byte {
	b := make([]byte, 13)
	b[0] = 0x48
	le.PutUint64(b[1:], uint64((size+blockSize-1)/blockSize))
	le.PutUint32(b[9:], uint32(at/blockSize))
	return b
}

// attrs writes attributes one behind the other, as far as there is room.
type attrs struct {
	b  []byte
	at int
}

func (a *attrs) begin(t uint32, name string, head, size int) []byte {
	all := (head + 2*len(name) + 7) &^ 7
	if a.at+all+size+16 > len(a.b) {
		return nil
	}
	b := a.b[a.at:][:(all+size+7)&^7]
	a.at += len(b)
	le.PutUint32(b, t)
	le.PutUint32(b[4:], uint32(len(b)))
	b[9], b[10] = byte(len(name)), byte(head)
	for i := range name {
		b[head+2*i] = name[i]
	}
	return b
}

func (a *attrs) resident(t uint32, name string, value []byte) {
	const head = 24
	if b := a.begin(t, name, head, len(value)); b != nil {
		at := (head + 2*len(name) + 7) &^ 7
		le.PutUint32(b[0x10:], uint32(len(value)))
		le.PutUint16(b[0x14:], uint16(at))
		copy(b[at:], value)
	}
}

func (a *attrs) runs(t uint32, name string, size int64, pairs []byte) {
	const head = 64
	if b := a.begin(t, name, head, len(pairs)+1); b != nil {
		at := (head + 2*len(name) + 7) &^ 7
		b[8] = 1
		le.PutUint64(b[0x18:], uint64((size+blockSize-1)/blockSize-1))
		le.PutUint16(b[0x20:], uint16(at))
		for i := 0x28; i < 0x40; i += 8 {
			le.PutUint64(b[i:], uint64(size))
		}
		copy(b[at:], pairs)
	}
}
