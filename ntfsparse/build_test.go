package ntfsparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"testing"
	"unicode/utf16"
)

// rb builds a small volume: a boot sector, $MFT in record 0, and whatever is put
// into records and clusters.
type rb struct {
	img     []byte
	cluster int
	rec     int // bytes of a record
	mft     int // its cluster
	next    int // first cluster that alloc has not given away
}

func newRB(clusters, cluster, rec, records int) *rb {
	n := (records*rec + cluster - 1) / cluster
	b := &rb{img: make([]byte, clusters*cluster+512), cluster: cluster, rec: rec, mft: 8, next: 8 + n}
	boot := b.img
	copy(boot[3:], "NTFS    ")
	le.PutUint16(boot[0x0B:], 512)
	boot[0x0D] = byte(cluster / 512)
	if cluster/512 > 128 {
		boot[0x0D] = byte(1 - bits.Len(uint(cluster/512)))
	}
	le.PutUint64(boot[0x28:], uint64(clusters*cluster/512))
	le.PutUint64(boot[0x30:], uint64(b.mft))
	le.PutUint64(boot[0x38:], 2)
	boot[0x40] = byte(1 - bits.Len(uint(rec)))
	boot[0x44] = 0xF4 // blocks of 4 KiB
	boot[0x1FE], boot[0x1FF] = 0x55, 0xAA
	b.putMFT(records)
	return b
}

// putMFT writes record 0, with more attributes.
func (b *rb) putMFT(records int, more ...[]byte) {
	size := int64(records * b.rec)
	n := (size + int64(b.cluster) - 1) / int64(b.cluster)
	b.put(0, 1, 1, 0, append([][]byte{b.si(0), b.fn(5, 5, "$MFT", 3, 0),
		b.nonres(TypeData, "", 0, 0, 0, n-1, runs(n, int64(b.mft)), n*int64(b.cluster), size, size)}, more...)...)
}

// off is where record n lies.
func (b *rb) off(n int) int { return b.mft*b.cluster + n*b.rec }

// put writes record n.
func (b *rb) put(n int, seq, flags uint16, base Ref, attrs ...[]byte) {
	r := make([]byte, b.rec)
	copy(r, "FILE")
	words := b.rec/512 + 1
	le.PutUint16(r[4:], 0x30)
	le.PutUint16(r[6:], uint16(words))
	le.PutUint16(r[0x10:], seq)
	le.PutUint16(r[0x12:], 1)
	at := (0x30 + 2*words + 7) &^ 7
	le.PutUint16(r[0x14:], uint16(at))
	le.PutUint16(r[0x16:], flags)
	le.PutUint64(r[0x20:], uint64(base))
	le.PutUint32(r[0x2C:], uint32(n))
	le.PutUint32(r[0x1C:], uint32(b.rec))
	for _, a := range attrs {
		if at+len(a)+8 > len(r) {
			panic("record is full")
		}
		at += copy(r[at:], a)
	}
	le.PutUint32(r[at:], 0xFFFFFFFF)
	le.PutUint32(r[0x18:], uint32(at+8))
	le.PutUint16(r[0x30:], 7)
	for i := 512; i <= len(r); i += 512 {
		copy(r[0x30+2*(i/512):], r[i-2:i])
		le.PutUint16(r[i-2:], 7)
	}
	copy(b.img[b.off(n):], r)
}

// alloc gives n clusters away, and writes data into them.
func (b *rb) alloc(n int, data []byte) int64 {
	at := b.next
	b.next += n
	copy(b.img[at*b.cluster:], data)
	return int64(at)
}

// bitmap writes $Bitmap; without used, all clusters given away are marked.
func (b *rb) bitmap(used func(i int) bool) {
	n := len(b.img) / b.cluster
	m := make([]byte, (n+7)/8)
	k := (len(m) + b.cluster - 1) / b.cluster
	lcn := b.alloc(k, nil)
	for i := range n {
		if used != nil && used(i) || used == nil && i < b.next {
			m[i/8] |= 1 << (i % 8)
		}
	}
	copy(b.img[int(lcn)*b.cluster:], m)
	b.put(RecordBitmap, 6, 1, 0, b.si(6), b.fn(5, 5, "$Bitmap", 3, 0),
		b.nonres(TypeData, "", 0, 0, 0, int64(k-1), runs(int64(k), lcn), int64(k*b.cluster), int64(len(m)), int64(len(m))))
}

