package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"vitrine/index"
	"vitrine/volume"
)

// Sizes, in bytes.
const (
	heldBack = 1 << 20  // of each partition's front, written after everything else
	wipeSize = 72 << 10 // of the target's front: all marks that tables and file systems have there
)

// Plan is a restore that is ready to run. Sizes and offsets are bytes.
type Plan struct {
	Source Source
	Now    TargetState // what is on the target
	Whole  bool        // a disk with its table; else one partition, or a disk that has none
	Off    int64       // where on the target it goes
	Size   int64       // bytes of the target that it takes up
	Fresh  bool        // a plain file that is new or emptied: zeros need no storing

	Data        int64 // to be written
	Zero        int64 // in use and all zero
	Free        int64 // free in the image
	NotCaptured int64 // in use, left out on purpose
	Unreadable  int64 // the source could not be read there: becomes zeros

	LeftOut []index.LeftOut // files without their contents
	Notes   []string        // what a person should know before they agree

	opts    Options
	target  Target
	content *content
	stages  []stage
}

// NewPlan looks at the source and the target and decides what to do. It
// changes nothing. It fails with a [RefusedError] when the restore makes no
// sense.
func NewPlan(ctx context.Context, src Source, t Target, o Options) (*Plan, error) {
	p := &Plan{Source: src, opts: o, target: t}
	p.Whole = src.Part == nil && src.Disk.Table != volume.TableNone
	p.Now = look(t)
	for _, step := range []func(context.Context) error{
		p.place, p.checkSource, p.checkSector, p.arrange, p.checkFile, p.count,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	p.mention()
	return p, nil
}

func (p *Plan) refuse(class error, need int64, why string, a ...any) error {
	return &RefusedError{p.target.Path(), fmt.Sprintf(why, a...), need, class}
}

func (p *Plan) note(s string, a ...any) { p.Notes = append(p.Notes, fmt.Sprintf(s, a...)) }

// room is what the target offers from Off on; -1: as much as is wanted.
func (p *Plan) room() int64 {
	if n := p.opts.TargetPartition; n > 0 {
		for _, q := range p.Now.Partitions {
			if q.Number == n {
				return q.Len
			}
		}
	}
	if p.target.Fixed() {
		return p.target.Size()
	}
	return -1
}

// place finds the partition of the target.
func (p *Plan) place(context.Context) error {
	n := p.opts.TargetPartition
	if n == 0 {
		p.Fresh = !p.target.Fixed() && !(p.opts.Delta && p.target.Exists())
		return nil
	}
	if p.Whole {
		return p.refuse(ErrNoPartition, 0, "a whole disk does not go into partition %d; name one partition of the image", n)
	}
	if !p.Now.Exists {
		return p.refuse(fs.ErrNotExist, 0, "no such file: partition %d is written only into a disk or file that is there", n)
	}
	for _, q := range p.Now.Partitions {
		if q.Number == n && p.Now.Table != volume.TableNone {
			p.Off = q.Off
			return nil
		}
	}
	return p.refuse(ErrNoPartition, 0, "has no partition %d", n)
}

// checkSource refuses what the image does not hold.
func (p *Plan) checkSource(context.Context) error {
	if part := p.Source.Part; part != nil && part.Mode == "none" {
		return p.refuse(ErrNotCaptured, 0, "partition %d was not captured", part.Number)
	}
	if p.Source.View.Size() <= 0 {
		return p.refuse(ErrNotCaptured, 0, "the source was empty")
	}
	return nil
}

func (p *Plan) checkSector(context.Context) error {
	have, want := p.target.SectorSize(), p.Source.Disk.SectorSize
	if have == 0 || want == 0 || have == want || p.opts.AnySector {
		return nil
	}
	return p.refuse(ErrSectorSize, 0, "has sectors of %d bytes, the source had %d: file systems and tables do not work there", have, want)
}

// arrange decides the size, what is changed for the target, and the order.
func (p *Plan) arrange(ctx context.Context) error {
	need, err := p.need(ctx)
	if err != nil {
		return err
	}
	size, room := p.Source.View.Size(), p.room()
	p.Size = size
	if room >= 0 {
		p.Size = min(size, room)
	}
	var patches []volume.Piece
	var drops []span
	if p.movesTable(room) {
		patches, drops, need, err = p.moveTable(ctx, room, need)
	} else if !p.Whole {
		patches, err = p.moveStart(ctx)
	}
	if err != nil {
		return err
	}
	if room >= 0 && room < need {
		return p.refuse(ErrTooSmall, need, "has %s, %s are needed", exact(room), exact(need))
	}
	p.content = newContent(p.Source.View, p.Size, patches, drops)
	p.stages = p.order()
	return nil
}

// need is the smallest target. Partitions have to fit whole, since a file
// system that is cut off does not mount; behind them only what is not zero
// counts.
func (p *Plan) need(ctx context.Context) (int64, error) {
	if p.Whole {
		return p.lastData(ctx, p.lastPartitionEnd(), span{})
	}
	var need int64
	err := p.Source.View.Extents(ctx, 0, p.Source.View.Size(), func(e Extent) bool {
		if e.Kind != index.Hole {
			need = max(need, e.Off+e.Len)
		}
		return true
	})
	return need, err
}

// lastData is the end of the last sector behind from that is not zero, or
// from. What lies in drop does not count.
func (p *Plan) lastData(ctx context.Context, from int64, drop span) (int64, error) {
	var held []span
	err := p.Source.View.Extents(ctx, from, p.Source.View.Size()-from, func(e Extent) bool {
		if e.Kind == index.Data {
			held = append(held, span{e.Off, e.Off + e.Len})
		}
		return true
	})
	held = without(held, []span{drop})
	for i := len(held) - 1; i >= 0 && err == nil; i-- {
		end, err := p.lastNonZero(ctx, held[i])
		if err != nil || end > held[i].off {
			return end, err
		}
	}
	return from, err
}

// lastNonZero looks backwards through s, sector by sector; s.off when all of
// it is zero.
func (p *Plan) lastNonZero(ctx context.Context, s span) (int64, error) {
	sector := int64(max(p.Source.Disk.SectorSize, 512))
	b := make([]byte, block)
	for end := s.end; end > s.off; {
		part := b[:min(block, end-s.off)]
		at := end - int64(len(part))
		if n, err := p.Source.View.ReadAtContext(ctx, part, at); n < len(part) {
			return 0, orUnexpected(err)
		}
		for n := int64(len(part)); n > 0; n -= sector {
			if !allZero(part[max(0, n-sector):n]) {
				return at + n, nil
			}
		}
		end = at
	}
	return s.off, nil
}

// movesTable reports whether the GPT has to be made for another size.
func (p *Plan) movesTable(room int64) bool {
	return p.Whole && p.Source.Disk.Table == volume.TableGPT && !p.opts.KeepTable &&
		room >= 0 && room != p.Source.View.Size()
}

// moveTable makes the GPT for the target's size.
func (p *Plan) moveTable(ctx context.Context, room, need int64) ([]volume.Piece, []span, int64, error) {
	v := p.Source.View
	m, err := volume.MoveGPT(readerAt{ctx, v}, v.Size(), p.Source.Disk.SectorSize, room)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, 0, ctx.Err()
		}
		p.note("the GPT is written as it is, not made for the target's size: %v", err)
		return nil, nil, need, nil
	}
	old := span{m.Old.Off, m.Old.Off + m.Old.Len}
	need, err = p.needMoved(ctx, m, old)
	if err != nil || room < need {
		return nil, nil, need, err
	}
	p.Size = room
	p.note("the backup GPT moves from byte %d to the target's end at %d; the identifiers stay", m.Old.Off, room)
	return append(m.Backup, m.Primary...), []span{old.clip(span{0, room})}, need, nil
}

