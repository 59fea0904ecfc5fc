package capture

import (
	"fmt"
	"slices"
	"strings"

	"vitrine/index"
	"vitrine/volume"
)

// checkParent refuses a parent that cannot be built on. m describes the
// source; it is told when nothing but its size speaks for the parent.
func checkParent(o *Options, m *index.Meta) error {
	if o.Parent == nil {
		if o.Kind != index.Full {
			return &OptionError{"kind", o.Kind.String(), "it needs a parent"}
		}
		return nil
	}
	ip := o.Parent.IndexParent()
	last := ip.Members[len(ip.Members)-1]
	switch {
	case o.Kind == index.Full:
		return &OptionError{"kind", o.Kind.String(), "a full has no parent"}
	case o.Kind == index.Differential && last.Kind != index.Full:
		return &OptionError{"kind", o.Kind.String(), fmt.Sprintf("its parent must be a full, member %04d is not", last.Number)}
	case o.Force:
		return nil
	}
	diff, bySize := compareSources(o.Parent.Meta(), &m.Disks[0])
	if diff != nil {
		return &ParentError{o.Parent.Set(), last.Number, last.Time(), diff}
	}
	if bySize {
		m.Warnings = append(m.Warnings, "nothing identifies the source, neither a disk ID nor a file system's serial number: that it is the parent's was taken on trust")
	}
	return nil
}

// compareSources says what differs between the source and the parent's; nil
// when it is the same. A disk is not a partition of it. IDs in the partition
// table count most: where both have some, one must be the same, and then
// contents may be new. Else one file system's serial number must be the same.
// Where neither side has any of these, only the size can speak (bySize).
func compareSources(m *index.Meta, d *index.Disk) (diff []string, bySize bool) {
	if m == nil || len(m.Disks) == 0 {
		return []string{"it describes no disk"}, false
	}
	old := &m.Disks[0]
	if old.Table != d.Table && (bare(old) || bare(d)) {
		return []string{fmt.Sprintf("it is of %s, the source is %s", shape(old), shape(d))}, false
	}
	was, is := tableIDs(old), tableIDs(d)
	if len(was) == 0 || len(is) == 0 {
		was, is = contentIDs(old), contentIDs(d)
	}
	switch {
	case slices.ContainsFunc(is, func(x identity) bool { return slices.Contains(was, x) }):
		return nil, false
	case len(was)+len(is) == 0 && old.Size == d.Size:
		return nil, true
	}
	return describeDifference(old, d, was, is), false
}

func bare(d *index.Disk) bool { return d.Table == volume.TableNone || d.Table == "" }

func shape(d *index.Disk) string {
	if bare(d) {
		return "a single volume without a partition table"
	}
	return "a whole disk with a partition table (" + d.Table + ")"
}

// identity is one thing that a disk can be known by.
type identity struct{ kind, id string }

// tableIDs lists the IDs in the partition table. A zero MBR signature is none.
func tableIDs(d *index.Disk) (out []identity) {
	if d.ID == "" || strings.Trim(d.ID, "0-") == "" {
		return nil
	}
	out = append(out, identity{"disk ID", d.ID})
	for _, p := range d.Partitions {
		if strings.Trim(p.UniqueID, "0-") != "" {
			out = append(out, identity{"partition ID", p.UniqueID})
		}
	}
	return out
}

// contentIDs lists the serial numbers of file systems.
func contentIDs(d *index.Disk) (out []identity) {
	for _, p := range d.Partitions {
		if p.FSID != "" {
			out = append(out, identity{p.FS + " serial number", p.FSID})
		}
	}
	return out
}

func describeDifference(m, d *index.Disk, was, is []identity) []string {
	var out []string
	for _, kind := range kindsOf(was, is) {
		out = append(out, fmt.Sprintf("its %s is %s, the source's is %s", kind, idsOf(was, kind), idsOf(is, kind)))
	}
	if m.Size != d.Size {
		out = append(out, fmt.Sprintf("it has %d bytes, the source has %d", m.Size, d.Size))
	}
	return out
}

func kindsOf(lists ...[]identity) []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range lists {
		for _, x := range l {
			if !seen[x.kind] {
				seen[x.kind] = true
				out = append(out, x.kind)
			}
		}
	}
	return out
}

func idsOf(list []identity, kind string) string {
	n, first := 0, "none"
	for _, x := range list {
		if x.kind == kind {
			if n++; n == 1 {
				first = x.id
			}
		}
	}
	if n > 1 {
		return fmt.Sprintf("%s (and %d more)", first, n-1)
	}
	return first
}

// streamIDs hands out the streams of a new member: the parent's where it has
// the same partition, new ones elsewhere.
type streamIDs struct {
	old   *index.Disk // nil: no parent
	next  uint16
	taken map[uint16]bool
}

func newStreamIDs(p ParentPoint) *streamIDs {
	s := &streamIDs{taken: map[uint16]bool{}}
	if p == nil {
		return s
	}
	for _, r := range p.IndexParent().Streams {
		s.next = max(s.next, r.ID+1)
	}
	if m := p.Meta(); m != nil && len(m.Disks) > 0 {
		s.old = &m.Disks[0]
	}
	return s
}

func (s *streamIDs) fresh() uint16 {
	s.next++
	return s.next - 1
}

func (s *streamIDs) gap() uint16 {
	if s.old != nil && s.old.GapStream != nil {
		return *s.old.GapStream
	}
	return s.fresh()
}

// partition matches by unique ID first, then by place and number. Each of the
// parent's streams is given once.
func (s *streamIDs) partition(q *index.Partition) uint16 {
	for _, same := range []func(o *index.Partition) bool{
		func(o *index.Partition) bool { return q.UniqueID != "" && o.UniqueID == q.UniqueID },
		func(o *index.Partition) bool { return o.Offset == q.Offset && o.Number == q.Number },
	} {
		if s.old == nil {
			break
		}
		for i := range s.old.Partitions {
			if o := &s.old.Partitions[i]; same(o) && !s.taken[o.Stream] {
				s.taken[o.Stream] = true
				return o.Stream
			}
		}
	}
	return s.fresh()
}

// parentStream looks the blocks of one stream up in the parent.
type parentStream struct {
	m      *index.Map
	blocks uint64
	leaves uint64
	sized  bool // the parent's stream has the same size
}

func newParentStream(p ParentPoint, id uint16, size int64) *parentStream {
	if p == nil {
		return nil
	}
	ip := p.IndexParent()
	for _, r := range ip.Streams {
		if r.ID == id {
			return &parentStream{index.NewMap(r, ip.Pages), r.Blocks(), r.Leaves(), r.Size == size}
		}
	}
	return nil
}

// leaf fills refs with the parent's; holes where it has nothing.
func (p *parentStream) leaf(leaf uint64, refs *[index.LeafBlocks]index.Ref) error {
	if p == nil || leaf >= p.leaves {
		*refs = [index.LeafBlocks]index.Ref{}
		return nil
	}
	return p.m.Leaf(leaf, refs)
}
