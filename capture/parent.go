package capture

import (
	"fmt"

	"vitrine/index"
)

// checkParent refuses a parent that cannot be built on.
func checkParent(o *Options, d *index.Disk) error {
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
	if diff := compareSources(o.Parent.Meta(), d); diff != nil {
		return &ParentError{o.Parent.Set(), last.Number, last.Time(), diff}
	}
	return nil
}

// compareSources says what differs between the source and the parent's; nil
// when anything proves that it is the same: the disk's ID, a partition's, a
// file system's. Where neither side has any of these, the size decides.
func compareSources(m *index.Meta, d *index.Disk) []string {
	if m == nil || len(m.Disks) == 0 {
		return []string{"it describes no disk"}
	}
	was, is := identities(&m.Disks[0]), identities(d)
	for i := range is {
		if is[i].in(was) {
			return nil
		}
	}
	if len(was)+len(is) == 0 && m.Disks[0].Size == d.Size {
		return nil
	}
	return describeDifference(&m.Disks[0], d, was, is)
}

// identity is one thing that a disk can be known by.
type identity struct{ kind, id string }

func (x identity) in(list []identity) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// identities lists what a disk can be known by. A zero MBR signature is none.
func identities(d *index.Disk) []identity {
	var out []identity
	if d.ID != "" && d.ID != "00000000" {
		out = append(out, identity{"disk ID", d.ID})
		for _, p := range d.Partitions {
			if p.UniqueID != "" {
				out = append(out, identity{"partition ID", p.UniqueID})
			}
		}
	}
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
