package ntfsparse

import (
	"bytes"
	"iter"
	"math/bits"
)

// IndexEntry is one entry of an index node, with its lengths checked.
//
//	0x00  8  file reference; in view indexes offset (2) and length (2) of data
//	0x08  2  length; 0x0A 2 length of the key; 0x0C 2 flags
//	0x10     key; in the last 8 bytes, with a sub-node, its VCN
type IndexEntry struct {
	b   []byte
	Off int // in the node's list of entries
}

// Flags of an index entry.
const (
	EntrySubNode = 1
	EntryLast    = 2 // ends the node; has no key
)

// Ref is the file that an entry of a folder names.
func (e IndexEntry) Ref() Ref { return Ref(le.Uint64(e.b)) }

// Flags are the Entry bits.
func (e IndexEntry) Flags() uint16 { return le.Uint16(e.b[0x0C:]) }

// Last tells whether the entry ends its node.
func (e IndexEntry) Last() bool { return e.Flags()&EntryLast != 0 }

// Bytes is the whole entry; not to be changed.
func (e IndexEntry) Bytes() []byte { return e.b }

// Key is the entry's key: a $FILE_NAME value in a folder's index.
func (e IndexEntry) Key() []byte { return e.b[0x10 : 0x10+int(le.Uint16(e.b[0x0A:]))] }

// Data is what an entry of a view index holds beside its key.
func (e IndexEntry) Data() []byte {
	off, n := int(le.Uint16(e.b)), int(le.Uint16(e.b[2:]))
	if off > len(e.b) || n > len(e.b)-off {
		return nil
	}
	return e.b[off : off+n]
}

// SubNode is the VCN of the index block with the keys below this one.
func (e IndexEntry) SubNode() (vcn int64, ok bool) {
	if e.Flags()&EntrySubNode == 0 {
		return 0, false
	}
	return int64(le.Uint64(e.b[len(e.b)-8:])), true
}

// IndexNode is a node of an index: the root or an index block.
//
//	0x00  4  offset of the first entry; 0x04 4 bytes in use; 0x08 4 allocated
//	0x0C  1  1: has index blocks below
type IndexNode struct {
	b []byte // from the header of the node on, as far as it is in use
}

// emptyNode has the end entry alone.
func emptyNode() IndexNode {
	b := make([]byte, 32)
	b[0], b[4], b[8] = 16, 32, 32
	b[16+8], b[16+0x0C] = 16, EntryLast
	return IndexNode{b}
}

// parseNode checks the header of a node whose header and entries are b.
func parseNode(b []byte) (IndexNode, error) {
	if len(b) < 16 {
		return IndexNode{}, corrupt("index node is cut short", len(b))
	}
	first, used := le.Uint32(b), le.Uint32(b[4:])
	if used > uint32(len(b)) || first < 16 || first > used {
		return IndexNode{}, corrupt("index node has impossible lengths", 0)
	}
	return IndexNode{b[:used]}, nil
}

// HasBlocks tells whether there are nodes below.
func (n IndexNode) HasBlocks() bool { return n.b[0x0C]&1 != 0 }

// leadsDown tells whether an entry has a node below it, whatever the header says.
func (n IndexNode) leadsDown() bool {
	for e, err := range n.Entries() {
		if err == nil && e.Flags()&EntrySubNode != 0 {
			return true
		}
	}
	return false
}

// Bytes is the node from its header on, as far as it is in use.
func (n IndexNode) Bytes() []byte { return n.b }

// Entries yields the node's entries up to and with the one that ends it. An
// error ends the list.
func (n IndexNode) Entries() iter.Seq2[IndexEntry, error] {
	return func(yield func(IndexEntry, error) bool) {
		for off := int(le.Uint32(n.b)); ; {
			e, err := n.entry(off)
			if !yield(e, err) || err != nil || e.Last() {
				return
			}
			off += len(e.b)
		}
	}
}

func (n IndexNode) entry(off int) (IndexEntry, error) {
	if len(n.b)-off < 16 {
		return IndexEntry{}, corrupt("index node has no end entry", off)
	}
	size, key := int(le.Uint16(n.b[off+8:])), int(le.Uint16(n.b[off+10:]))
	flags := le.Uint16(n.b[off+12:])
	if flags&EntryLast != 0 {
		key = 0
	}
	need := 16 + key
	if flags&EntrySubNode != 0 {
		need += 8
	}
	if size < need || size > len(n.b)-off || size&7 != 0 {
		return IndexEntry{}, corrupt("index entry has a wrong length", off+8)
	}
	e := IndexEntry{n.b[off : off+size : off+size], off}
	if flags&EntryLast != 0 && le.Uint16(n.b[off+10:]) != 0 {
		e.b = append([]byte(nil), e.b...) // the key length of an end entry means nothing
		le.PutUint16(e.b[10:], 0)
	}
	return e, nil
}

