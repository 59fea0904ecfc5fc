package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"vitrine/index"
	"vitrine/volume"
)

// Modes of a partition, as index.Partition.Mode names them.
const (
	modeUsed = "used" // what the file system has in use
	modeAll  = "all"  // every sector
	modeNone = "none" // not selected
)

// stream is one address space of the member and what is to be taken of it.
type stream struct {
	id        uint16
	off, size int64 // on the disk
	label     string
	mode      string
	used      func() iter.Seq2[extent, error] // sorted, in the stream's addresses
	skip      []extent                        // left out of used, sorted, apart
	total     int64                           // bytes of used without skip
	bad       *[]index.Range                  // where unreadable ranges are noted
}

// plan is everything known before the first block is read.
type plan struct {
	meta    *index.Meta
	streams []*stream
	total   int64
	used    int64
	reasons []string // why the image will not be complete
}

// planner finds out what is on the source and what of it is taken.
type planner struct {
	src    Source
	o      *Options
	layout *volume.Layout
	plan   *plan
	open   openUsed
	// leftOut counts the extents of what is left out.
	leftOut int
	// matched are the patterns of files to leave out that matched some.
	matched map[string]bool
}

// openUsed is volume.OpenUsed, or a test's.
type openUsed func(r io.ReaderAt, size int64) (volume.UsedSpace, error)

// maxSource is what the map of an image can tell of, see docs/FORMAT.md.
const maxSource = index.MaxBlocks * index.BlockSize

// outline reads the partition table and names what is there; sizes of what is
// in use come later, from measure.
func outline(src Source, o *Options) (*planner, error) {
	if n := src.Size(); n > maxSource {
		return nil, &OptionError{"source", o.SourceName, fmt.Sprintf("it has %d bytes, more than the %d (64 PiB) that an image can hold", n, int64(maxSource))}
	}
	layout, err := volume.ReadLayout(src, src.Size(), o.SectorSize)
	if err != nil {
		return nil, fmt.Errorf("read the partition table: %w", err)
	}
	p := &planner{src: src, o: o, layout: layout, plan: &plan{}, matched: map[string]bool{}}
	if err := p.checkSelection(); err != nil {
		return nil, err
	}
	p.describe()
	return p, nil
}

func (p *planner) checkSelection() error {
	for _, n := range p.o.Partitions {
		if !slices.ContainsFunc(p.layout.Partitions, func(q volume.Partition) bool { return q.Number == n }) {
			return &OptionError{"partition", fmt.Sprint(n), "there is none of this number; the source " + p.numbers()}
		}
	}
	if len(p.layout.Partitions) == 0 && p.layout.Table == volume.TableNone {
		return &OptionError{"source", p.o.SourceName, "it is empty"}
	}
	return nil
}

// numbers tells which partitions there are.
func (p *planner) numbers() string {
	if p.layout.Table == volume.TableNone {
		return "is a single volume without a partition table, number 1"
	}
	if len(p.layout.Partitions) == 0 {
		return "has no partitions"
	}
	var have []string
	for _, q := range p.layout.Partitions {
		have = append(have, fmt.Sprint(q.Number))
	}
	return "has " + strings.Join(have, ", ")
}

// describe builds the metadata that the partition table and the file systems'
// heads give.
func (p *planner) describe() {
	o, l := p.o, p.layout
	d := index.Disk{Size: l.Size, SectorSize: l.SectorSize, PhysicalSector: o.PhysicalSector, Model: o.Model, Serial: o.Serial,
		Table: l.Table, ID: l.DiskID, Partitions: []index.Partition{}}
	for _, q := range l.Partitions {
		fs := volume.Detect(p.section(q.Off, q.Len), q.Len)
		d.Partitions = append(d.Partitions, index.Partition{Number: q.Number, Offset: q.Off, Size: q.Len, Type: q.Type, UniqueID: q.UniqueID,
			Name: q.Name, FS: fs.Kind, Label: fs.Label, FSID: fs.ID, Cluster: fs.Cluster})
	}
	p.plan.meta = &index.Meta{Schema: 1, Tool: o.Tool, Created: o.Now.UTC(), Host: o.Host, Source: o.SourceName, Comment: o.Comment,
		Consistency: o.Consistency, Disks: []index.Disk{d}, Warnings: append(slices.Clone(o.Warnings), l.Problems...)}
}

func (p *planner) section(off, n int64) *io.SectionReader { return io.NewSectionReader(p.src, off, n) }

func (p *planner) disk() *index.Disk { return &p.plan.meta.Disks[0] }

// measure finds what is in use in every partition and completes the plan.
func (p *planner) measure(ctx context.Context) error {
	p.assign()
	d := p.disk()
	if d.GapStream != nil {
		p.gaps(d)
	}
	for i := range d.Partitions {
		if err := p.partition(ctx, &d.Partitions[i]); err != nil {
			return err
		}
	}
	for _, pattern := range p.o.Exclude {
		if !p.matched[pattern] {
			p.plan.meta.Warnings = append(p.plan.meta.Warnings, fmt.Sprintf("nothing was left out for the pattern %q: it matches no file", pattern))
		}
	}
	return nil
}

