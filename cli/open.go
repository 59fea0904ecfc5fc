package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"vitrine/blockdev"
	"vitrine/device"
	"vitrine/mount"
	"vitrine/reader"
	"vitrine/volume"
)

// sourceFlags choose between an image and a device or raw image.
type sourceFlags struct {
	device string
}

func (o *sourceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&o.device, "device", "", "read this `DISK[:N]` (block device or raw image) instead of an image; arguments are then paths")
}

// shelf is an opened image or device: partitions in which files are found.
type shelf struct {
	name  string // as the user called it
	file  string // of an image: the member's file
	point string // of an image: its number
	image *reader.Point
	when  time.Time
	first blockdev.Device // of an image: the first disk, for other formats
	seed  []byte          // of an image: what their identifiers are made of
	disk  mount.RawView   // the whole disk; nil where it is one file system
	parts []*part
	close func() error
}

// part is one partition of a shelf.
type part struct {
	number  int
	label   string
	r       io.ReaderAt
	raw     mount.RawView
	size    int64
	leftOut []volume.Omission

	fs   volume.FileSystem
	err  error // why fs is nil
	told int   // how many of its notes
}

// place is a path on a shelf.
type place struct {
	finder
	shelf *shelf
	part  *part // nil when the path leads through a folder for each partition
	path  string
}

// matches gives what the place's path names, see [finder.glob].
func (p place) matches(ctx context.Context, follow bool) ([]found, error) {
	return p.glob(ctx, p.path, follow)
}

// places are what the arguments of a file command name.
type places struct {
	ctx     context.Context // when it ends, nothing can be read any more
	e       *env            // that is told, when they are closed, what came up; may be nil
	list    []place
	shelves map[string]*shelf
}

func (p *places) close() {
	for _, s := range p.shelves {
		if p.e != nil && p.ctx.Err() == nil {
			p.e.states(s, true)
		}
		s.close()
	}
}

// open opens what each of args names, an image once only. With --device the
// args are paths, and none means the root.
func (e *env) open(ctx context.Context, o *sourceFlags, args []string) (*places, error) {
	all := &places{ctx: ctx, e: e, shelves: map[string]*shelf{}}
	refs, err := imageRefs(o, args)
	if err != nil {
		return nil, err
	}
	for _, r := range refs {
		p, err := e.place(ctx, all, r, o.device != "")
		if err != nil {
			all.close()
			return nil, err
		}
		all.list = append(all.list, p)
	}
	return all, nil
}

func imageRefs(o *sourceFlags, args []string) (refs []imageRef, err error) {
	if o.device == "" && len(args) == 0 {
		return nil, usage("name an image, like 'backups/' or 'backups:/Users', or a disk with --device", "no image is named")
	}
	if o.device == "" {
		for _, a := range args {
			refs = append(refs, parseImage(a, onWindows))
		}
		return refs, nil
	}
	dev := deviceRef(o.device)
	if len(args) == 0 {
		return []imageRef{dev}, nil
	}
	for _, a := range args {
		r, err := pathOn(dev, a)
		if err != nil {
			return nil, err
		}
		refs = append(refs, r)
	}
	return refs, nil
}

// deviceRef reads the value of --device. A device has no points.
func deviceRef(s string) imageRef {
	dev := parseImage(s, onWindows)
	dev.Image, dev.Point = dev.Spec(), ""
	return dev
}

// pathOn reads an argument beside --device: "/path", ":/path", "2:/path".
func pathOn(dev imageRef, arg string) (imageRef, error) {
	dev.Path = arg
	if r := parseImage(":"+strings.TrimPrefix(arg, ":"), onWindows); r.Image == "" && r.Path != "" {
		dev.Path = r.Path
		if r.Part != 0 {
			dev.Part = r.Part
		}
	}
	if !strings.HasPrefix(dev.Path, "/") {
		return dev, usage("like this: --device disk.img /Users/ann", "with --device the arguments are paths that start with /, not %q", arg)
	}
	return dev, nil
}

func (e *env) place(ctx context.Context, all *places, r imageRef, device bool) (place, error) {
	s := all.shelves[r.Spec()]
	if s == nil {
		var err error
		if s, err = e.openShelf(ctx, r, device); err != nil {
			return place{}, err
		}
		s.endWith(ctx)
		all.shelves[r.Spec()] = s
	}
	p := place{finder: finder{note: e.note}, shelf: s, path: r.Path}
	if p.path == "" {
		p.path = "/"
	}
	var err error
	p.fs, p.part, err = s.files(ctx, r.Part)
	if err == nil {
		e.states(s, device)
	}
	return p, err
}