// Index is one index of a file: the root, and its index blocks if there are
// any.
//
//	root: 0x00 4 type indexed; 0x04 4 collation; 0x08 4 bytes of an index
//	block; 0x0C 1 clusters of it; 0x10 the node
type Index struct {
	v         *Volume
	file      Ref
	Type      AttrType // of the attribute indexed; 0 for views
	Collation uint32
	BlockSize int   // bytes
	vcnSize   int64 // bytes that a VCN of this index counts
	root      IndexNode
	blocks    *Stream // nil: the root is all
	bitmap    *Stream
}

// Collations of indexes.
const (
	CollateFileName = 1
	CollateUint32   = 0x10
	CollateSID      = 0x11
	CollateHashID   = 0x12
	CollateUint32s  = 0x13
)

// indexName30 is "$I30" in UTF-16LE, the name of a folder's index.
const indexName30 = "$\x00I\x003\x000\x00"

// Index opens an index by its name: "$I30" for a folder's names.
func (f *File) Index(name string) (*Index, error) {
	return f.index(string(EncodeName(name)))
}

func (f *File) index(units string) (*Index, error) {
	ext := extentsOf(f.attrs, TypeIndexRoot, units)
	if len(ext) == 0 {
		return nil, f.missing("index " + DecodeName([]byte(units)))
	}
	x, err := f.v.parseRoot(f.Ref(), ext[0].Value())
	if err != nil {
		return nil, inRecord(err, f.rec.N)
	}
	if !x.root.HasBlocks() && !x.root.leadsDown() {
		return x, nil
	}
	if x.blocks, err = f.attrStream(TypeIndexAllocation, units); err != nil {
		return nil, err
	}
	if x.blocks.flags&(AttrCompressed|AttrEncrypted) != 0 {
		return nil, classf(ErrUnsupported, f.rec.N, "index blocks are compressed")
	}
	x.bitmap, err = f.attrStream(TypeBitmap, units)
	return x, err
}

// noIndex stands for the index of names that a folder has lost.
func (v *Volume) noIndex(file Ref) *Index {
	return &Index{v: v, file: file, Type: TypeFileName, Collation: CollateFileName, BlockSize: fixupStride, vcnSize: fixupStride, root: emptyNode()}
}

func (v *Volume) parseRoot(file Ref, b []byte) (*Index, error) {
	if len(b) < 32 {
		return nil, corrupt("index root is cut short", len(b))
	}
	x := &Index{v: v, file: file, Type: AttrType(le.Uint32(b)), Collation: le.Uint32(b[4:])}
	size := le.Uint32(b[8:])
	if size < fixupStride || size > maxIndexBlock || bits.OnesCount32(size) != 1 {
		return nil, corrupt("index block size is impossible", 8)
	}
	x.BlockSize, x.vcnSize = int(size), min(v.geo.cluster, int64(size))
	if v.geo.cluster > int64(size) {
		x.vcnSize = fixupStride
	}
	var err error
	x.root, err = parseNode(b[16:])
	return x, err
}

// Root is the root node.
func (x *Index) Root() IndexNode { return x.root }

// Blocks is the number of places for index blocks, in use or not. There are
// never more than the volume has room for.
func (x *Index) Blocks() int64 {
	if x.blocks == nil {
		return 0
	}
	return min(x.blocks.size, x.v.size) / int64(x.BlockSize)
}

// cost is how many bytes a scan reads at most: index blocks that have clusters, and
// the bitmap.
func (x *Index) cost() int64 {
	if x.blocks == nil {
		return 0
	}
	n := int64(0)
	for _, e := range x.blocks.extents() {
		n += e.Len
	}
	return min(n, x.Blocks()*int64(x.BlockSize)) + min(x.Blocks()/8, x.bitmap.size)
}

// BlockVCN is the VCN by which entries name index block i.
func (x *Index) BlockVCN(i int64) int64 { return i * (int64(x.BlockSize) / x.vcnSize) }

// BlockOf is the index block that a VCN names.
func (x *Index) BlockOf(vcn int64) (int64, error) {
	per := int64(x.BlockSize) / x.vcnSize
	if vcn < 0 || vcn%per != 0 || vcn/per >= x.Blocks() {
		return 0, classf(ErrCorrupt, x.file.Record(), "index block VCN %d is not in the index", vcn)
	}
	return vcn / per, nil
}

// Block reads index block i.
func (x *Index) Block(i int64) (IndexNode, error) {
	b := make([]byte, x.BlockSize)
	if i < 0 || i >= x.Blocks() {
		return IndexNode{}, classf(ErrCorrupt, x.file.Record(), "index has no block %d", i)
	}
	blocks := *x.blocks
	blocks.cached = true
	if err := readFull(&blocks, b, i*int64(x.BlockSize)); err != nil {
		return IndexNode{}, err
	}
	return x.parseBlock(i, b)
}

