package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"vitrine/ntfsparse"
	"vitrine/volume"
)

// deletedObject is a deleted file in --json. Sizes are bytes.
type deletedObject struct {
	Path     string `json:"path"`
	RawPath  []byte `json:"path_bytes,omitempty"`
	Kind     string `json:"kind"`
	ID       uint64 `json:"id"`
	Size     int64  `json:"size"`
	Modified string `json:"modified,omitempty"`
	Clusters int64  `json:"clusters"`
	Free     int64  `json:"free_clusters"`
	Shared   int64  `json:"shared_clusters,omitempty"` // with other deleted files
	State    string `json:"state"`                     // whole, doubtful, partly overwritten, overwritten, unknown
}

// deleted lists the deleted files below the place's path whose file records
// are still there.
func (l *lister) deleted(ctx context.Context, p place) error {
	_, err := p.eachDeleted(ctx, func(_ *ntfsparse.Volume, full string, d *ntfsparse.DeletedFile) { l.deletedFile(full, d) })
	if err == nil && p.shelf.file != "" {
		l.e.say("an image does not hold what was free on the disk: contents come from a point where the file was there ('vitrine versions'), or from the disk")
	}
	return err
}

// eachDeleted visits the deleted files below the place's path, or the one at it.
func (p place) eachDeleted(ctx context.Context, visit func(v *ntfsparse.Volume, full string, d *ntfsparse.DeletedFile)) (n int, err error) {
	if p.part == nil {
		return 0, usage("like this: vitrine ls --deleted IMAGE:2", "name a partition: deleted files are looked for in one volume")
	}
	v, err := ntfsparse.Open(p.part.r, p.part.size)
	if err != nil {
		return 0, at_(p.shelf.name, fmt.Errorf("deleted files are found on NTFS only: %w", volume.ErrUnsupported))
	}
	below := strings.ToLower(strings.TrimSuffix(p.path, "/"))
	err = v.Deleted(ctx, func(d *ntfsparse.DeletedFile) error {
		full := "/" + strings.TrimPrefix(d.Path, "/")
		if l := strings.ToLower(full); l == below || strings.HasPrefix(l, below+"/") {
			n++
			visit(v, full, d)
		}
		return ctx.Err()
	})
	return n, err
}

// recovery brings deleted files back, each below its path, into a folder.
type recovery struct {
	e     *env
	o     *cpOptions
	dest  *os.Root
	hurt  tally
	files int64
	links int64
	bytes int64
}

// runRecover copies the deleted files whose contents nobody else has taken.
func runRecover(ctx context.Context, e *env, o *cpOptions) error {
	places, err := e.open(ctx, &o.source, o.sources)
	if err != nil {
		return err
	}
	defer places.close()
	dest, err := openDest(o.dir)
	if err != nil {
		return err
	}
	defer dest.Close()
	r := &recovery{e: e, o: o, dest: dest}
	start := time.Now()
	for _, p := range places.list {
		found, err := p.eachDeleted(ctx, func(v *ntfsparse.Volume, full string, d *ntfsparse.DeletedFile) { r.file(ctx, p, v, full, d) })
		if err != nil {
			return err
		}
		if found == 0 {
			return at_(p.path, fmt.Errorf("no deleted file has this path or lies below it: %w", fs.ErrNotExist))
		}
	}
	if e.json {
		e.emit("copied", copied{To: o.dir, Files: r.files, Links: r.links, Bytes: r.bytes, Problems: r.hurt.count(), Seconds: time.Since(start).Seconds(), Complete: r.hurt.count() == 0})
	} else {
		links := ""
		if r.links > 0 {
			links = ", " + plural(r.links, "link")
		}
		e.say("recovered %s%s (%s) to %s", plural(r.files, "deleted file"), links, size(r.bytes), o.dir)
	}
	return r.hurt.err("not recovered, or doubtful")
}

// file recovers one file, and its named streams when they are wanted; folders
// come with what was in them.
func (r *recovery) file(ctx context.Context, p place, v *ntfsparse.Volume, full string, d *ntfsparse.DeletedFile) {
	if ctx.Err() != nil {
		return
	}
	if d.Info.Mode()&fs.ModeSymlink != 0 {
		if err := r.link(full, d); err != nil {
			r.hurt.add(r.e, full, err)
		}
	} else if !d.Info.IsDir {
		s, err := v.OpenDeleted(d.Ref)
		if r.stream(p, full, d, s, err) && d.Shared > 0 {
			r.hurt.add(r.e, full, fmt.Errorf("it was copied, but another deleted file had %s of its %s, too: what is in there may be that file's", grouped(d.Shared), plural(d.Clusters, "cluster")))
		}
	}
	if r.o.streams == "" {
		return
	}
	list, _ := v.DeletedStreams(d.Ref)
	for _, i := range list {
		if i.Name != "" && i.Name != "WofCompressedData" {
			s, err := v.OpenDeletedStream(d.Ref, i.Name)
			r.stream(p, full+":"+i.Name, d, s, err)
		}
	}
}