// states tells once in what state the opened file systems of a device are: in use,
// hibernated, damaged. Those of an image are told by info, and only what came up
// besides is told here, when it is closed.
func (e *env) states(s *shelf, tell bool) {
	for _, p := range s.parts {
		v, ok := p.fs.(interface{ Notes() []string })
		if !ok || e.quiet {
			continue
		}
		notes := v.Notes()
		for _, text := range notes[p.told:] {
			if tell {
				e.note(note{Text: fmt.Sprintf("partition %d: %s", p.number, text)})
			}
		}
		p.told = len(notes)
	}
}

func (e *env) openShelf(ctx context.Context, r imageRef, device bool) (*shelf, error) {
	if device {
		return openDevice(r.Image)
	}
	return e.openImage(ctx, r, reader.Options{})
}

// endWith lets nothing more be read once ctx has ended: what goes through all of a
// volume ends then, too.
func (s *shelf) endWith(ctx context.Context) {
	for _, p := range s.parts {
		p.r = ending{ctx, p.r}
	}
}

type ending struct {
	ctx context.Context
	r   io.ReaderAt
}

func (r ending) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.ReadAt(p, off)
}

// openDevice opens a block device or a raw image with its partitions.
func openDevice(path string) (*shelf, error) {
	d, err := device.Open(path)
	if err != nil {
		return nil, err
	}
	layout, err := volume.ReadLayout(d, d.Size(), d.SectorSize())
	if err != nil {
		d.Close()
		return nil, at(path, err)
	}
	s := &shelf{name: path, close: d.Close, when: time.Now(), disk: plainView{io.NewSectionReader(d, 0, d.Size())}}
	for _, p := range layout.Partitions {
		r := io.NewSectionReader(d, p.Off, p.Len)
		s.parts = append(s.parts, &part{number: p.Number, label: volume.Detect(r, p.Len).Label, r: r, raw: plainView{r}, size: p.Len})
	}
	return s, nil
}

// plainView shows bytes that need no context as a raw file.
type plainView struct{ r *io.SectionReader }

func (v plainView) Size() int64 { return v.r.Size() }
func (v plainView) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return v.r.ReadAt(p, off)
}

// files gives the file system of partition number, or of all: the only one
// that can be read, or a tree with a folder for each.
func (s *shelf) files(ctx context.Context, number int) (volume.FileSystem, *part, error) {
	if number > 0 {
		p, err := s.partition(number)
		if err != nil {
			return nil, nil, err
		}
		fs, err := p.files()
		return fs, p, at(fmt.Sprintf("%s, partition %d", s.name, number), err)
	}
	good, why := readable(s.parts)
	switch len(good) {
	case 0:
		return nil, nil, s.noFiles(why)
	case 1:
		return good[0].fs, good[0], nil
	}
	fs, err := s.tree(ctx, 0, false)
	return fs, nil, err
}

// readable are the partitions whose files can be read; why is what keeps the
// first of the others from it, or rather one that could be read if nothing
// were missing or broken.
func readable(parts []*part) (good []*part, why error) {
	for _, p := range parts {
		_, err := p.files()
		switch {
		case err == nil:
			good = append(good, p)
		case why == nil, errors.Is(why, volume.ErrUnsupported) && !errors.Is(err, volume.ErrUnsupported):
			why = err
		}
	}
	return good, why
}

func (s *shelf) noFiles(why error) error {
	if why == nil {
		return failed(exitFailed, "nothing was changed"+s.infoHint("tells what it holds"), "%s has no partitions", s.name)
	}
	return at(s.name, why)
}

// infoHint points to 'vitrine info', which is for images only.
func (s *shelf) infoHint(does string) string {
	if s.file == "" {
		return ""
	}
	return "; 'vitrine info' " + does
}

func (s *shelf) partition(number int) (*part, error) {
	var have []string
	for _, p := range s.parts {
		if p.number == number {
			return p, nil
		}
		have = append(have, fmt.Sprint(p.number))
	}
	return nil, failed(exitFailed, "it has "+strings.Join(have, ", ")+s.infoHint("tells what they are"), "%s has no partition %d", s.name, number)
}

func (p *part) files() (volume.FileSystem, error) {
	if p.fs == nil && p.err == nil {
		p.fs, p.err = volume.OpenCaptured(p.r, p.size, p.leftOut)
	}
	return p.fs, p.err
}
