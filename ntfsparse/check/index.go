package check

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"vitrine/ntfsparse"
)

// Collations of indexes.
const (
	byName   = 0x01
	byULong  = 0x10
	bySID    = 0x11
	byHash   = 0x12
	byULongs = 0x13
)

// views are the collations of the system's indexes, by name; two have one name.
var views = map[string][]uint32{
	nameSDH: {byHash}, nameSII: {byULong}, nameQ: {byULong}, nameR: {byULongs}, nameO: {byULongs, bySID},
}

const (
	maxDepth  = 24
	maxNodes  = 8 << 20 // of all nodes on a way down, bytes
	maxBlocks = 1 << 26 // of an index: two bits in memory for each
	indexHead = 0x18    // of an index block, before the node header
	rootHead  = 0x10    // of an index root, before the node header
	entryHead = 0x10
)

// Entry flags.
const (
	entrySub   = 1 // has a node below
	entryLast  = 2
	entryFlags = entrySub | entryLast
)

// tree is an index that is being walked.
//
//	root:  0 4 attribute type  4 4 collation  8 4 block size  12 1 blocks per cluster
//	node:  0 4 first entry     4 4 used       8 4 allocated   12 1 has children
//	entry: 0 8 reference or data place  8 2 length  10 2 key length  12 2 flags
//	       16 key; VCN of the node below in the last 8 bytes
//	block: "INDX", update sequence, 16 8 own VCN, 24 node
type tree struct {
	c         *checker
	no        uint64 // file
	rec       []byte // its base record
	label     string
	collation uint32
	alloc     *stream
	block     int64 // bytes
	unit      int64 // bytes of one VCN
	blocks    int64
	bitmap    []byte
	seen      []uint64
	prev      []byte                     // former key
	leaf      int                        // depth of leaves, -1: none seen
	root      []byte                     // its node
	visit     func(e []byte, key []byte) // each entry
	damaged   bool
	over      bool // more than may be read
	caseKnown bool // whether the folder is case-sensitive
	sensitive bool
}

// indexes walks the folders and then the views.
func (c *checker) indexes() {
	c.start("folders", c.indexBytes)
	c.table.each(func(no uint64, e *entry) {
		if e.flags&recI30 != 0 && e.flags&recExt == 0 && !c.stopped() {
			c.folder(no, e, c.checkEntry)
		}
	})
}

// folder walks a folder's index.
func (c *checker) folder(no uint64, e *entry, visit func(dir uint64, e, key []byte)) {
	ref := no | uint64(e.seq)<<48
	t := c.openTree(no, nameI30, func(entry, key []byte) { visit(ref, entry, key) })
	if t != nil {
		t.walk()
	}
}

// openTree loads an index's root, blocks and bitmap; nil when it cannot be
// walked at all.
func (c *checker) openTree(no uint64, name string, visit func(entry, key []byte)) *tree {
	t := &tree{c: c, no: no, label: attrName(tRoot, []byte(name)), leaf: -1, visit: visit}
	var msg string
	if t.rec, msg = c.record(no, nil); msg != "" {
		return nil
	}
	root, err := c.loadFrom(t.rec, no, tRoot, name)
	if err != nil {
		t.bad("I1", "The index root of record %d cannot be read: %v.", no, err)
		return nil
	}
	if !t.openRoot(root.value, name) || !t.openBlocks(name) {
		return nil
	}
	return t
}

func (t *tree) openRoot(v []byte, name string) bool {
	g := &t.c.g
	if len(v) < rootHead+16 {
		t.bad("I1", "The index root of record %d has %d bytes.", t.no, len(v))
		return false
	}
	t.collation, t.block = le.Uint32(v[4:]), int64(le.Uint32(v[8:]))
	if !power(t.block, 512, 2<<20) {
		t.bad("I1", "The index of record %d has blocks of %d bytes.", t.no, t.block)
		return false
	}
	if name == nameI30 {
		if typ := le.Uint32(v); typ != tName || t.collation != byName {
			t.bad("I1", "The folder index of record %d is of type %#x with collation %#x.", t.no, typ, t.collation)
			return false
		}
		if t.block != g.index && t.no == fRoot {
			sev := Error
			if t.c.info.major < 3 {
				sev = Info // as formatted by Windows NT 4
			}
			t.c.findAs(sev, "B3", NoRecord, "", "The boot sector has index blocks of %d bytes, the root folder of %d.", g.index, t.block)
		}
	}
	if want := views[name]; want != nil && (le.Uint32(v) != 0 || !slices.Contains(want, t.collation)) {
		t.bad("I1", "The index of record %d is of type %#x with collation %#x.", t.no, le.Uint32(v), t.collation)
		t.collation = want[0]
	}
	t.unit = g.cluster
	if t.block < g.cluster {
		t.unit = 512
	}
	t.root = v[rootHead:]
	return true
}