var magicIndex = []byte("INDX")

// parseBlock checks and decodes the index block i in b, which it takes over.
//
//	0x00 4 "INDX"; 0x04 2, 0x06 2 update sequence array; 0x08 8 log sequence
//	number; 0x10 8 own VCN; 0x18 the node
func (x *Index) parseBlock(i int64, b []byte) (IndexNode, error) {
	if !bytes.Equal(b[:4], magicIndex) {
		return IndexNode{}, classf(ErrCorrupt, x.file.Record(), "index block %d has no INDX magic", i)
	}
	if err := Fixup(b); err != nil {
		return IndexNode{}, inRecord(err, x.file.Record())
	}
	if vcn := int64(le.Uint64(b[0x10:])); vcn != x.BlockVCN(i) {
		return IndexNode{}, classf(ErrCorrupt, x.file.Record(), "index block %d says it has VCN %d", i, vcn)
	}
	n, err := parseNode(b[0x18:])
	return n, inRecord(err, x.file.Record())
}

// InUse tells whether the index's bitmap marks block i. Blocks that are not
// marked hold what was deleted.
func (x *Index) InUse(i int64) (bool, error) {
	var b [1]byte
	if x.bitmap == nil || i < 0 || i/8 >= x.bitmap.size {
		return false, nil
	}
	bitmap := *x.bitmap
	bitmap.cached = true
	err := readFull(&bitmap, b[:], i/8)
	return b[0]>>(i%8)&1 != 0, err
}

// Find looks a key up. cmp compares the key sought with an entry's key: it is
// negative when the one sought comes before. Find returns the first entry that
// is not before the key and compares equal.
func (x *Index) Find(cmp func(key []byte) int) (IndexEntry, bool, error) {
	var found IndexEntry
	ok := false
	node := x.root
	for range maxTreeDepth {
		e, equal, err := node.search(cmp)
		if err != nil {
			return found, ok, inRecord(err, x.file.Record())
		}
		if equal {
			found, ok = e, true
		}
		vcn, sub := e.SubNode()
		if !sub {
			return found, ok, nil
		}
		if node, err = x.nodeAt(vcn); err != nil {
			return found, ok, err
		}
	}
	return found, ok, classf(ErrCorrupt, x.file.Record(), "index is deeper than %d nodes", maxTreeDepth)
}

// search finds the first entry that is not before the key, and tells whether
// it equals it.
func (n IndexNode) search(cmp func(key []byte) int) (IndexEntry, bool, error) {
	for e, err := range n.Entries() {
		if err != nil || e.Last() {
			return e, false, err
		}
		if c := cmp(e.Key()); c <= 0 {
			return e, c == 0, nil
		}
	}
	return IndexEntry{}, false, corrupt("index node has no end entry", -1)
}

func (x *Index) nodeAt(vcn int64) (IndexNode, error) {
	if x.blocks == nil {
		return IndexNode{}, classf(ErrCorrupt, x.file.Record(), "index root names a block, but there are none")
	}
	i, err := x.BlockOf(vcn)
	if err != nil {
		return IndexNode{}, err
	}
	return x.Block(i)
}

// blockBatch is how many bytes of index blocks are read at once.
const blockBatch = 64 << 10

// Scan yields every entry with a key: of the root, then of each block in use
// in the order of the disk, from block from on (-1: the root). The second
// value is the block. An error about one block does not end the scan; blocks in
// use that have no clusters are one error for each gap. That a
// block belongs to the tree and is not marked as in use is an error, too: its
// entries are left out.
func (x *Index) Scan(from int64, yield func(block int64, e IndexEntry, err error) bool) {
	s := indexScan{x: x, yield: yield}
	if x.blocks != nil {
		s.below = usedBlocks{x: x, bitmap: *x.bitmap, base: -1}
	}
	if from < 0 && !s.node(x.root, -1) {
		return
	}
	if x.blocks == nil {
		return
	}
	used := usedBlocks{x: x, bitmap: *x.bitmap, base: -1}
	buf := make([]byte, max(blockBatch, x.BlockSize))
	size := int64(x.BlockSize)
	end, gap := int64(0), error(nil)
	for i := used.next(max(0, from)); i < x.Blocks(); i = used.next(i) {
		if i*size >= end {
			end, gap = x.stretch(i * size)
		}
		if n := (end - i*size) / size; n > 0 && gap != nil {
			if !yield(i, IndexEntry{}, gap) {
				return
			}
			i += n
			continue
		}
		n := min((end-i*size+size-1)/size, int64(len(buf))/size, x.Blocks()-i)
		if !s.batch(i, buf[:n*size], &used) {
			return
		}
		i += n
	}
	if used.err != nil {
		yield(x.Blocks(), IndexEntry{}, used.err)
	}
}

