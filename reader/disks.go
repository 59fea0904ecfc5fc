package reader

import (
	"fmt"
	"math"
	"sort"

	"vitrine/index"
)

// Disk is one captured disk.
type Disk struct {
	*View
	Meta       *index.Disk
	Partitions []*Partition
}

// Partition is one partition of a disk.
type Partition struct {
	*View
	Meta *index.Partition
}

// newDisks composes the views by the metadata, which is proved to be what the
// writer wrote, but not to make sense.
func (p *Point) newDisks() ([]*Disk, error) {
	var disks []*Disk
	for i := range p.tail.Meta.Disks {
		d, err := p.newDisk(&p.tail.Meta.Disks[i])
		if err != nil {
			return nil, err
		}
		disks = append(disks, d)
	}
	return disks, nil
}

func (p *Point) newDisk(meta *index.Disk) (*Disk, error) {
	if meta.Size < 0 {
		return nil, badMeta("a disk has %d bytes", meta.Size)
	}
	d := &Disk{View: p.newView(meta.Size, meta.SectorSize), Meta: meta}
	for i := range meta.Partitions {
		part, err := p.newPartition(d, &meta.Partitions[i])
		if err != nil {
			return nil, err
		}
		d.Partitions = append(d.Partitions, part)
	}
	gap, err := p.gapStream(meta)
	if err != nil {
		return nil, err
	}
	d.View.spans = compose(meta.Size, gap, d.Partitions)
	return d, nil
}

func badMeta(format string, a ...any) error {
	return &index.FormatError{What: "metadata", Off: -1, Msg: fmt.Sprintf(format, a...), Err: index.ErrCorrupt}
}

func (p *Point) gapStream(meta *index.Disk) (*stream, error) {
	if meta.GapStream == nil {
		return nil, nil
	}
	s := p.streams[*meta.GapStream]
	if s == nil {
		return nil, badMeta("there is no stream %d", *meta.GapStream)
	}
	s.addUnreadable(meta.Unreadable)
	return s, nil
}

func (p *Point) newPartition(d *Disk, meta *index.Partition) (*Partition, error) {
	if meta.Size < 0 || meta.Offset < 0 || meta.Size > math.MaxInt64-meta.Offset {
		return nil, badMeta("partition %d has %d bytes at %d", meta.Number, meta.Size, meta.Offset)
	}
	v := p.newView(meta.Size, d.sector)
	s := p.streams[meta.Stream]
	switch {
	case meta.Mode == "none":
		v.spans = []span{{n: meta.Size, kind: index.NotCaptured}}
	case s == nil:
		return nil, badMeta("there is no stream %d", meta.Stream)
	case meta.Size > s.size:
		return nil, badMeta("partition %d has %d bytes, its stream %d", meta.Number, meta.Size, s.size)
	default:
		s.addUnreadable(meta.Unreadable)
		v.spans = []span{{n: meta.Size, s: s}}
	}
	return &Partition{v, meta}, nil
}

// addUnreadable enters byte ranges that were unreadable. Ranges are sorted,
// joined, and cut to the stream.
func (s *stream) addUnreadable(list []index.Range) {
	for _, r := range list {
		if r.Off >= 0 && r.Off < s.size && r.Len > 0 {
			s.unreadable = append(s.unreadable, index.Range{Off: r.Off, Len: min(r.Len, s.size-r.Off)})
		}
	}
	sort.Slice(s.unreadable, func(i, j int) bool { return s.unreadable[i].Off < s.unreadable[j].Off })
	joined := s.unreadable[:0]
	for _, r := range s.unreadable {
		if k := len(joined) - 1; k >= 0 && r.Off <= joined[k].Off+joined[k].Len {
			joined[k].Len = max(joined[k].Len, r.Off+r.Len-joined[k].Off)
		} else {
			joined = append(joined, r)
		}
	}
	s.unreadable = joined
}

// span is a range of a view that comes from one stream, or has one kind.
type span struct {
	off, n int64
	s      *stream // nil: zeros
	at     int64   // where it begins in the stream
	kind   index.Kind
}

// compose lays the partitions over the gap stream. Where partitions overlap
// the one that begins first is taken; what reaches past the disk is cut off.
func compose(size int64, gap *stream, parts []*Partition) []span {
	sorted := append([]*Partition(nil), parts...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Meta.Offset < sorted[j].Meta.Offset })
	var spans []span
	at := int64(0)
	for _, pt := range sorted {
		from, to := max(pt.Meta.Offset, at), min(pt.Meta.Offset+pt.Meta.Size, size)
		if from >= to {
			continue
		}
		spans = appendGap(spans, gap, at, from)
		sp := pt.View.spans[0]
		sp.off, sp.n, sp.at = from, to-from, from-pt.Meta.Offset
		spans = append(spans, sp)
		at = to
	}
	return appendGap(spans, gap, at, size)
}

// appendGap covers from to to with the gap stream, as far as that reaches.
func appendGap(spans []span, gap *stream, from, to int64) []span {
	if gap != nil && from < min(to, gap.size) {
		n := min(to, gap.size) - from
		spans = append(spans, span{off: from, n: n, s: gap, at: from})
		from += n
	}
	if from < to {
		spans = append(spans, span{off: from, n: to - from, kind: index.Hole})
	}
	return spans
}