// openBlocks finds what lies below the root, when something does.
func (t *tree) openBlocks(name string) bool {
	c := t.c
	alloc, err := c.loadFrom(t.rec, t.no, tAlloc, name)
	large := t.root[12]&1 != 0
	switch {
	case err == errNoStream && !large:
		return true
	case err != nil:
		t.bad("I1", "The index blocks of record %d cannot be found: %v.", t.no, err)
		return true
	}
	t.alloc = alloc
	t.blocks = max(0, min(alloc.size, alloc.real(c.g.clusters)*c.g.cluster)) / t.block
	if t.blocks > maxBlocks {
		t.bad("I1", "The index of record %d has %d blocks, more than this check follows.", t.no, t.blocks)
		return false
	}
	bm, err := c.loadFrom(t.rec, t.no, tBitmap, name)
	limit := t.blocks/8 + 1<<16
	if err == nil && !t.afford(t.blocks/8+max(0, min(bm.size, limit))) {
		return false
	}
	t.seen = make([]uint64, (t.blocks+63)/64)
	if err == nil {
		t.bitmap, err = c.readAll(bm, limit)
	}
	if err != nil {
		t.bad("I6", "The bitmap of the index of record %d cannot be read: %v.", t.no, err)
	}
	return true
}

// afford takes n bytes from what all indexes together may have.
func (t *tree) afford(n int64) bool {
	if t.c.indexBudget.take(n) {
		return true
	}
	if !t.over {
		t.over = true
		t.bad("I5", "The indexes are larger than the volume.")
	}
	return false
}

func (t *tree) bad(code, format string, args ...any) {
	t.damaged = true
	e := t.c.table.at(t.no)
	if e.flags |= recTorn; e.flags&recNoList == 0 { // else that is the cause, and reported
		t.c.find(code, t.no, t.label, format, args...)
	}
}

// walk visits all entries in order, then compares the bitmap.
func (t *tree) walk() {
	t.node(t.root, 0)
	if t.collation == byName {
		t.c.advance(t.blocks * t.block)
	}
	if t.damaged {
		return
	}
	if stale := t.stale(); stale > 0 {
		t.c.findAs(Warning, "I6", t.no, t.label, "%d index blocks of record %d are marked used but hold nothing of it.", stale, t.no)
	}
}

// stale counts the blocks that the bitmap has and the tree has not.
func (t *tree) stale() (n int) {
	for i, b := 0, t.bitmap; len(b) > 0; i++ {
		var word [8]byte
		b = b[copy(word[:], b):]
		seen := uint64(0)
		if i < len(t.seen) {
			seen = t.seen[i]
		}
		n += bits.OnesCount64(le.Uint64(word[:]) &^ seen)
	}
	return n
}

