package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"vitrine/volume"
)

// maxXattr is the largest stream kept as an extended attribute, in bytes: the
// most that Linux takes.
const maxXattr = 64 << 10

// setTimes gives name in dir the times of a; times that the file system does
// not record stay.
func setTimes(dir *os.Root, name string, a volume.Attr) error {
	if err := dir.Chtimes(name, nanoTime(a.AccessTime), nanoTime(a.ModTime)); err != nil {
		return grave(err)
	}
	return setBirth(dir, name, a)
}

func nanoTime(ns int64) time.Time {
	if ns == volume.NoTime {
		return time.Time{} // leaves it as it is
	}
	return time.Unix(0, ns)
}

// fileStreams copies the named streams of a file that is still open for
// writing under its temporary name.
func (c *copier) fileStreams(ctx context.Context, j job, dst *os.File) error {
	return c.streams(ctx, j.place, j.from, j.dir, j.name, dst)
}

func (c *copier) folderStreams(ctx context.Context, p place, from found, f *folder) error {
	dst, err := f.root.Open(".")
	if err != nil {
		return grave(err)
	}
	defer dst.Close()
	return c.streams(ctx, p, from, f.up, f.name, dst)
}

// streams writes the streams of from as extended attributes of dst, or as
// files beside name in dir.
func (c *copier) streams(ctx context.Context, p place, from found, dir *folder, name string, dst *os.File) error {
	able, ok := p.fs.(volume.Streams)
	if !ok {
		return nil
	}
	list, err := able.Streams(ctx, from.attr.ID)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := c.stream(ctx, p, from, s, dir, name, dst); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) stream(ctx context.Context, p place, from found, s volume.Stream, dir *folder, name string, dst *os.File) error {
	src, err := p.fs.Open(ctx, s.ID)
	if err != nil {
		return at("stream "+s.Name, err)
	}
	defer src.Close()
	if c.o.streams != "file" {
		err := streamXattr(ctx, src, s, dst)
		if err == nil || c.o.streams == "xattr" {
			return at("stream "+s.Name, err)
		}
	}
	return at("stream "+s.Name, c.streamFile(ctx, p, streamOf(from, s), src, dir, name+":"+s.Name))
}

func streamXattr(ctx context.Context, src volume.OpenFile, s volume.Stream, dst *os.File) error {
	if src.Size() > maxXattr {
		return fmt.Errorf("%s are too many for an extended attribute", size(src.Size()))
	}
	b := make([]byte, src.Size())
	if n, err := src.ReadAt(ctx, b, 0); n < len(b) {
		return err
	}
	return setXattr(dst, "user."+s.Name, b)
}

func (c *copier) streamFile(ctx context.Context, p place, from found, src volume.OpenFile, dir *folder, name string) error {
	target := name
	if !streamsByName {
		target, _ = targetName(name, onWindows)
	}
	if free, err := c.makeWay(dir, target); !free {
		return err
	}
	dst, err := createStream(dir.root, target)
	if err != nil {
		return grave(err)
	}
	w := worker{c: c, buf: make([]byte, min(copyBuffer, max(src.Size(), 1)))}
	err = w.contents(ctx, src, dst)
	if cerr := dst.Close(); err == nil {
		err = grave(cerr)
	}
	if err != nil {
		dir.root.Remove(target)
		return err
	}
	return setTimes(dir.root, target, from.attr)
}
