package restore

import "vitrine/volume"

// stage is a part of the writing; the target is flushed after it. Within it
// the order is not fixed.
type stage struct {
	name  string
	spans []span // in the content
}

// order splits the content into what is written first and what is held back:
// the data; the front of each partition; the backup table; at last the front
// of the disk, its very first sectors after everything else.
func (p *Plan) order() []stage {
	all := span{0, p.Size}
	head := span{0, min(heldBack, p.Size)}
	var boot, tail []span
	if p.Whole {
		head.end = p.headEnd()
		boot = p.fronts()
		tail = p.tail()
	}
	first := span{0, min(wipeSize, head.end)}
	tail = without(tail, []span{head})
	boot = without(without(boot, tail), []span{head})
	data := without(without(without([]span{all}, boot), tail), []span{head})
	return []stage{
		{"data", data},
		{"boot areas", boot},
		{"backup table", tail},
		{"table", []span{{first.end, head.end}}},
		{"first sectors", []span{first}},
	}
}

// headEnd is the end of what lies before the first partition, a MiB at most.
func (p *Plan) headEnd() int64 {
	end := min(heldBack, p.Size)
	for _, q := range p.Source.Disk.Partitions {
		if q.Offset > 0 {
			end = min(end, q.Offset)
		}
	}
	return end
}

// fronts are the first MiB of each partition.
func (p *Plan) fronts() (spans []span) {
	for _, q := range p.Source.Disk.Partitions {
		s := extent(q, p.Size)
		spans = append(spans, span{s.off, min(s.end, s.off+heldBack)})
	}
	return normal(spans)
}

// tail is where the backup GPT goes.
func (p *Plan) tail() []span {
	if p.Source.Disk.Table != volume.TableGPT {
		return nil
	}
	var ends []span
	for _, q := range p.Source.Disk.Partitions {
		ends = append(ends, extent(q, p.Size))
	}
	return without([]span{{max(0, p.Size-heldBack), p.Size}}, ends)
}
