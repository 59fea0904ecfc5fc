package capture

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vitrine/index"
)

// RescueOptions say how an unfinished member is made readable.
type RescueOptions struct {
	Dir     string   // folder for the salvage member; "": that of the unfinished one
	Folders []string // further folders with members of the set
	// Parent is the point that the unfinished member was captured onto, as
	// index.ReadHeader tells; nil for a full.
	Parent   ParentPoint
	Tool     string
	Now      time.Time
	Progress func(Event) // bytes of the unfinished file
}

// ParentMissingError: the unfinished member needs its parent to be rescued.
type ParentMissingError struct {
	Set    index.ImageID
	Number uint32
	UID    index.UID
}

func (e *ParentMissingError) Error() string {
	return fmt.Sprintf("the unfinished image was captured onto member %04d of set %s, which is needed to rescue it", e.Number, e.Set)
}

// Rescue makes what an unfinished member holds readable: it writes a small
// member of kind Salvage, an index over the unfinished files, which stay as
// they are and must be kept. path is any part of it.
//
// Blocks that were not captured before the end are unreadable in a full and
// stay the parent's in any other member; chunks whose bytes are damaged are
// unreadable. Rescue holds 56 bytes in memory for every segment, 15 MB per TiB
// of source captured.
func Rescue(ctx context.Context, path string, o RescueOptions) (*Result, error) {
	b, err := openBroken(path)
	if err != nil {
		return nil, err
	}
	defer b.close()
	r := &rescuer{o: o, b: b, st: osStorage{}}
	return r.run(ctx)
}

// rescuer is one rescue. The unfinished file is scanned once, front to back;
// leaves are written as soon as they are known.
type rescuer struct {
	o     RescueOptions
	b     *broken
	st    storage
	meter *meter
	began time.Time

	options index.WriterOptions
	out     *output
	w       *index.Writer
	meta    *index.Meta
	streams []index.StreamRoot
	parents []*parentStream // of streams
	order   map[uint16]int  // stream ID: place in streams
	parts   []extent        // of the disk that partitions take, sorted, apart

	segs   []foundSegment // by number
	used   int64          // end of the last one
	slots  []foundSlot    // not entered in a leaf yet, in the order of the file
	next   leafKey        // the first leaf that is not decided yet
	gap    bool           // records before the next leaf may be lost
	refs   [index.LeafBlocks]index.Ref
	report salvageReport
}

type foundSegment struct {
	ptr index.SegmentPtr
	bad uint64 // slots whose bytes are damaged, or behind the end of the file
}

type foundSlot struct {
	key   leafKey
	in    uint16 // block in the leaf
	chunk uint64
}

// leafKey orders leaves as they are in the member.
type leafKey struct {
	stream int
	leaf   uint64
}

func (k leafKey) before(o leafKey) bool {
	return k.stream < o.stream || k.stream == o.stream && k.leaf < o.leaf
}

// salvageReport counts what was found.
type salvageReport struct {
	chunks, bad    int64 // slots whose bytes the file holds; those of them that are damaged
	gaps, gapBytes int64
	damaged        int64 // blocks that were captured and cannot be read
	missing        int64 // blocks of which nothing is known
	lost           int64 // bytes of both that can be seen
}

// maxSlots bounds the slots that wait for their leaf. A sound file has fewer,
// since checkpoints come at least every 64 segments.
const maxSlots = 1 << 16

func (r *rescuer) run(ctx context.Context) (*Result, error) {
	r.began, r.meter = time.Now(), newMeter(r.o.Progress)
	defer r.meter.stop()
	if err := r.prepare(); err != nil {
		return nil, err
	}
	res, err := r.salvage(ctx)
	if err != nil && r.out != nil {
		r.out.discard()
	}
	if err == nil {
		r.meter.phase(PhaseDone, nil)
	}
	return res, err
}

// prepare checks the parent and chooses the new member's identity.
func (r *rescuer) prepare() error {
	h := r.b.header
	if h.ParentNumber != index.NoParent {
		if r.o.Parent == nil {
			return &ParentMissingError{h.Set, h.ParentNumber, h.ParentUID}
		}
		if p := r.o.Parent.IndexParent(); p.UID != h.ParentUID || p.Root != h.ParentRoot {
			return &ParentMissingError{h.Set, h.ParentNumber, h.ParentUID}
		}
	} else {
		r.o.Parent = nil
	}
	if r.o.Dir == "" {
		r.o.Dir = filepath.Dir(r.b.paths[0])
	}
	if r.o.Now.IsZero() {
		r.o.Now = time.Now()
	}
	r.options = index.WriterOptions{Set: h.Set, Kind: index.Salvage, Created: h.Created, Tool: r.o.Tool}
	rand.Read(r.options.UID[:])
	if r.o.Parent != nil {
		r.options.Parent = r.o.Parent.IndexParent()
	}
	folders := append([]string{r.o.Dir, filepath.Dir(r.b.paths[0])}, r.o.Folders...)
	var err error
	r.options.Number, err = nextNumber(h.Set, folders, int64(h.Number))
	return err
}

