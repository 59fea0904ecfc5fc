package index

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Output takes the bytes of a member front to back.
type Output interface {
	io.Writer
	// Sync makes everything written so far durable.
	Sync() error
	// NextPart ends the current file and begins part n, 1 and up.
	NextPart(n int) error
}

// Parent is the point that a new member is captured onto.
type Parent struct {
	UID     UID
	Root    Hash
	Members []MemberEntry // the parent's ancestors, then the parent
	Streams []StreamRoot
	Pages   Pages
}

// WriterOptions describe the new member.
type WriterOptions struct {
	Set     ImageID
	Number  uint32
	UID     UID
	Kind    MemberKind
	Created int64 // Unix nanoseconds
	Tool    string
	// Split is the size of a part's file, at most, in bytes; 0: one part. Of a
	// multiple of 4 GiB a part has less, so that it fits a FAT file system.
	Split  int64
	Parent *Parent // nil for a full
}

// MinSplit is the smallest part size that is accepted. The last part is larger
// only when the description of the image, with its list of unreadable places,
// grows so long during the capture that it does not fit one.
const MinSplit = 1 << 20

// Checkpoints are written after this much; of leaves, and of rows that name
// them, after less where parts are small.
const (
	checkpointSegments = 64
	checkpointPages    = 1 << 20 // bytes of finished leaves
)

// fatLimit is one more than the longest file of a FAT file system.
const fatLimit = 1 << 32

// Writer writes one member. It is for one goroutine. The first error of the
// output sticks: everything after it fails with it.
type Writer struct {
	out     Output
	o       WriterOptions
	err     error
	addr    int64 // of the next byte
	part    int
	start   int64 // address where the current part's payload begins
	header  Hash
	prev    Hash // of the last preamble
	streams []*streamMap

	slots []Slot // of the open segment
	body  []byte

	segs     []SegmentPtr // since the last checkpoint
	segments uint32
	chunks   uint64
	dirs     []dirRef
	leaves   []pendingLeaf
	pending  int // bytes of leaves

	adopted []MemberEntry
}

// pendingLeaf is a finished leaf that the next checkpoint writes; without page
// it is all holes.
type pendingLeaf struct {
	s    *streamMap
	leaf uint64
	page []byte
}

// Chunk is one block to store.
type Chunk struct {
	Stream uint16
	Block  uint64
	Codec  Codec
	Hash   Hash   // of the plain block
	Stored []byte // 1 to MaxStored bytes; may be reused once Chunk returned
}

// NewWriter writes and syncs the header.
func NewWriter(out Output, o WriterOptions) (*Writer, error) {
	if o.Split != 0 && o.Split < MinSplit {
		return nil, fmt.Errorf("parts of %d bytes are too small: at least %d", o.Split, int64(MinSplit))
	}
	if (o.Parent == nil) != (o.Kind == Full) && o.Kind != Salvage {
		return nil, errors.New("a full has no parent, any other member needs one")
	}
	if o.Split%fatLimit == 0 {
		o.Split = max(0, o.Split-1)
	}
	w := &Writer{out: out, o: o}
	h := w.headerOf(0)
	b := h.encode()
	w.header = ctxHeader.sum(b)
	w.write(b)
	w.sync()
	return w, w.err
}

func (w *Writer) headerOf(part int) *Header {
	h := &Header{Set: w.o.Set, UID: w.o.UID, Number: w.o.Number, Kind: w.o.Kind, ParentNumber: NoParent,
		Part: uint16(part), PartStart: w.start, Created: w.o.Created, Tool: w.o.Tool}
	if p := w.o.Parent; p != nil {
		h.ParentUID, h.ParentRoot, h.ParentNumber = p.UID, p.Root, p.Members[len(p.Members)-1].Number
	}
	return h
}

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	if _, err := w.out.Write(b); err != nil {
		w.err = err
		return
	}
	w.addr += int64(len(b))
}

func (w *Writer) sync() {
	if w.err == nil {
		w.err = w.out.Sync()
	}
}