// needMoved is need without the old backup but with room for the new one.
func (p *Plan) needMoved(ctx context.Context, m *volume.GPTMove, old span) (int64, error) {
	end := p.lastPartitionEnd()
	last, err := p.lastData(ctx, end, old)
	if last > end {
		return max(m.Need, last+old.len()), err
	}
	return m.Need, err
}

// extent is where a partition of the image lies, inside a disk of size bytes.
func extent(q index.Partition, size int64) span {
	off := max(0, min(q.Offset, size))
	return span{off, off + max(0, min(q.Size, size-off))}
}

func (p *Plan) lastPartitionEnd() (end int64) {
	for _, q := range p.Source.Disk.Partitions {
		end = max(end, extent(q, p.Source.View.Size()).end)
	}
	return end
}

// moveStart sets the place that boot sectors record, where it is known and
// another one.
func (p *Plan) moveStart(ctx context.Context) (pieces []volume.Piece, err error) {
	start := p.target.Start()
	if p.opts.TargetPartition > 0 {
		start = p.Off
	}
	part := p.Source.Part
	if start < 0 || p.opts.KeepStart || part != nil && part.Offset == start && p.Source.Disk.Table != volume.TableNone {
		return nil, nil
	}
	v := p.Source.View
	was, found, err := volume.MoveStart(readerAt{ctx, v}, v.Size(), start)
	if err != nil {
		return nil, fmt.Errorf("read the boot sector: %w", err)
	}
	for _, q := range found {
		if p.holds(ctx, q) && q.Off+int64(len(q.Data)) <= p.Size {
			pieces = append(pieces, q)
		}
	}
	if len(pieces) > 0 {
		p.note("the boot sector and its copy said that the volume starts at sector %d; they will say byte %d of the target's disk", was, start)
	}
	return pieces, nil
}