func (r *rescuer) salvage(ctx context.Context) (*Result, error) {
	r.meter.phase(PhaseRead, func(e *Event) { e.Total = r.b.size; e.Item = r.b.paths[0] })
	at := int64(0)
	err := index.Scan(r.b, r.b.size, r.b.size, r.b.header, index.ScanVisitor{
		Plan: r.begin, Segment: r.segment, Leaf: r.leaf,
		Damaged: func(_, n int64) error {
			r.gap, r.report.gaps, r.report.gapBytes = true, r.report.gaps+1, r.report.gapBytes+n
			return nil
		},
		Progress: func(addr int64) error {
			r.meter.add(addr-at, &index.Stats{})
			at = addr
			return ctx.Err()
		},
	})
	if err != nil {
		return nil, err
	}
	if r.w == nil || r.report.chunks == r.report.bad {
		return nil, fmt.Errorf("%s: %w", r.b.paths[0], ErrNothing)
	}
	return r.finish()
}

// begin opens the new member once the plan of the unfinished one is known. A
// second plan is ignored.
func (r *rescuer) begin(m *index.Meta, streams []index.StreamRoot) error {
	if r.w != nil || len(m.Disks) == 0 {
		return nil
	}
	r.meta, r.streams, r.order = m, streams, map[uint16]int{}
	for i, s := range streams {
		if _, twice := r.order[s.ID]; twice {
			return fmt.Errorf("%w: the description of the source is damaged", ErrNothing)
		}
		r.order[s.ID] = i
		r.parents = append(r.parents, newParentStream(r.o.Parent, s.ID, s.Size))
	}
	for _, q := range m.Disks[0].Partitions {
		r.parts = append(r.parts, extent{Off: q.Offset, Len: q.Size})
	}
	r.parts = merge(r.parts)
	var err error
	if r.out, err = createOutput(r.st, r.o.Dir, r.base()); err != nil {
		return err
	}
	if r.w, err = index.NewWriter(r.out, r.options); err != nil {
		return err
	}
	return r.w.Plan(m, streams)
}

// base keeps the prefix of the unfinished file's name.
func (r *rescuer) base() string {
	name := filepath.Base(r.b.paths[0])
	prefix, _, ok := strings.Cut(name, "_"+r.options.Set.String())
	if !ok || checkPrefix(prefix) != nil {
		prefix = ""
	}
	return baseName(prefix, r.options.Set, r.options.Number)
}

// plan falls back to the parent's description where the plan is damaged.
func (r *rescuer) ensurePlan() error {
	if r.w != nil {
		return nil
	}
	if r.o.Parent == nil || r.o.Parent.Meta() == nil {
		return fmt.Errorf("%w: the description of the source is damaged", ErrNothing)
	}
	m := *r.o.Parent.Meta()
	m.Stats, m.Warnings = nil, nil
	var streams []index.StreamRoot
	for _, s := range r.options.Parent.Streams {
		streams = append(streams, index.StreamRoot{ID: s.ID, Size: s.Size})
	}
	return r.begin(&m, streams)
}

// segment notes a segment and which blocks it holds.
func (r *rescuer) segment(p index.SegmentPtr, s *index.Segment, bad []int) error {
	if err := r.ensurePlan(); err != nil {
		return err
	}
	// A segment takes at least Align bytes, which bounds its number.
	if int64(s.Number) > p.Off/index.Align || int(s.Number) < len(r.segs) {
		return nil
	}
	for len(r.segs) <= int(s.Number) {
		r.segs = append(r.segs, foundSegment{})
	}
	f := &r.segs[s.Number]
	f.ptr, r.used = p, min(p.Off+int64(p.Len), r.b.size) // the last one may be cut
	unwritten := uint64(0)
	for _, i := range bad {
		f.bad |= 1 << i
		if at, sl, err := s.Chunk(i); err != nil || at+int64(sl.Len) > r.b.size {
			unwritten |= 1 << i
		}
	}
	lost := int64(bits.OnesCount64(unwritten))
	r.report.chunks += int64(len(s.Slots)) - lost
	r.report.bad += int64(len(bad)) - lost
	return r.note(s, unwritten)
}