// room begins a new part if n more bytes do not fit into this one.
func (w *Writer) room(n int64) {
	payload := w.addr - w.start
	if w.part == 0 {
		payload -= HeaderSize
	}
	if w.err != nil || w.o.Split == 0 || payload == 0 || HeaderSize+payload+n <= w.o.Split {
		return
	}
	if w.part == math.MaxUint16 {
		w.fail(errors.New("the image has too many parts: choose a larger part size"))
		return
	}
	w.part++
	if err := w.out.NextPart(w.part); err != nil {
		w.fail(err)
		return
	}
	w.start = w.addr
	if _, err := w.out.Write(w.headerOf(w.part).encode()); err != nil {
		w.fail(err)
	}
}

// space is what a part has room for behind its header.
func (w *Writer) space() int64 {
	if w.o.Split == 0 {
		return math.MaxInt64
	}
	return w.o.Split - HeaderSize
}

// Plan records what is going to be captured, so that an unfinished member can
// be salvaged, and fixes the streams. Call it once, before anything else.
func (w *Writer) Plan(m *Meta, streams []StreamRoot) error {
	if len(streams) > MaxStreams {
		return w.fail(errors.New("too many partitions"))
	}
	doc := planDoc{Meta: m, Header: w.headerOf(0).encode()[:headerUsed]}
	for _, s := range streams {
		if s.Size < 0 || s.Blocks() > MaxBlocks || s.ID >= tagDirectory {
			return w.fail(fmt.Errorf("stream %d of %d bytes is out of range", s.ID, s.Size))
		}
		w.streams = append(w.streams, newStreamMap(s, w.o.Parent))
		doc.Streams = append(doc.Streams, planStream{s.ID, s.Size})
	}
	body, plain, err := packJSON(doc)
	if err != nil || plain > MaxMeta {
		return w.fail(errors.New("the description of the source is too long"))
	}
	if n := int64(2*(len(body)+len(w.ancestors())*memberEntrySize)) + 8*Align; n > w.space() {
		return w.fail(errors.New("the description of the source does not fit a part: choose a larger part size"))
	}
	w.record(&preamble{Type: recPlan}, le.AppendUint32(nil, uint32(plain)), body)
	w.sync()
	return w.err
}

// planDoc is the JSON of the plan record.
type planDoc struct {
	Meta    *Meta        `json:"meta"`
	Streams []planStream `json:"streams"`
	Header  []byte       `json:"header"` // of part 0, without the zeros and the CRC behind it
}

type planStream struct {
	ID   uint16 `json:"id"`
	Size int64  `json:"size"`
}

// record writes preamble, table, body and padding, and returns the address.
func (w *Writer) record(p *preamble, table, body []byte) (addr int64, head []byte) {
	p.TableLen, p.BodyLen = uint32(len(table)), uint32(len(body))
	w.room(alignUp(p.size()))
	p.Set, p.UIDHalf, p.Addr = w.o.Set, [8]byte(w.o.UID[:8]), w.addr
	p.BodyCRC, p.Table, p.Prev = CRC(body), ctxTable.sum(table), w.prev
	pre := p.encode()
	w.prev = ctxSegment.sum(pre)
	head = append(pre, table...)
	w.write(head)
	w.write(body)
	w.pad()
	return p.Addr, head
}

var zeros [Align]byte

func (w *Writer) pad() { w.write(zeros[:alignUp(w.addr)-w.addr]) }

// Chunk stores one block and tells where it will be found.
func (w *Writer) Chunk(c Chunk) (Ref, error) {
	if len(c.Stored) == 0 || len(c.Stored) > MaxStored || (c.Codec == Raw && len(c.Stored) != BlockSize) || c.Block >= MaxBlocks {
		return Ref{}, w.fail(fmt.Errorf("block %d of %d stored bytes is out of range", c.Block, len(c.Stored)))
	}
	if w.segments == math.MaxUint32 {
		return Ref{}, w.fail(errors.New("the image has too many segments"))
	}
	if w.segmentSize(1, len(c.Stored)) > w.space() {
		w.segment()
		w.maybeCheckpoint()
	}
	ref := Ref{Data, w.o.Number, uint64(w.segments)*SegmentChunks + uint64(len(w.slots))}
	w.slots = append(w.slots, Slot{c.Stream, c.Block, c.Codec, uint32(len(c.Stored)), CRC(c.Stored), c.Hash})
	w.body = append(w.body, c.Stored...)
	w.chunks++
	if len(w.slots) == SegmentChunks {
		w.segment()
		w.maybeCheckpoint()
	}
	return ref, w.err
}