// node walks a node, whose header starts b. What stands behind a broken entry is
// lost; the nodes beside are not.
func (t *tree) node(b []byte, depth int) {
	first, used, room := int64(le.Uint32(b)), int64(le.Uint32(b[4:])), int64(le.Uint32(b[8:]))
	if used <= int64(len(b)) && (room < used || room > int64(len(b)) || depth > 0 && room < int64(len(b))) { // ntfs-3g refuses less
		t.bad(map[bool]string{true: "I1", false: "I2"}[depth == 0], "An index node of record %d says that it uses %d of %d bytes, and has %d.", t.no, used, room, len(b))
	}
	if first < 16 || first&7 != 0 || used > int64(len(b)) || first > used {
		t.bad(map[bool]string{true: "I1", false: "I2"}[depth == 0], "An index node of record %d says that its entries are at %d to %d of %d bytes.", t.no, first, used, len(b))
		return
	}
	sub := uint16(0)
	for p := b[first:used]; ; {
		n, flags, ok := t.entry(p)
		if !ok {
			return
		}
		e := p[:n]
		sub |= flags & entrySub
		t.below(e, flags, depth)
		if p = p[n:]; flags&entryLast != 0 {
			if len(p) > 0 {
				t.bad("I3", "An index node of record %d has %d bytes behind its last entry.", t.no, len(p))
			}
			t.leads(b, sub != 0, depth)
			return
		}
		t.key(e)
	}
}

// leads compares what a node's header says of nodes below with its entries: some
// systems go by the one, some by the others.
func (t *tree) leads(b []byte, down bool, depth int) {
	if says := b[12]&1 != 0; says != down {
		t.c.find(map[bool]string{true: "I1", false: "I2"}[depth == 0], t.no, t.label,
			"An index node of record %d says that there %s nodes below it, and its entries lead to %s.", t.no, map[bool]string{true: "are", false: "are no"}[says], map[bool]string{true: "some", false: "none"}[down])
	}
}

// entry judges the frame of the first entry of p.
func (t *tree) entry(p []byte) (n int, flags uint16, ok bool) {
	if len(p) < entryHead {
		t.bad("I3", "An index node of record %d has no last entry.", t.no)
		return 0, 0, false
	}
	n, flags = int(le.Uint16(p[8:])), le.Uint16(p[12:])
	need := entryHead
	if flags&entrySub != 0 {
		need += 8
	}
	if flags&entryLast == 0 {
		need += int(le.Uint16(p[10:]))
	}
	if n < need || n&7 != 0 || n > len(p) {
		t.bad("I3", "An index entry of record %d has the impossible length %d.", t.no, n)
		return 0, 0, false
	}
	if (t.collation == byName || flags&entryLast != 0) && n-need >= entryHead+nameHead {
		t.bad("I3", "An index entry of record %d has %d bytes too many, in which another may be hidden.", t.no, n-need)
	}
	if odd := flags &^ entryFlags; odd != 0 {
		t.c.findAs(Warning, "I3", t.no, t.label, "An index entry of record %d has the unknown flags %#x.", t.no, odd)
	}
	return n, flags, true
}

// below walks the node under an entry, or notes that there is none.
func (t *tree) below(e []byte, flags uint16, depth int) {
	if flags&entrySub == 0 {
		if t.leaf < 0 {
			t.leaf = depth
		}
		if t.leaf != depth {
			t.c.findAs(Warning, "I5", t.no, t.label, "The index of record %d has leaves at the depths %d and %d.", t.no, t.leaf, depth)
			t.leaf = depth
		}
		return
	}
	if depth >= maxDepth || int64(depth) >= maxNodes/t.block {
		t.bad("I5", "The index of record %d is over %d levels deep.", t.no, depth)
		return
	}
	if b := t.load(le.Uint64(e[len(e)-8:]), depth+1); b != nil {
		t.node(b, depth+1)
	}
}

// load reads index block vcn into the depth's buffer and judges it.
func (t *tree) load(vcn uint64, depth int) []byte {
	c := t.c
	per := max(1, t.block/t.unit)
	if t.alloc == nil || vcn%uint64(per) != 0 || vcn/uint64(per) >= uint64(t.blocks) {
		t.bad("I5", "An index entry of record %d leads to block %d, which does not exist.", t.no, vcn)
		return nil
	}
	i := int64(vcn) / per
	if t.seen[i/64]>>(i&63)&1 != 0 {
		t.bad("I5", "Index block %d of record %d is reached twice.", vcn, t.no)
		return nil
	}
	t.seen[i/64] |= 1 << (i & 63)
	if c.stopped() || !t.afford(t.block) {
		return nil
	}
	return t.judgeBlock(vcn, i, depth)
}