// assign gives every partition, and the space between them, the stream that it
// has in the parent, or a new one.
func (p *planner) assign() {
	ids := newStreamIDs(p.o.Parent)
	d := p.disk()
	if d.Table != volume.TableNone {
		id := ids.gap()
		d.GapStream = &id
	}
	for i := range d.Partitions {
		d.Partitions[i].Stream = ids.partition(&d.Partitions[i])
	}
}

func (p *planner) add(s *stream) {
	p.plan.streams = append(p.plan.streams, s)
	p.plan.total += s.total
}

// gaps plans the stream of everything outside partitions.
func (p *planner) gaps(d *index.Disk) {
	var parts []extent
	for _, q := range d.Partitions {
		parts = append(parts, extent{Off: q.Offset, Len: q.Size})
	}
	all := extent{Len: d.Size}
	skip := merge(parts)
	s := &stream{id: *d.GapStream, size: d.Size, label: "space outside partitions", mode: modeAll, bad: &d.Unreadable}
	outside := subtract(nil, all, skip)
	s.used = func() iter.Seq2[extent, error] { return list(outside) }
	for _, e := range outside {
		s.total += e.Len
	}
	p.plan.used += s.total
	p.add(s)
}

func list(extents []extent) iter.Seq2[extent, error] {
	return func(yield func(extent, error) bool) {
		for _, e := range extents {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// partition plans one partition's stream.
func (p *planner) partition(ctx context.Context, q *index.Partition) error {
	s := &stream{id: q.Stream, off: q.Offset, size: q.Size, label: labelOf(q), bad: &q.Unreadable}
	defer func() { q.Mode = s.mode; p.add(s) }()
	if len(p.o.Partitions) > 0 && !slices.Contains(p.o.Partitions, q.Number) {
		s.mode = modeNone
		return nil
	}
	if !p.o.AllSectors {
		err := p.usedSpace(ctx, q, s)
		if err == nil || ctx.Err() != nil {
			return err
		}
		q.Notes = append(q.Notes, wholeNote(q.FS, err))
		if q.LeftOut = nil; len(p.o.Exclude) > 0 {
			q.Notes = append(q.Notes, "the patterns of files to leave out could not be followed")
		}
	}
	whole := extent{Len: q.Size}
	s.mode, s.total, s.skip = modeAll, q.Size, nil
	s.used = func() iter.Seq2[extent, error] { return one(whole) }
	q.Used = q.Size
	p.plan.used += q.Size
	return nil
}

func labelOf(q *index.Partition) string {
	s := fmt.Sprintf("partition %d", q.Number)
	for _, n := range []string{q.Label, q.Name, q.FS} {
		if n != "" {
			return s + " (" + n + ")"
		}
	}
	return s
}

func wholeNote(fs string, err error) string {
	const whole = "taken whole, blocks of zeros left out"
	switch {
	case !errors.Is(err, volume.ErrUnsupported):
		return fmt.Sprintf("%s, since the file system's space in use could not be read: %v", whole, err)
	case fs == "":
		return whole + ": no file system recognised"
	}
	return fmt.Sprintf("%s: what %s has in use cannot be told", whole, fs)
}

// usedSpace plans to take what the file system has in use.
func (p *planner) usedSpace(ctx context.Context, q *index.Partition, s *stream) error {
	u, err := p.open(p.section(q.Offset, q.Size), q.Size)
	if err != nil {
		return err
	}
	var kept extentList
	used, at := int64(0), int64(0)
	for e, err := range usedSeq(ctx, u) {
		if err != nil {
			return err
		}
		if e = clip(e, at, q.Size); e.Len > 0 {
			kept.add(e)
			used, at = used+e.Len, end(e)
		}
	}
	if err := p.exclude(ctx, q, s, u); err != nil {
		return err
	}
	s.mode, s.used = modeUsed, kept.all
	if kept.full {
		s.used = func() iter.Seq2[extent, error] { return usedSeq(ctx, u) }
	}
	if s.total, err = countTaken(ctx, s, used); err != nil {
		return err
	}
	q.Used, q.Notes = used, append(q.Notes, u.Notes()...)
	p.plan.used += used
	return nil
}

// usedSeq turns the file system's listing into a sequence.
func usedSeq(ctx context.Context, u volume.UsedSpace) iter.Seq2[extent, error] {
	return func(yield func(extent, error) bool) {
		stopped := false
		err := u.Used(ctx, func(e extent) bool {
			stopped = !yield(e, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(extent{}, err)
		}
	}
}

// countTaken is what remains of used bytes without those left out.
func countTaken(ctx context.Context, s *stream, used int64) (int64, error) {
	if len(s.skip) == 0 {
		return used, nil
	}
	total, at := int64(0), int64(0)
	for e, err := range s.used() {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return 0, err
		}
		if e = clip(e, at, s.size); e.Len > 0 {
			total += e.Len - common(e, s.skip)
			at = end(e)
		}
	}
	return total, nil
}