// segmentSize is what the open segment takes with more chunks in it.
func (w *Writer) segmentSize(chunks, stored int) int64 {
	return alignUp(int64(PreambleSize + (len(w.slots)+chunks)*SlotSize + len(w.body) + stored))
}

// segment writes the open segment.
func (w *Writer) segment() {
	if len(w.slots) == 0 || w.err != nil {
		return
	}
	table := make([]byte, 0, len(w.slots)*SlotSize)
	for i := range w.slots {
		table = appendSlot(table, &w.slots[i])
	}
	p := &preamble{Type: recSegment, Entries: uint16(len(w.slots)), Segment: w.segments}
	addr, head := w.record(p, table, w.body)
	w.segs = append(w.segs, SegmentPtr{addr, uint32(len(head)), uint32(p.size()), ctxSegment.sum(head)})
	w.segments++
	w.slots, w.body = w.slots[:0], w.body[:0]
}

// Leaf records blocks leaf*LeafBlocks and on. Leaves come in ascending order,
// stream by stream as planned. A leaf equal to the parent's costs nothing. A
// leaf that is not given stays as the parent has it, if the stream has the
// parent's size, and is a hole otherwise.
func (w *Writer) Leaf(stream uint16, leaf uint64, refs *[LeafBlocks]Ref) error {
	for _, s := range w.streams {
		if s.root.ID == stream {
			return w.leaf(s, leaf, refs)
		}
	}
	return w.fail(fmt.Errorf("stream %d was not planned", stream))
}

func (w *Writer) leaf(s *streamMap, leaf uint64, refs *[LeafBlocks]Ref) error {
	page, same, err := s.encode(leaf, refs)
	if err != nil {
		return w.fail(err)
	}
	if same || w.err != nil {
		return w.err
	}
	w.leaves = append(w.leaves, pendingLeaf{s, leaf, page})
	w.pending += len(page)
	w.maybeCheckpoint()
	return w.err
}

func (w *Writer) maybeCheckpoint() {
	few := w.space() / 4
	if len(w.segs) >= checkpointSegments || w.pending >= int(min(checkpointPages, few)) || len(w.leaves) >= int(min(maxTable/2, few)/checkpointEntry) {
		w.Checkpoint()
	}
}

// checkpointEntry is the size of a row of a checkpoint's table: which page lies
// at this place of the body.
//
//	off len field
//	  0   2 stream, or tagDirectory; 2 2 zero; 4 4 length of the page (leaf: 0, all holes)
//	  8   8 leaf number (directory page: first segment)
const checkpointEntry = 16

const tagDirectory = 0xFFFF

func appendCheckpoint(b []byte, tag uint16, n int, key uint64) []byte {
	b = le.AppendUint16(b, tag)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, uint32(n))
	return le.AppendUint64(b, key)
}

// Checkpoint writes and syncs all that can be salvaged if the capture ends
// here: the open segment, the directory and the leaves finished so far.
func (w *Writer) Checkpoint() error {
	w.segment()
	if len(w.segs) == 0 && len(w.leaves) == 0 {
		w.sync()
		return w.err
	}
	var table, body []byte
	if n := len(w.segs); n > 0 {
		first := w.segments - uint32(n)
		page := encodeDirLeaf(first, w.segs)
		table, body = appendCheckpoint(table, tagDirectory, len(page), uint64(first)), append(body, page...)
	}
	for _, l := range w.leaves {
		table = appendCheckpoint(table, l.s.root.ID, len(l.page), l.leaf)
		body = append(body, l.page...)
	}
	addr, head := w.record(&preamble{Type: recCheckpoint, Entries: uint16(len(table) / checkpointEntry), Segment: w.segments}, table, body)
	w.place(addr + int64(len(head)))
	w.sync()
	return w.err
}

// place enters the pages of a checkpoint, whose body lies at addr, into
// directory and map.
func (w *Writer) place(addr int64) {
	if n := len(w.segs); n > 0 {
		page := encodeDirLeaf(w.segments-uint32(n), w.segs)
		w.dirs = append(w.dirs, dirRef{w.segments - uint32(n), w.pointer(addr, page)})
		addr += int64(len(page))
	}
	for _, l := range w.leaves {
		ptr := PagePtr{}
		if l.page != nil {
			ptr = w.pointer(addr, l.page)
			addr += int64(len(l.page))
		}
		if err := l.s.set(l.leaf, ptr); err != nil {
			w.fail(err)
		}
	}
	w.segs, w.leaves, w.pending = w.segs[:0], w.leaves[:0], 0
}