func (t *tree) judgeBlock(vcn uint64, i int64, depth int) []byte {
	c := t.c
	if t.bitmap != nil && (i/8 >= int64(len(t.bitmap)) || t.bitmap[i/8]>>(i&7)&1 == 0) {
		t.bad("I6", "Index block %d of record %d is in use, but its bitmap calls it free.", vcn, t.no)
	}
	b := c.node(depth, t.block)
	c.rep.Counts.IndexBlocks++
	if err := c.read(t.alloc, b, i*t.block); err != nil {
		t.bad("I2", "Index block %d of record %d cannot be read: %v.", vcn, t.no, err)
		return nil
	}
	if string(b[:4]) != "INDX" {
		t.bad("I2", "Index block %d of record %d has the signature %q.", vcn, t.no, b[:4])
		return nil
	}
	if msg := fixup(b, 0x28); msg != "" {
		t.bad("I2", "Index block %d of record %d: %s.", vcn, t.no, msg)
		return nil
	}
	if own := le.Uint64(b[16:]); own != vcn {
		t.bad("I2", "Index block %d of record %d says that it is block %d.", vcn, t.no, own)
		return nil
	}
	return b[indexHead:]
}

// node is the buffer for a node so far down in an index, one for all indexes.
func (c *checker) node(depth int, size int64) []byte {
	for len(c.nodes) <= depth {
		c.nodes = append(c.nodes, nil)
	}
	if int64(cap(c.nodes[depth])) < size {
		c.nodes[depth] = make([]byte, size)
	}
	return c.nodes[depth][:size]
}

// key judges an entry's key and its order, and visits it.
func (t *tree) key(e []byte) {
	t.c.rep.Counts.IndexEntries++
	key := e[entryHead : entryHead+int(le.Uint16(e[10:]))]
	if t.collation == byName {
		f, ok := parseFileName(key)
		if !ok || len(f.name) == 0 {
			t.bad("I3", "An index entry of record %d has a broken file name.", t.no)
			t.prev = nil
			return
		}
		if n := nameHead + len(f.name); len(key) != n {
			t.bad("I3", "An index entry of record %d has a key of %d bytes instead of %d.", t.no, len(key), n)
			key = key[:n]
		}
	}
	if t.prev != nil {
		t.ordered(key)
	}
	t.prev = key // the blocks that are read before the next key go into other buffers
	t.visit(e, key)
}

// ordered compares a key with the one before it.
func (t *tree) ordered(key []byte) {
	if t.collation == byName {
		t.orderedNames(t.prev[nameHead:], key[nameHead:])
		return
	}
	switch d := compareKeys(t.collation, t.prev, key); {
	case bytes.Equal(t.prev, key):
		t.bad("I4", "The index %s of record %d has an entry twice.", t.label, t.no)
	case d > 0:
		t.bad("I4", "The index %s of record %d is out of order.", t.label, t.no)
	}
}

func (t *tree) orderedNames(prev, name []byte) {
	folded, exact := t.c.up.compare(prev, name)
	if t.c.onlyASCII && folded|exact != 0 && !(ascii(prev) && ascii(name)) {
		return
	}
	switch {
	case folded < 0:
	case folded > 0:
		t.bad("I4", "In the folder of record %d, %q stands behind %q.", t.no, decode16(name), decode16(prev))
	case exact == 0:
		t.bad("I4", "The folder of record %d has the name %q twice.", t.no, decode16(name))
	case exact > 0:
		t.c.findAs(Warning, "I4", t.no, t.label, "In the folder of record %d, %q stands behind %q.", t.no, decode16(name), decode16(prev))
		fallthrough
	default:
		t.caseTwins(prev, name)
	}
}

// caseTwins reports names that only case tells apart, unless the folder is
// case-sensitive.
func (t *tree) caseTwins(prev, name []byte) {
	if !t.caseKnown {
		t.caseKnown = true
		each(t.rec, func(a *attr) bool {
			if a.typ == tStandard && len(a.value) >= 48 {
				t.sensitive = le.Uint32(a.value[36:]) == 0 && le.Uint32(a.value[40:]) == 1
			}
			return a.typ <= tStandard
		})
	}
	if !t.sensitive {
		t.c.findAs(Info, "I14", t.no, t.label, "%q and %q differ only in case.", decode16(prev), decode16(name))
	}
}

