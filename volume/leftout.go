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
		return "page and hibernation files are left out: " + ErrNotCaptured.Error()
	}
	return "left out by --exclude " + e.Reason + ": " + ErrNotCaptured.Error()
}

func (e *LeftOutError) Unwrap() error { return ErrNotCaptured }

// OpenCaptured opens the file system of an image, like [OpenFS]. leftOut gives
// the paths of the files whose contents were left out of it, and why. Such a
// file opens under each of its names, but reading its unnamed stream fails with
// a [LeftOutError]: the zeros in its place are not what it held.
func OpenCaptured(r io.ReaderAt, size int64, leftOut map[string]string) (FileSystem, error) {
	n, err := openKnown(r, size)
	if err != nil {
		return nil, err
	}
	n.out.paths = leftOut
	return n, nil
}

// omissions are the files left out, looked up when first needed.
type omissions struct {
	paths   map[string]string
	once    sync.Once
	records map[uint64]string
}

// reason tells why a file was left out.
func (o *omissions) reason(v *ntfsparse.Volume, record uint64) (why string, yes bool) {
	o.once.Do(func() { o.resolve(v) })
	why, yes = o.records[record]
	return why, yes
}

// resolve finds the files as the capture did. A path that leads nowhere by now
// leads nobody to its contents either.
func (o *omissions) resolve(v *ntfsparse.Volume) {
	o.records = make(map[uint64]string, len(o.paths))
	for path, why := range o.paths {
		if f, err := v.Lookup(path); err == nil {
			in := f.Info()
			o.records[in.Ref.Record()] = why
		}
	}
}

// LeftOut tells whether the contents of a file were left out, and why.
func (n *ntfsFS) LeftOut(_ context.Context, id ID) (reason string, yes bool) {
	record, stream := split(id)
	if stream != 0 {
		return "", false
	}
	return n.out.reason(n.v, record)
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