func (b *rb) open(t testing.TB) *Volume {
	t.Helper()
	v, err := Open(bytes.NewReader(b.img), int64(len(b.img)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// res makes a resident attribute.
func (b *rb) res(t AttrType, name string, flags uint16, val []byte) []byte {
	nu := u16(name)
	vo := (24 + len(nu) + 7) &^ 7
	a := make([]byte, (vo+len(val)+7)&^7)
	le.PutUint32(a, uint32(t))
	le.PutUint32(a[4:], uint32(len(a)))
	a[9] = byte(len(nu) / 2)
	le.PutUint16(a[10:], 24)
	le.PutUint16(a[12:], flags)
	le.PutUint32(a[0x10:], uint32(len(val)))
	le.PutUint16(a[0x14:], uint16(vo))
	copy(a[24:], nu)
	copy(a[vo:], val)
	return a
}

// nonres makes an extent with its run list, of VCNs low to high.
func (b *rb) nonres(t AttrType, name string, flags uint16, unit uint8, low, high int64, list []byte, alloc, size, valid int64) []byte {
	nu := u16(name)
	head := 0x40
	if flags&(AttrCompressed|AttrSparse) != 0 {
		head = 0x48
	}
	ro := (head + len(nu) + 7) &^ 7
	a := make([]byte, (ro+len(list)+7)&^7)
	le.PutUint32(a, uint32(t))
	le.PutUint32(a[4:], uint32(len(a)))
	a[8] = 1
	a[9] = byte(len(nu) / 2)
	le.PutUint16(a[10:], uint16(head))
	le.PutUint16(a[12:], flags)
	le.PutUint64(a[0x10:], uint64(low))
	le.PutUint64(a[0x18:], uint64(high))
	le.PutUint16(a[0x20:], uint16(ro))
	a[0x22] = unit
	le.PutUint64(a[0x28:], uint64(alloc))
	le.PutUint64(a[0x30:], uint64(size))
	le.PutUint64(a[0x38:], uint64(valid))
	copy(a[head:], nu)
	copy(a[ro:], list)
	return a
}

// runs makes a run list of pairs of length and LCN, Hole for none.
func runs(pairs ...int64) []byte {
	var list []byte
	prev := int64(0)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == Hole {
			list = binary.LittleEndian.AppendUint32(append(list, 0x04), uint32(pairs[i]))
			continue
		}
		list = binary.LittleEndian.AppendUint32(append(list, 0x44), uint32(pairs[i]))
		list = binary.LittleEndian.AppendUint32(list, uint32(int32(pairs[i+1]-prev)))
		prev = pairs[i+1]
	}
	return append(list, 0)
}

func u16(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// si makes $STANDARD_INFORMATION.
func (b *rb) si(attrs uint32) []byte {
	v := make([]byte, 72)
	le.PutUint32(v[0x20:], attrs)
	return b.res(TypeStandardInfo, "", 0, v)
}

// fnv makes the value of $FILE_NAME, fn the attribute.
func fnv(parent, seq uint64, name string, space byte, attrs uint32) []byte {
	nu := u16(name)
	v := make([]byte, 0x42+len(nu))
	le.PutUint64(v, uint64(MakeRef(parent, uint16(seq))))
	le.PutUint32(v[0x38:], attrs)
	v[0x40], v[0x41] = byte(len(nu)/2), space
	copy(v[0x42:], nu)
	return v
}

func (b *rb) fn(parent, seq uint64, name string, space byte, attrs uint32) []byte {
	return b.res(TypeFileName, "", 0, fnv(parent, seq, name, space, attrs))
}

// ixEntry makes an entry of a folder's index, ixEnd the last one.
func ixEntry(ref Ref, key []byte) []byte {
	n := (16 + len(key) + 7) &^ 7
	e := make([]byte, n)
	le.PutUint64(e, uint64(ref))
	le.PutUint16(e[8:], uint16(n))
	le.PutUint16(e[10:], uint16(len(key)))
	copy(e[16:], key)
	return e
}

func ixEnd() []byte {
	e := make([]byte, 16)
	le.PutUint16(e[8:], 16)
	le.PutUint16(e[12:], EntryLast)
	return e
}

// ixRoot makes the $INDEX_ROOT of a folder that has no blocks.
func (b *rb) ixRoot(entries ...[]byte) []byte {
	v := make([]byte, 32)
	le.PutUint32(v, uint32(TypeFileName))
	le.PutUint32(v[4:], CollateFileName)
	le.PutUint32(v[8:], 4096)
	v[12] = 1
	for _, e := range append(entries, ixEnd()) {
		v = append(v, e...)
	}
	le.PutUint32(v[16:], 16)
	le.PutUint32(v[20:], uint32(len(v)-16))
	le.PutUint32(v[24:], uint32(len(v)-16))
	return b.res(TypeIndexRoot, "$I30", 0, v)
}

// root writes the root folder.
func (b *rb) root(entries ...[]byte) {
	b.put(RecordRoot, 5, 3, 0, b.si(0x16), b.fn(5, 5, ".", 3, nameIsDir), b.ixRoot(entries...))
}

// listEntry makes an entry of an attribute list.
func listEntry(t AttrType, low int64, ref Ref, id uint16) []byte {
	e := make([]byte, 32)
	le.PutUint32(e, uint32(t))
	le.PutUint16(e[4:], 32)
	e[7] = 26
	le.PutUint64(e[8:], uint64(low))
	le.PutUint64(e[16:], uint64(ref))
	le.PutUint16(e[24:], id)
	return e
}

// lznt1Runs compresses runs of one byte.
func lznt1Runs(p []byte) []byte {
	var out []byte
	for len(p) > 0 {
		c := p[:min(4096, len(p))]
		p = p[len(c):]
		var body []byte
		for i := 0; i < len(c); {
			flags := len(body)
			body = append(body, 0)
			for k := 0; k < 8 && i < len(c); k++ {
				n := 0
				for i > 0 && i+n < len(c) && c[i+n] == c[i-1] {
					n++
				}
				lengthBits := 16 - max(4, bits.Len(uint(max(1, i)-1)))
				if n = min(n, 1<<lengthBits-1+3); n < 3 {
					body = append(body, c[i])
					i++
					continue
				}
				body[flags] |= 1 << k
				body = binary.LittleEndian.AppendUint16(body, uint16(n-3))
				i += n
			}
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(len(body)-1)|0xB000)
		out = append(out, body...)
	}
	return out
}

var errFlaky = errors.New("the disk failed")

// flaky is a disk of which a range fails as often as told; -1: always.
type flaky struct {
	b        []byte
	from, to int64
	times    int
	failed   int
}

func (d *flaky) ReadAt(p []byte, off int64) (int, error) {
	if off < d.to && off+int64(len(p)) > d.from && d.times != 0 {
		d.failed++
		if d.times > 0 {
			d.times--
		}
		return 0, errFlaky
	}
	return bytes.NewReader(d.b).ReadAt(p, off)
}

func (b *rb) openFlaky(t testing.TB) (*Volume, *flaky) {
	t.Helper()
	d := &flaky{b: b.img}
	v, err := Open(d, int64(len(b.img)))
	if err != nil {
		t.Fatal(err)
	}
	return v, d
}

// openFolder opens a volume of size bytes and its folder "d".
func openFolder(t *testing.T, r io.ReaderAt, size int) (*Volume, *Dir) {
	t.Helper()
	v, err := Open(r, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.Lookup("d")
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Dir()
	if err != nil {
		t.Fatal(err)
	}
	return v, d
}