// compareKeys orders the keys of view indexes, which are sequences of 32-bit
// numbers. Other collations are not published well enough to judge.
func compareKeys(collation uint32, a, b []byte) int {
	if collation != byULong && collation != byULongs && collation != byHash {
		return 0
	}
	for len(a) >= 4 && len(b) >= 4 {
		if d := cmp.Compare(le.Uint32(a), le.Uint32(b)); d != 0 {
			return d
		}
		a, b = a[4:], b[4:]
	}
	return len(a) - len(b)
}

// checkEntry judges a folder's entry against the file that it leads to.
func (c *checker) checkEntry(dir uint64, e, key []byte) {
	ref := le.Uint64(e)
	f, _ := parseFileName(key)
	r := c.table.peek(refRecord(ref))
	if r == nil || r.flags&recUsed == 0 || r.flags&recExt != 0 {
		c.deadEnd(dir, ref, &f, r)
		return
	}
	r.sum -= hashName(f.parent, f.space, f.name)
	if r.flags&(recBad|recNoList) != 0 {
		c.remember(dir, ref, &f)
	}
	if r.seq != refSeq(ref) {
		c.dangling(dir, ref, &f, fmt.Sprintf("which now has the sequence number %d instead of %d", r.seq, refSeq(ref)))
		return
	}
	if refRecord(f.parent) == refRecord(dir) && f.parent != dir {
		c.findAs(Warning, "I8", refRecord(dir), "$INDEX_ROOT:$I30", "The entry %q of the folder of record %d gives the folder the sequence number %d instead of %d.", decode16(f.name), refRecord(dir), refSeq(f.parent), refSeq(dir))
	} else if f.parent != dir {
		c.find("I8", refRecord(dir), "$INDEX_ROOT:$I30", "The entry %q of the folder of record %d names record %d as its folder.", decode16(f.name), refRecord(dir), refRecord(f.parent))
	}
	c.kind(ref, &f, r)
	c.copies(dir, ref, &f, r)
	c.noteChild(dir, ref, &f)
}

// deadEnd judges an entry that leads to no file.
func (c *checker) deadEnd(dir, ref uint64, f *fileName, r *entry) {
	switch {
	case r != nil && r.flags&recBad != 0:
		c.remember(dir, ref, f) // reported when the record was read
	case r != nil && r.flags&recExt != 0:
		c.dangling(dir, ref, f, "which is a part of another file")
	case refRecord(ref) >= c.records:
		c.dangling(dir, ref, f, "which the file table, as far as it can be found, does not have")
	default:
		c.dangling(dir, ref, f, "which is not in use")
	}
}

// remember keeps the name that a folder has for a damaged record.
func (c *checker) remember(dir, ref uint64, f *fileName) {
	if len(c.lost) < maxPaths && f.space != spaceDOS {
		c.lost[refRecord(ref)] = lostName{refRecord(dir), ntfsparse.DecodeName(f.name)}
	}
}

// lostName is the name that a folder has for a file whose record is unreadable.
type lostName struct {
	dir  uint64
	name string
}

func (c *checker) dangling(dir, ref uint64, f *fileName, why string) {
	c.find("I7", refRecord(dir), "$INDEX_ROOT:$I30", "The entry %q of the folder of record %d leads to record %d, %s.", decode16(f.name), refRecord(dir), refRecord(ref), why)
}

// kind compares what an entry says with what the file is: a folder or not. No file
// ever changes from one to the other.
func (c *checker) kind(ref uint64, f *fileName, r *entry) {
	no, dir := refRecord(ref), r.flags&recDir != 0
	if no < firstFree || r.flags&recBad != 0 || dir != (r.flags&recI30 != 0) || dir == (f.flags&entryDir != 0) {
		return
	}
	if dir {
		c.find("I8", no, "$FILE_NAME", "The folder entry of record %d does not call it a folder, which it is.", no)
	} else {
		c.find("I8", no, "$FILE_NAME", "The folder entry of record %d calls it a folder, which it is not.", no)
	}
}

