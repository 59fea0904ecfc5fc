package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"vitrine/blockdev/image"
	"vitrine/index"
	"vitrine/mount"
	"vitrine/reader"
	"vitrine/volume"
)

// resolve finds the member's file that an IMAGE argument means.
func (e *env) resolve(ctx context.Context, r imageRef) (string, error) {
	if r.Image == "" {
		return "", usage("name a member file, a folder with one set, or an Image ID", "no image is named")
	}
	path, err := reader.Resolve(ctx, r.Spec(), e.search...)
	switch _, notID := index.ParseImageID(r.Image); {
	case errors.Is(err, index.ErrNotMember) && !is[*reader.BrokenPointError](err):
		return "", notImage(r.Image, err)
	case notID == nil && errors.Is(err, fs.ErrNotExist) && !is[*reader.NoPointError](err):
		return "", &problem{exitFailed, "no image with the ID " + r.Image + " is here", "name the folder that holds it with --search", err}
	}
	if name, rest, ok := badSuffix(r.Image); err != nil && ok {
		return "", usage("a partition is a number and a path begins with a slash: IMAGE:2, IMAGE:/Users", "%s: behind the colon stands neither a partition nor a path: %q", name, rest)
	}
	return path, err
}

// anyPoint finds a member of the set that an IMAGE argument means, for commands
// that look at all of its points: the newest may be broken.
func (e *env) anyPoint(ctx context.Context, r imageRef) (string, error) {
	path, err := e.resolve(ctx, r)
	if b, ok := errors.AsType[*reader.BrokenPointError](err); ok {
		r.Point = fmt.Sprint(b.Earlier)
		return e.resolve(ctx, r)
	}
	return path, err
}

// badSuffix takes apart the name of an image behind which stands something that is
// no partition and no path.
func badSuffix(image string) (name, rest string, ok bool) {
	i := strings.LastIndexByte(image, ':')
	if i <= 0 {
		return "", "", false
	}
	name, rest = image[:i], image[i+1:]
	_, err := os.Stat(parseImage(name, onWindows).Image)
	return name, rest, err == nil
}

// notImage is the error for something else where an image is expected.
func notImage(name string, err error) error {
	return &problem{exitFailed, name + " is not a Vitrine image", "name a .vtr file, an Image ID or a folder with one set; for a raw image or a disk add --device", err}
}

// wholePoint reads an IMAGE argument of a command that takes neither partitions
// nor paths.
func wholePoint(arg, does string) (imageRef, error) {
	ref := parseImage(arg, onWindows)
	if ref.Part > 0 || ref.Path != "" && ref.Path != "/" {
		return ref, usage(fmt.Sprintf("name the image alone: %s", ref.Spec()), "%s, not a part of one", does)
	}
	return ref, nil
}

// point opens the point that an IMAGE argument means.
func (e *env) point(ctx context.Context, r imageRef, o reader.Options) (*reader.Point, error) {
	path, err := e.resolve(ctx, r)
	if err != nil {
		return nil, err
	}
	o.Search = e.search
	return reader.Open(ctx, path, o)
}

// openImage opens a point with its partitions.
func (e *env) openImage(ctx context.Context, r imageRef, o reader.Options) (*shelf, error) {
	p, err := e.point(ctx, r, o)
	if err != nil {
		return nil, err
	}
	return pointShelf(p, r.Spec()), nil
}

// pointShelf makes an opened point a shelf, which closes it.
func pointShelf(p *reader.Point, name string) *shelf {
	self := p.Tail().Self
	s := &shelf{name: name, image: p, file: p.Path(), point: fmt.Sprint(self.Number), when: self.Time(), close: p.Close}
	for _, d := range p.Disks() {
		if s.first == nil {
			root := p.Tail().Root
			s.first, s.seed = image.Device(d.View), root[:]
		}
		if s.disk == nil {
			s.disk = viewFile{View: d.View, used: usedOf(d.Meta)}
		}
		for _, pt := range d.Partitions {
			s.parts = append(s.parts, imagePart(pt))
		}
	}
	return s
}