func (r *recovery) stream(p place, full string, d *ntfsparse.DeletedFile, s *ntfsparse.Stream, err error) bool {
	if err == nil && p.shelf.file != "" && !s.Resident() {
		err = fmt.Errorf("an image does not hold what was free on the disk: %w", volume.ErrNotCaptured)
	}
	if err == nil {
		err = r.write(full, d, s)
	}
	if err != nil {
		r.hurt.add(r.e, full, err)
	}
	return err == nil
}

// link makes the link that was deleted.
func (r *recovery) link(full string, d *ntfsparse.DeletedFile) error {
	to, err := d.Info.LinkTarget()
	if err != nil {
		return err
	}
	switch p, place := volume.PlaceOf(to, d.Info.Tag, path.Dir(full)); {
	case place == volume.LinkRoot:
		to = relativeTarget(full, p)
	case strings.HasPrefix(to, "//"):
		to = strings.ReplaceAll(to, "/", `\`) // nowhere but on Windows
	}
	_, err = r.create(full, d, func(target string) error { return r.dest.Symlink(filepath.FromSlash(to), target) })
	if err == nil {
		r.links++
	}
	return err
}

// create makes something below its path; when its name is taken, by another deleted
// file too, its record's number is added.
func (r *recovery) create(full string, d *ntfsparse.DeletedFile, do func(target string) error) (target string, err error) {
	var parts []string
	for _, name := range strings.Split(strings.TrimPrefix(full, "/"), "/") {
		parts = append(parts, targetOf(name))
	}
	target = filepath.Join(parts...)
	if err := r.dest.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return target, err
	}
	if err = do(target); errors.Is(err, fs.ErrExist) {
		ext := path.Ext(target)
		target = fmt.Sprintf("%s (deleted %d)%s", strings.TrimSuffix(target, ext), d.Ref.Record(), ext)
		err = do(target)
	}
	return target, err
}

// write makes the file.
func (r *recovery) write(full string, d *ntfsparse.DeletedFile, s *ntfsparse.Stream) error {
	var f *os.File
	target, err := r.create(full, d, func(target string) (err error) {
		f, err = r.dest.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(f, struct{ io.Reader }{io.NewSectionReader(s, 0, s.Size())}, make([]byte, min(copyBuffer, max(s.Size(), 1))))
	if err == nil && !r.o.noSync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		r.dest.Remove(target) // no half files
		return err
	}
	r.files, r.bytes = r.files+1, r.bytes+n
	changed := whenChanged(d)
	return writeTimes(r.dest, target, volume.Attr{ModTime: changed, AccessTime: changed})
}

// whenChanged is the time of the file's contents; 0 on the volume means none.
func whenChanged(d *ntfsparse.DeletedFile) time.Time {
	if d.Info.Modified == 0 {
		return time.Time{}
	}
	return d.Info.Modified.Time()
}

func (l *lister) deletedFile(full string, d *ntfsparse.DeletedFile) {
	o := deletedObject{Path: full, RawPath: notUnicode(full), Kind: "file", ID: d.Ref.Record(), Size: d.Info.Size, Modified: iso(whenChanged(d)),
		Clusters: d.Clusters, Free: d.Free, Shared: d.Shared, State: deletedState(d)}
	switch {
	case d.Info.Mode()&fs.ModeSymlink != 0:
		o.Kind = "link"
	case d.Info.IsDir:
		o.Kind = "folder"
	}
	if l.e.json {
		l.e.emit("deleted", o)
		return
	}
	if !l.o.long {
		fmt.Fprintln(l.e.Out, printable(full))
		return
	}
	size := grouped(o.Size)
	if d.Info.IsDir {
		size = "-"
	}
	fmt.Fprintf(l.e.Out, "%-18s %16s  %-16s  %s\n", o.State, size, stampOf(whenChanged(d)), printable(full))
}

// deletedState says how much of the contents nobody else uses by now. It is doubtful
// where another deleted file had the same clusters.
func deletedState(d *ntfsparse.DeletedFile) string {
	switch {
	case d.Err != nil:
		return "unknown"
	case d.Recoverable() && d.Shared > 0:
		return "doubtful"
	case d.Recoverable():
		return "whole"
	case d.Free == 0:
		return "overwritten"
	}
	return "partly overwritten"
}