// copies compares what an entry repeats with the file's own. Windows brings the
// copy up to date when a file is closed, so that it may lag, but never be ahead;
// times other than that of the record's last change can be set back by anyone.
// Entries of hard links and of system files are known to lag.
func (c *checker) copies(dir, ref uint64, f *fileName, r *entry) {
	no := refRecord(ref)
	if no < firstFree || r.flags&(recBad|recView) != 0 || r.links != 1 || r.names != 1 {
		return
	}
	says, folder := f.copied(), r.flags&recDir != 0
	if folder {
		says.size, says.alloc = 0, 0 // of its index, if anything
	}
	stale := says.hash() != r.copied
	if !stale && folder || c.inExtend(dir) {
		return
	}
	if stale {
		c.stale(no, folder, says)
	}
	if folder || f.flags&attrSystem != 0 {
		return
	}
	if uint64(coarse(le.Uint64(f.times[16:]))) > uint64(r.changed)+1 {
		c.find("I10", no, "$FILE_NAME", "The folder entry of record %d knows a later change of the file than the file itself.", no)
	}
}

// stale says what an entry has differently from its file.
func (c *checker) stale(no uint64, folder bool, says copied) {
	var k current
	if folder {
		k.h.flags = flagDir
	}
	c.eachOfFile(no, k.note)
	has := k.copied()
	if says.flags&has.flags&attrSystem != 0 {
		return
	}
	if says.size != has.size {
		c.find("I10", no, "$FILE_NAME", "The folder entry of record %d says that the file has %d bytes, which is stale.", no, says.size)
	} else if says.alloc != has.alloc {
		c.findAs(Info, "I10", no, "$FILE_NAME", "The folder entry of record %d says that the file takes %d bytes, which is stale.", no, says.alloc)
	}
	if says.flags != has.flags {
		c.find("I10", no, "$FILE_NAME", "The folder entry of record %d has the file attributes %#x instead of %#x.", no, says.flags, has.flags)
	}
}

// copied is what a folder's entry repeats of a file, its times left out.
type copied struct {
	size, alloc int64  // bytes, of the unnamed data; of folders 0
	flags       uint32 // of copiedFlags
}

func (f *fileName) copied() copied { return copied{f.size, f.alloc, f.flags & copiedFlags} }

func (k *current) copied() copied {
	if k.h.flags&flagDir != 0 {
		return copied{flags: k.stdFlags & copiedFlags}
	}
	return copied{k.size, k.taken, k.stdFlags & copiedFlags}
}

func (x copied) hash() uint32 {
	return hash32(mix(uint64(x.size)^mix1, uint64(x.alloc)^mix2) ^ uint64(x.flags))
}

// inExtend reports whether a folder lies in $Extend, whose files Windows keeps
// open.
func (c *checker) inExtend(dir uint64) bool {
	for range 8 {
		e := c.table.peek(refRecord(dir))
		if e == nil || refRecord(dir) == fExtend {
			return e != nil
		}
		dir = e.parent
	}
	return false
}

// Flags of a file in its folder's entry.
const (
	attrSystem     = 4 // of the system; such files often stay open for good
	attrCompressed = 0x800
	entryDir       = 1 << 28 // a folder

	// copiedFlags are the attributes that an entry repeats: read-only, hidden, system,
	// archive, temporary, sparse, reparse point, compressed, offline, not indexed,
	// encrypted.
	copiedFlags = 0x7f27
)

// extendNames are the children of $Extend that later stages look for.
var extendNames = []string{"$Deleted", "$ObjId", "$Quota", "$Reparse", "$UsnJrnl"}

// noteChild remembers what later stages look for by name.
func (c *checker) noteChild(dir, ref uint64, f *fileName) {
	switch refRecord(dir) {
	case fExtend:
		if name := decode16(f.name); slices.Contains(extendNames, name) {
			c.folders[name] = refRecord(ref)
		}
	case fRoot:
		if c.hiberfil == 0 {
			if d, _ := c.up.compare(f.name, hiberfilName); d == 0 {
				c.hiberfil = refRecord(ref)
			}
		}
	}
}

var hiberfilName = encode16("hiberfil.sys")