func usedOf(d *index.Disk) (n int64) {
	for _, p := range d.Partitions {
		n += p.Used
	}
	return n
}

func imagePart(pt *reader.Partition) *part {
	p := &part{number: pt.Meta.Number, label: pt.Meta.Label, r: pt.View, size: pt.Size()}
	p.raw = viewFile{View: pt.View, used: pt.Meta.Used}
	for _, l := range pt.Meta.LeftOut {
		p.leftOut = append(p.leftOut, volume.Omission{Path: l.Path, Stream: l.Stream, Reason: l.Reason})
	}
	if pt.Meta.Mode == "none" {
		p.err = fmt.Errorf("partition %d was not selected when the image was made: %w", p.number, volume.ErrNotCaptured)
	}
	return p
}

// viewFile shows a view as a raw file whose holes can be asked for.
type viewFile struct {
	*reader.View
	used int64
}

var _ mount.RawView = viewFile{}
var _ volume.Sparse = viewFile{}

// ReadAt reads with a context, as mounts need it.
func (v viewFile) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return v.View.ReadAtContext(ctx, p, off)
}

// Alloc is about what the image holds of it, in bytes.
func (v viewFile) Alloc() int64 { return min(v.used, max(v.Size()-1, 0)) }

// NextExtent tells data from what reads as zeros without being stored.
func (v viewFile) NextExtent(ctx context.Context, off int64) (end int64, hole bool, err error) {
	end = off
	err = v.View.Extents(ctx, off, v.Size()-off, func(x reader.Extent) bool {
		empty := x.Kind == index.Hole || x.Kind == index.Zero || x.Kind == index.NotCaptured
		if end > off && empty != hole {
			return false
		}
		hole, end = empty, x.Off+x.Len
		return true
	})
	return end, hole, err
}

// timeline shows a folder for each point of a set, opened when it is used.
func (e *env) timeline(ctx context.Context, o *mountOptions) (*mount.Tree, error) {
	path, err := e.anyPoint(ctx, o.ref)
	if err != nil {
		return nil, err
	}
	set, err := setOfFile(ctx, path)
	if err != nil {
		return nil, err
	}
	t := mount.NewTree()
	t.SetTime(set.Members[len(set.Members)-1].Time())
	boundMemory(wideHeapLimit)
	lasting(ctx, nil)
	pool := reader.NewPool(0, 0)
	t.OnClose(pool.Close)
	for _, m := range set.Members {
		if !m.Usable() {
			n := note{Path: m.Path, Text: "left out: " + memberState(&m)}
			if miss, ok := errors.AsType[*reader.MissingError](m.Err); ok {
				n.Text, n.Missing = n.Text+": "+miss.Name, []string{miss.Name}
			}
			e.note(n)
			continue
		}
		if err := t.AddPoint(pointName(&m), m.Time(), e.pointTree(o, m.Path, pool)); err != nil {
			return nil, err
		}
	}
	e.noteMissingParents(ctx, o.ref.Image, set)
	o.parsed.Image, o.parsed.Point = path, "timeline"
	return t, nil
}

// pointName is the folder of a point: they sort by number and tell the time.
func pointName(m *reader.Member) string {
	return fmt.Sprintf("%04d_%s", m.Number, m.Time().Local().Format("2006-01-02_15-04-05"))
}

func (e *env) pointTree(o *mountOptions, path string, pool *reader.Pool) func(context.Context) (*mount.Tree, error) {
	return func(ctx context.Context) (*mount.Tree, error) {
		p, err := reader.Open(ctx, path, reader.Options{Search: e.search, Pool: pool})
		if err != nil {
			return nil, err
		}
		s := pointShelf(p, path)
		t, err := s.tree(ctx, o.ref.Part, o.raw)
		if err != nil {
			p.Close()
			return nil, err
		}
		t.OnClose(p.Close)
		return t, nil
	}
}