// note keeps a segment's slots until their leaf comes, without those that the
// capture did not come to write.
func (r *rescuer) note(s *index.Segment, unwritten uint64) error {
	for i, sl := range s.Slots {
		n, ok := r.order[sl.Stream]
		if !ok || unwritten>>i&1 == 1 || sl.Block >= r.streams[n].Blocks() {
			continue
		}
		key := leafKey{n, sl.Block / index.LeafBlocks}
		if key.before(r.next) || len(r.slots) > 0 && key.before(r.slots[len(r.slots)-1].key) {
			continue
		}
		r.slots = append(r.slots, foundSlot{key, uint16(sl.Block % index.LeafBlocks), uint64(s.Number)*index.SegmentChunks + uint64(i)})
	}
	for len(r.slots) > maxSlots {
		r.gap = true // checkpoints were lost
		if err := r.upTo(leafKey{r.slots[0].key.stream, r.slots[0].key.leaf + 1}); err != nil {
			return err
		}
	}
	return nil
}

// leaf enters a leaf that a checkpoint holds.
func (r *rescuer) leaf(stream uint16, leaf uint64, pg *index.Page) error {
	if err := r.ensurePlan(); err != nil {
		return err
	}
	n, ok := r.order[stream]
	if !ok || leaf >= r.streams[n].Leaves() {
		return nil
	}
	key := leafKey{n, leaf}
	if key.before(r.next) {
		return nil
	}
	if err := r.upTo(key); err != nil {
		return err
	}
	r.gap = false
	var pages index.Pages = noPages{}
	if r.o.Parent != nil {
		pages = r.options.Parent.Pages
	}
	if err := index.ExpandLeaf(pg, pages, &r.refs); err != nil {
		return err
	}
	r.dropSlots(key)
	r.next = leafKey{n, leaf + 1}
	return r.enter(&r.streams[n], leaf)
}

// noPages: a full has no pages but its own.
type noPages struct{}

func (noPages) Page(p index.PagePtr) (*index.Page, error) {
	return nil, errors.New("a full's index refers to another member")
}

func (r *rescuer) dropSlots(key leafKey) {
	i := 0
	for i < len(r.slots) && !key.before(r.slots[i].key) {
		i++
	}
	r.slots = r.slots[:copy(r.slots, r.slots[i:])]
}

// enter writes a leaf. What lies in segments that were not found, or are
// damaged, is marked.
func (r *rescuer) enter(s *index.StreamRoot, leaf uint64) error {
	for i, ref := range r.refs {
		switch {
		case ref.Kind == index.Unreadable:
			r.report.missing++
		case ref.Kind == index.Data && ref.Member == r.b.header.Number && !r.sound(ref.Chunk):
			r.refs[i] = index.Ref{Kind: index.Unreadable}
			r.report.damaged++
		default:
			continue
		}
		r.report.lost += r.seen(s, leaf*index.LeafBlocks+uint64(i))
	}
	return r.w.Leaf(s.ID, leaf, &r.refs)
}

// seen gives the bytes of a block that the point shows: those of partitions
// come from streams of their own, not from the one between them.
func (r *rescuer) seen(s *index.StreamRoot, block uint64) (n int64) {
	e := clip(extent{Off: int64(block) * index.BlockSize, Len: index.BlockSize}, 0, s.Size)
	gap := r.meta.Disks[0].GapStream
	if gap == nil || *gap != s.ID {
		return e.Len
	}
	for _, x := range subtract(nil, e, r.parts) {
		n += x.Len
	}
	return n
}

func (r *rescuer) sound(chunk uint64) bool {
	n := chunk / index.SegmentChunks
	return n < uint64(len(r.segs)) && r.segs[n].ptr.Len > 0 && r.segs[n].bad>>(chunk%index.SegmentChunks)&1 == 0
}

// upTo decides all leaves before key. Without a gap, a leaf that no checkpoint
// holds is as the parent has it, or all holes; after a gap, and where slots
// say that it was begun, it is put together from what there is.
func (r *rescuer) upTo(key leafKey) error {
	for r.next.before(key) {
		s := r.next.stream
		if s >= len(r.streams) {
			return nil
		}
		last := r.streams[s].Leaves()
		if s == key.stream {
			last = min(last, key.leaf)
		}
		if err := r.decide(s, last); err != nil {
			return err
		}
		if r.next = (leafKey{s, last}); s < key.stream {
			r.next = leafKey{s + 1, 0}
		}
	}
	return nil
}

// decide goes through the leaves of stream s from r.next up to last.
func (r *rescuer) decide(s int, last uint64) error {
	for leaf := r.next.leaf; leaf < last; leaf++ {
		if !r.gap || r.parents[s] != nil && r.parents[s].sized {
			if leaf = r.nextBegun(s, last); leaf == last {
				break
			}
		}
		if err := r.compose(leafKey{s, leaf}); err != nil {
			return err
		}
	}
	return nil
}