// stretch tells how far the index blocks go on as they are at off, and why there are
// none when they have no clusters.
func (x *Index) stretch(off int64) (end int64, gap error) {
	s := x.blocks
	if s.runs != nil && off>>x.v.geo.shift >= s.runs.End() {
		return x.Blocks() * int64(x.BlockSize), inRecord(s.beyond(), x.file.Record())
	}
	end, hole := s.NextExtent(off)
	if hole {
		gap = classf(ErrCorrupt, x.file.Record(), "index block %d has no clusters", off/int64(x.BlockSize))
	}
	return end, gap
}

// indexScan is a scan under way.
type indexScan struct {
	x     *Index
	yield func(int64, IndexEntry, error) bool
	below usedBlocks // to look at what entries lead to
	lost  bool       // a block is not marked; said once
}

// batch yields the entries of the blocks from i on that fit into buf.
func (s *indexScan) batch(i int64, buf []byte, used *usedBlocks) bool {
	x := s.x
	whole := readFull(x.blocks, buf, i*int64(x.BlockSize))
	for ; len(buf) > 0; i, buf = i+1, buf[x.BlockSize:] {
		if used.next(i) != i {
			continue
		}
		n, err := x.scanBlock(i, buf[:x.BlockSize], whole)
		if err != nil && !s.yield(i, IndexEntry{}, err) || err == nil && !s.node(n, i) {
			return false
		}
	}
	return true
}

// node yields the entries of a node. Bytes behind the last are an error: something
// made an entry the last that was not.
func (s *indexScan) node(n IndexNode, block int64) bool {
	for e, err := range n.Entries() {
		if err == nil && !s.lost {
			if lost := s.unmarked(e); lost != nil {
				s.lost = true
				if !s.yield(block, IndexEntry{}, lost) {
					return false
				}
			}
		}
		if err == nil && s.x.hides(e) && !s.yield(block, IndexEntry{}, classf(ErrCorrupt, s.x.file.Record(), "index entry has room for another")) {
			return false
		}
		if err == nil && e.Last() {
			if left := len(n.b) - e.Off - len(e.b); left > 0 {
				return s.yield(block, IndexEntry{}, classf(ErrCorrupt, s.x.file.Record(), "index node has %d bytes behind its last entry", left))
			}
			return true
		}
		if !s.yield(block, e, err) {
			return false
		}
	}
	return true
}

// hides tells whether an entry is so much longer than what is in it that another
// name may be.
func (x *Index) hides(e IndexEntry) bool {
	need := 16 + int(le.Uint16(e.b[0x0A:]))
	if e.Flags()&EntrySubNode != 0 {
		need += 8
	}
	return (x.Type == TypeFileName || e.Last()) && len(e.b)-need >= 16+0x42
}

// unmarked tells when the block below an entry is none that the scan comes to.
func (s *indexScan) unmarked(e IndexEntry) error {
	vcn, sub := e.SubNode()
	if !sub || s.x.blocks == nil {
		return nil
	}
	i, err := s.x.BlockOf(vcn)
	if err == nil && s.below.next(i) != i && s.below.err == nil {
		err = classf(ErrCorrupt, s.x.file.Record(), "index block %d is in the tree but not marked as in use", i)
	}
	return err
}

// scanBlock decodes a block that was read among others, or reads it alone.
func (x *Index) scanBlock(i int64, b []byte, whole error) (IndexNode, error) {
	if whole != nil {
		return x.Block(i)
	}
	return x.parseBlock(i, b)
}

// usedBlocks goes through an index's bitmap.
type usedBlocks struct {
	x      *Index
	bitmap Stream
	buf    [4096]byte
	base   int64 // block of the first bit in buf; -1: none yet
	err    error
}

// next is the first block from i on that is in use; a bitmap that cannot be
// read ends it.
func (u *usedBlocks) next(i int64) int64 {
	const bits = int64(len(u.buf)) * 8
	for end := u.x.Blocks(); i < end; {
		if u.err = u.load(i / bits * bits); u.err != nil {
			return end
		}
		at := nextBit(u.buf[:], i-u.base, bits, true)
		if at < bits {
			return u.base + at
		}
		i = u.base + bits
	}
	return u.x.Blocks()
}

// load reads the part of the bitmap that begins with block base; what the
// bitmap does not have is not in use.
func (u *usedBlocks) load(base int64) error {
	if base == u.base {
		return nil
	}
	clear(u.buf[:])
	if n := min(int64(len(u.buf)), u.bitmap.size-base/8); n > 0 {
		if err := readFull(&u.bitmap, u.buf[:n], base/8); err != nil {
			return err
		}
	}
	u.base = base
	return nil
}
