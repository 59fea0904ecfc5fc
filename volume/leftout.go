package volume

import (
	"context"
	"io"
	"sync"

	"vitrine/ntfsparse"
)

// LeftOutError says why the contents of a file are not in the image. It wraps
// [ErrNotCaptured].
type LeftOutError struct {
	Reason string // "default", or the pattern that the file matched
}

func (e *LeftOutError) Error() string {
	if e.Reason == "default" {
		return "page and hibernation files, and the data of shadow copies, are left out: " + ErrNotCaptured.Error()
	}
	return "left out by --exclude " + e.Reason + ": " + ErrNotCaptured.Error()
}

func (e *LeftOutError) Unwrap() error { return ErrNotCaptured }

// Omission is a stream of a file that was left out of an image, and why.
type Omission struct {
	Path   string
	Stream string // "" for the unnamed one
	Reason string // see [LeftOutError]
}

// OpenCaptured opens the file system of an image, like [OpenFS]. leftOut are the
// contents that were left out of it. They open under each name of their file,
// but reading them fails with a [LeftOutError]: the zeros in their place are not
// what they held.
func OpenCaptured(r io.ReaderAt, size int64, leftOut []Omission) (FileSystem, error) {
	n, err := openKnown(r, size)
	if err != nil {
		return nil, err
	}
	n.out.all = leftOut
	return n, nil
}

// omissions are the contents left out, looked up when first needed.
type omissions struct {
	all     []Omission
	once    sync.Once
	records map[uint64]map[string]string // stream -> reason
}

// of gives the streams of a file that were left out, and why.
func (o *omissions) of(v *ntfsparse.Volume, record uint64) map[string]string {
	o.once.Do(func() { o.resolve(v) })
	return o.records[record]
}

// resolve finds the files as the capture did. A path that leads nowhere by now
// leads nobody to its contents either.
func (o *omissions) resolve(v *ntfsparse.Volume) {
	o.records = make(map[uint64]map[string]string, len(o.all))
	for _, out := range o.all {
		if f, err := v.Lookup(out.Path); err == nil {
			in := f.Info()
			o.add(in.Ref.Record(), out.Stream, out.Reason)
			if in.Tag == ntfsparse.TagWOF && out.Stream == wofStream {
				o.add(in.Ref.Record(), "", out.Reason) // read from there
			}
		}
	}
}

func (o *omissions) add(record uint64, stream, reason string) {
	if o.records[record] == nil {
		o.records[record] = map[string]string{}
	}
	o.records[record][stream] = reason
}

// LeftOut tells whether the contents of a file, or of a named stream, were left
// out, and why.
func (n *ntfsFS) LeftOut(ctx context.Context, id ID) (reason string, yes bool) {
	record, _ := split(id)
	out := n.out.of(n.v, record)
	if len(out) == 0 {
		return "", false
	}
	f, place, err := n.file(ctx, id)
	if err != nil {
		return "", false
	}
	name := ""
	if place != 0 {
		s, err := namedStream(f, place)
		if err != nil {
			return "", false
		}
		name = s.Name
	}
	reason, yes = out[name]
	return reason, yes
}

// leftOutFile is an open file of which nothing but its size is known.
type leftOutFile struct {
	size   int64
	reason string
}

func (f leftOutFile) Size() int64  { return f.size }
func (f leftOutFile) Close() error { return nil }

func (f leftOutFile) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	return 0, &LeftOutError{f.reason}
}