// holds reports whether the image has the bytes that q replaces.
func (p *Plan) holds(ctx context.Context, q volume.Piece) bool {
	ok := false
	err := p.Source.View.Extents(ctx, q.Off, int64(len(q.Data)), func(e Extent) bool {
		ok = e.Kind == index.Data
		return ok
	})
	return ok && err == nil
}

// checkFile refuses a new file that the file system has no room for.
func (p *Plan) checkFile(ctx context.Context) error {
	if p.target.Fixed() || p.target.Exists() || p.target.Free() < 0 {
		return nil
	}
	var data int64
	err := p.content.extents(ctx, span{0, p.Size}, func(e Extent) bool {
		if e.Kind == index.Data {
			data += e.Len
		}
		return true
	})
	if err == nil && data > p.target.Free() {
		return p.refuse(ErrNoSpace, data, "needs %s, the file system has %s free", exact(data), exact(p.target.Free()))
	}
	return err
}

// count sums up what there is of each kind.
func (p *Plan) count(ctx context.Context) error {
	sums := map[index.Kind]*int64{
		index.Hole: &p.Free, index.Data: &p.Data, index.Zero: &p.Zero,
		index.NotCaptured: &p.NotCaptured, index.Unreadable: &p.Unreadable,
	}
	return p.content.extents(ctx, span{0, p.Size}, func(e Extent) bool {
		if sum := sums[e.Kind]; sum != nil {
			*sum += e.Len
		}
		return true
	})
}

// mention notes what the figures do not tell.
func (p *Plan) mention() {
	for _, q := range p.parts() {
		p.LeftOut = append(p.LeftOut, q.LeftOut...)
		if p.Whole && q.Mode == "none" {
			p.note("partition %d was not captured: %s", q.Number, p.uncaptured())
		}
	}
	if p.Unreadable > 0 {
		p.note("%d bytes of the source could not be read when it was captured; zeros are written there", p.Unreadable)
	}
	if room := p.room(); room > p.Size {
		p.note("the target is larger; %d bytes at its end are not used", room-p.Size)
	}
	if p.Size < p.Source.View.Size() && !p.Whole {
		p.note("the target is smaller than the source was; what is cut off was not in use")
	}
	if p.target.Fixed() && slices.ContainsFunc(p.LeftOut, ofShadowCopy) {
		p.note("the volume's own shadow copies (previous versions) are not in the image; should Windows still list some afterwards, 'vssadmin delete shadows /for=X: /all' removes them")
	}
	if p.Whole && p.target.Fixed() {
		p.note("the target gets the disk's identifiers; Windows takes one of two disks with the same ones offline")
	}
	p.Notes = append(p.Notes, p.Now.Notes...)
}

// ofShadowCopy knows the files of Windows' shadow copies that captures leave out.
func ofShadowCopy(f index.LeftOut) bool {
	return strings.Contains(strings.ToLower(f.Path), "{3808876b-c176-4e48-b7ae-04046e6cc752}")
}

// uncaptured is what becomes of the places that the image has nothing for.
func (p *Plan) uncaptured() string {
	if p.Fresh {
		return "the file has a hole there"
	}
	return "what the target has there stays"
}

// parts are the partitions that are restored.
func (p *Plan) parts() []index.Partition {
	if p.Source.Part != nil {
		return []index.Partition{*p.Source.Part}
	}
	return p.Source.Disk.Partitions
}

// work is the bytes to write, zeros included where they have to be.
func (p *Plan) work() int64 {
	if p.Fresh {
		return p.Data
	}
	return p.Data + p.Zero + p.Unreadable
}

// Proof is how much is read back at the end.
func (p *Plan) Proof() int64 {
	if p.opts.SkipProof {
		return 0
	}
	return p.work()
}

// Total is the work of the whole run, as [Progress] counts it.
func (p *Plan) Total() int64 {
	n := p.work() + p.Proof()
	if p.opts.ZeroFree && !p.Fresh {
		n += p.Free + p.NotCaptured
	}
	return n
}

var errNoPlan = errors.New("restore: this plan has run already")
