package cli

import (
	"context"
	"fmt"
	"os"

	"vitrine/volume"
)

// maxXattr is the largest stream kept as an extended attribute, in bytes: the
// most that Linux takes.
const maxXattr = 64 << 10

// setTimes gives name in dir the times of a; times that the file system does
// not record stay.
func setTimes(dir *os.Root, name string, a volume.Attr) error {
	return grave(writeTimes(dir, name, a))
}

// keepTimes is setTimes, and counts what the target's file system cannot express: most
// know the years 1901 to 2446 or fewer.
func (c *copier) keepTimes(dir *os.Root, name string, a volume.Attr) error {
	err := setTimes(dir, name, a)
	if year := a.ModTime.Year(); err == nil && !a.ModTime.IsZero() && (year < 1970 || year > 2037) {
		if info, err := dir.Lstat(name); err == nil && info.ModTime().Unix() != a.ModTime.Unix() {
			c.undated.Add(1)
		}
	}
	return err
}

// fileStreams copies the named streams of a file that is still open for
// writing under its temporary name temp.
func (c *copier) fileStreams(ctx context.Context, j job, dst *os.File, temp string) error {
	name := j.name
	if streamsByName { // they belong to the file, whatever it is called
		name = temp
	}
	return c.streams(ctx, j.place, j.from, j.dir, name, dst)
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
	if !ok || from.attr.NoStreams {
		return nil
	}
	list, err := able.Streams(ctx, from.attr.ID)
	if err != nil && ctx.Err() == nil && from.attr.Damage != nil {
		err = nil // told with the file
	}
	if err != nil && ctx.Err() == nil {
		err = c.listed(from, dir, at("not all of its named streams can be read", err))
	}
	if err != nil {
		return err
	}
	for _, s := range list {
		err := c.stream(ctx, p, from, s, dir, name, dst)
		if err := c.listed(streamOf(from, s), dir, err); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) stream(ctx context.Context, p place, from found, s volume.Stream, dir *folder, name string, dst *os.File) error {
	src, err := p.fs.Open(ctx, s.ID)
	if err != nil {
		return err
	}
	defer src.Close()
	if c.o.streams != "file" {
		err := streamXattr(ctx, src, s, dst)
		if err == nil || c.o.streams == "xattr" {
			return err
		}
	}
	return c.streamFile(ctx, streamOf(from, s), src, dir, name+":"+s.Name)
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

// streamFile writes a stream as a file of its own, or as the system's stream
// where name means one.
func (c *copier) streamFile(ctx context.Context, from found, src volume.OpenFile, dir *folder, name string) error {
	if streamsByName {
		return c.writeStream(ctx, from, src, dir, name)
	}
	target, _ := targetName(name, onWindows)
	if free, err := c.makeWay(dir, target); !free {
		return err
	}
	temp := partName(c.temp.Add(1))
	err := c.writeStream(ctx, from, src, dir, temp)
	if err == nil {
		err = grave(dir.root.Rename(temp, target))
	}
	if err != nil {
		dir.root.Remove(temp)
	}
	return err
}

func (c *copier) writeStream(ctx context.Context, from found, src volume.OpenFile, dir *folder, name string) error {
	dst, err := createStream(dir.root, name)
	if err != nil {
		return grave(err)
	}
	w := worker{c: c, buf: make([]byte, min(copyBuffer, max(src.Size(), 1)))}
	err = w.contents(ctx, src, dst)
	if cerr := dst.Close(); err == nil {
		err = grave(cerr)
	}
	if err != nil {
		return err
	}
	c.gaps(from, dir, &w.lost)
	return setTimes(dir.root, name, from.attr)
}