// nextBegun is the leaf of the first slot that waits, or last.
func (r *rescuer) nextBegun(s int, last uint64) uint64 {
	if len(r.slots) > 0 && r.slots[0].key.before(leafKey{s, last}) {
		return r.slots[0].key.leaf
	}
	return last
}

// compose puts a leaf together from the parent's and the slots.
func (r *rescuer) compose(key leafKey) error {
	s, p := r.streams[key.stream], r.parents[key.stream]
	if err := p.leaf(key.leaf, &r.refs); err != nil {
		return err
	}
	r.neverCaptured(&s, p, key.leaf)
	for len(r.slots) > 0 && r.slots[0].key == key {
		f := r.slots[0]
		r.refs[f.in] = index.Ref{Kind: index.Data, Member: r.b.header.Number, Chunk: f.chunk}
		r.slots = r.slots[1:]
	}
	return r.enter(&s, key.leaf)
}

// neverCaptured marks the blocks of a leaf that the parent says nothing of.
func (r *rescuer) neverCaptured(s *index.StreamRoot, p *parentStream, leaf uint64) {
	known, kind := uint64(0), index.Unreadable
	if p != nil {
		known = p.blocks
	}
	if r.unselected(s.ID) {
		kind = index.NotCaptured
	}
	for i := range r.refs {
		if n := leaf*index.LeafBlocks + uint64(i); n >= known && n < s.Blocks() && r.seen(s, n) > 0 {
			r.refs[i] = index.Ref{Kind: kind}
		}
	}
}

func (r *rescuer) unselected(id uint16) bool {
	return slices.ContainsFunc(r.meta.Disks[0].Partitions, func(q index.Partition) bool { return q.Stream == id && q.Mode == modeNone })
}

// finish decides what comes behind the last checkpoint and writes the index.
func (r *rescuer) finish() (*Result, error) {
	r.gap = true
	if err := r.upTo(leafKey{len(r.streams), 0}); err != nil {
		return nil, err
	}
	r.meter.phase(PhaseFinish, nil)
	h := r.b.header
	entry := index.MemberEntry{Number: h.Number, Kind: h.Kind, UID: h.UID, Length: r.used, Created: h.Created, Parent: h.ParentNumber}
	if err := r.w.Adopt(entry, r.directory()); err != nil {
		return nil, err
	}
	r.describe()
	root, err := r.w.Finish(r.meta)
	if err != nil {
		return nil, err
	}
	parts, err := r.out.commit()
	if err != nil {
		return nil, err
	}
	return &Result{Path: parts[0], Parts: parts, Size: r.out.total, Set: h.Set, Number: r.options.Number, UID: r.options.UID,
		Kind: index.Salvage, Root: root, Meta: r.meta, Incomplete: true, Reasons: r.meta.Warnings}, nil
}

// directory lists the segments; in the place of one that was not found, which
// nothing refers to, stands a neighbour.
func (r *rescuer) directory() []index.SegmentPtr {
	out := make([]index.SegmentPtr, len(r.segs))
	for i := range out {
		if out[i] = r.segs[i].ptr; out[i].Len == 0 && i > 0 {
			out[i] = out[i-1]
		}
	}
	for i := len(out) - 2; i >= 0; i-- {
		if out[i].Len == 0 {
			out[i] = out[i+1]
		}
	}
	return out
}

func (r *rescuer) describe() {
	m, c := r.meta, &r.report
	m.Consistency = "salvaged"
	say := func(n int64, format string, a ...any) {
		if n > 0 {
			m.Warnings = append(m.Warnings, fmt.Sprintf(format, a...))
		}
	}
	say(1, "rescued from an unfinished capture: %d blocks of 64 KiB were found in it; it is not a consistent state of the source", c.chunks-c.bad)
	say(c.damaged, "%d blocks are damaged and marked as unreadable", c.bad)
	say(c.gaps, "%d places of the unfinished file, %d bytes, could not be understood", c.gaps, c.gapBytes)
	say(c.missing, "%d blocks were not captured, or were free, and are marked as unreadable", c.missing)
	if p := r.b.header.ParentNumber; p != index.NoParent {
		say(1, "what was not captured before the end is shown as it was in point %d", p)
	}
	m.Stats = &index.Stats{Used: inUse(m), Stored: r.used, NanosTaken: int64(time.Since(r.began)),
		Read: r.b.size, Changed: (c.chunks - c.bad) * index.BlockSize, Chunks: c.chunks - c.bad, Unreadable: c.lost}
}

// inUse is what the partitions had in use that were to be captured.
func inUse(m *index.Meta) (n int64) {
	for _, d := range m.Disks {
		for _, p := range d.Partitions {
			if p.Mode != modeNone {
				n += p.Used
			}
		}
	}
	return n
}