func (w *Writer) pointer(addr int64, page []byte) PagePtr {
	return PagePtr{w.o.Number, addr, uint32(len(page)), ctxPage.sum(page)}
}

// page writes one page of the index tail.
func (w *Writer) page(b []byte) PagePtr {
	w.room(int64(len(b)))
	p := w.pointer(w.addr, b)
	w.write(b)
	return p
}

// Adopt makes an unfinished member part of this one's chain: m, without Dir
// and Root, and the segments that were found in it, in order.
func (w *Writer) Adopt(m MemberEntry, segs []SegmentPtr) error {
	var dirs []dirRef
	w.pad()
	for first := 0; first < len(segs); first += maxDirLeaf {
		part := segs[first:min(first+maxDirLeaf, len(segs))]
		dirs = append(dirs, dirRef{uint32(first), w.page(encodeDirLeaf(uint32(first), part))})
	}
	m.Dir, m.Root = w.directory(dirs), Hash{}
	w.adopted = append(w.adopted, m)
	w.pad()
	return w.err
}

// directory writes the inner pages over dirs and gives the root.
func (w *Writer) directory(dirs []dirRef) PagePtr {
	for len(dirs) > 1 {
		var up []dirRef
		for len(dirs) > 0 {
			n := min(len(dirs), maxDirInner)
			up = append(up, dirRef{dirs[0].first, w.page(encodeDirInner(dirs[:n]))})
			dirs = dirs[n:]
		}
		dirs = up
	}
	if len(dirs) == 0 {
		return PagePtr{}
	}
	return dirs[0].ptr
}

// Finish writes the index tail and the footer and syncs. The member is
// complete once it returns without error; its ROOT is what it returns.
func (w *Writer) Finish(m *Meta) (Hash, error) {
	if err := w.Checkpoint(); err != nil {
		return Hash{}, err
	}
	s := w.super()
	s.dir = w.directory(w.dirs)
	for _, st := range w.streams {
		root, err := st.flush(w.page)
		if err != nil {
			return Hash{}, w.fail(err)
		}
		s.streams = append(s.streams, root)
	}
	return w.tail(s, m)
}

func (w *Writer) super() *super {
	h := w.headerOf(0)
	return &super{number: w.o.Number, parent: h.ParentNumber, uid: w.o.UID, parentUID: h.ParentUID, set: w.o.Set,
		created: w.o.Created, kind: w.o.Kind, header: w.header, parentRoot: h.ParentRoot, chunks: w.chunks, segments: w.segments}
}

// tail writes metadata, member table and superblock twice, then the footer.
func (w *Writer) tail(s *super, m *Meta) (Hash, error) {
	meta, plain, err := packJSON(m)
	if err != nil || plain > MaxMeta {
		return Hash{}, w.fail(errors.New("the description of the source is too long"))
	}
	var members []byte
	for _, e := range w.ancestors() {
		members = appendMember(members, &e)
	}
	n := int64(len(meta) + len(members) + superFixed + len(s.streams)*streamSize)
	w.room(alignUp(2*n) + 2*Align + FooterSize)
	at := w.addr
	s.meta = span{at, uint32(len(meta)), uint32(plain), ctxMeta.sum(meta)}
	s.members = span{at + int64(len(meta)), uint32(len(members)), uint32(len(members)), ctxMembers.sum(members)}
	super := s.encode()
	for range 2 {
		w.write(meta)
		w.write(members)
		w.write(super)
	}
	w.pad()
	w.sync()
	ft := &footer{set: w.o.Set, uid: w.o.UID, number: w.o.Number, part: uint16(w.part), partStart: w.start, addr: w.addr,
		super: s.members.off + int64(len(members)), superLen: uint32(len(super)), root: ctxSuper.sum(super), copyDelta: n}
	w.write(ft.encode())
	w.sync()
	return ft.root, w.err
}

// ancestors are the rows of the member table, ascending.
func (w *Writer) ancestors() []MemberEntry {
	var list []MemberEntry
	if w.o.Parent != nil {
		list = append(list, w.o.Parent.Members...)
	}
	return append(list, w.adopted...)
}
