package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"vitrine/device"
	"vitrine/index"
	"vitrine/mount"
	"vitrine/ntfsparse"
	"vitrine/reader"
	"vitrine/volume"
)

// Bounds of what a copy holds in memory and open at one time.
const (
	copyQueue   = 256      // files waiting for a worker
	folderBatch = 512      // entries of a folder read at once
	maxDepth    = 4096     // folders in folders, all of which are held open
	heldNames   = 32 << 20 // bytes of the paths that their handles hold
	heldSDDL    = 4 << 10  // bytes of the security descriptor that each holds; a longer one is read twice
)

// copier copies objects below one destination. One goroutine walks and makes
// folders, workers copy files. Everything is written through [os.Root] handles,
// so that no name and no link can lead outside.
type copier struct {
	e      *env
	o      *cpOptions
	dest   *os.Root
	hurt   *tally
	meter  *meter
	start  time.Time
	jobs   chan job
	links  linkTable
	handed atomic.Int64 // files that are not dealt with yet
	temp   atomic.Int64 // numbers of temporary names
	flush  *flusher     // nil: nobody waits for the disk

	// Of the item under way: where its folders were put, what was copied, folders of
	// which a listing gave an error, and the round in which what no folder led to is
	// looked for, 0 before.
	seen     map[volume.ID]placed
	marks    marks
	hurtIn   map[volume.ID]bool
	hurtList []volume.ID // the same, in order
	round    int
	lists    heldLists // of the folders that the walk is in

	files, folders, symlinks, bytes, skipped atomic.Int64
	outward                                  atomic.Int64 // links that lead out of the destination
	undated                                  atomic.Int64 // files whose date the destination cannot express
}

// folder is a folder of the destination that something is still written in.
type folder struct {
	up      *folder
	root    *os.Root
	name    string
	own     string // name in the image
	at      string // path in the image; "": below that of up
	depth   int    // in the destination, which has 0
	names   int    // bytes of the paths that its handle and those of the folders around it hold
	attr    volume.Attr
	sddl    func() string // its security descriptor; nil: none is wanted
	made    bool          // by us: its times are set when all is in it
	pending atomic.Int64
}

// rel is the path from the destination, "" for itself. Like path it is made when it is
// needed: those of folders in each other would take memory in the square of the depth.
func (f *folder) rel() string {
	var names []string
	for ; f.up != nil; f = f.up {
		names = append(names, f.name)
	}
	slices.Reverse(names)
	return path.Join(names...)
}

// path is the path in the image.
func (f *folder) path() string { return string(f.trail(0)) }

// where is the path in the image of what is copied into f.
func (f *folder) where(from found) string {
	if from.path != "" {
		return from.path
	}
	full := f.trail(1 + len(from.name))
	full.down(from.name)
	return string(full)
}

// trail is path with room for more bytes.
func (f *folder) trail(more int) trail {
	var names []string
	for ; f.at == ""; f = f.up {
		names = append(names, f.own)
		more += 1 + len(f.own)
	}
	full := append(make(trail, 0, len(f.at)+more), f.at...)
	for _, name := range slices.Backward(names) {
		full.down(name)
	}
	return full
}

// job is a file to copy.
type job struct {
	place place
	from  found   // without a path, if it is below that of dir
	dir   *folder // of the copy
	name  string  // in dir
	same  *job    // complete name of the same file, to link to
}

// destError is an error of the destination that the next file would meet too.
type destError struct{ err error }

func (d *destError) Error() string { return d.err.Error() }
func (d *destError) Unwrap() error { return d.err }

func newCopier(e *env, o *cpOptions, dest *os.Root) *copier {
	c := &copier{e: e, o: o, dest: dest, hurt: &tally{}, meter: e.progress(), start: time.Now(), jobs: make(chan job, copyQueue)}
	if !o.noSync {
		c.flush = newFlusher(func() error { return syncDest(dest) }, c.meter.add)
	}
	return c
}

func (c *copier) run(ctx context.Context, items []item) error {
	c.meter.begin("copying", 0)
	g, ctx := errgroup.WithContext(ctx)
	counting, stop := context.WithCancel(ctx)
	if c.meter != nil {
		g.Go(func() error { c.count(counting, items); return nil })
	}
	var workers sync.WaitGroup
	for range c.o.workers {
		workers.Add(1)
		g.Go(func() error { defer workers.Done(); return c.work(ctx) })
	}
	g.Go(func() error {
		defer stop()
		defer workers.Wait()
		defer close(c.jobs)
		return c.walk(ctx, items)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return c.sync()
}

// sync waits for the disk: only then is the copy said to be complete.
func (c *copier) sync() error {
	if c.flush != nil {
		if err := c.flush.end(); err != nil {
			return err
		}
	}
	c.meter.finish()
	return nil
}

// walk makes the folders and hands out the files.
func (c *copier) walk(ctx context.Context, items []item) error {
	c.sweep(&folder{root: c.dest})
	for _, it := range items {
		err := error(nil)
		top := &folder{root: c.dest, at: path.Dir(it.found.path)} // never closed here
		c.seen, c.marks, c.hurtIn, c.hurtList, c.round = map[volume.ID]placed{}, marks{}, map[volume.ID]bool{}, nil, 0
		if it.isRoot() {
			c.seen[it.found.attr.ID] = placed{}
			err = c.fill(ctx, it.place, it.found.attr.ID, top)
		} else {
			err = c.entry(ctx, it.place, it.found, it.found.name, top)
		}
		if err == nil {
			err = c.again(ctx, it.place, top)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill copies what is in dir into f.
func (c *copier) fill(ctx context.Context, p place, dir volume.ID, f *folder) error {
	told, bad := false, false
	entries := p.inBatches(&c.lists, dir, func(err error) {
		if ctx.Err() == nil && !told {
			if !c.hurtIn[dir] {
				c.hurt.add(c.e, f.path(), err)
			}
			told, bad = true, true // more entries may follow, and then the same error
		}
	})
	defer c.lists.leave()
	for en := entries.next(ctx); en != nil; en = entries.next(ctx) {
		if en.Err != nil {
			if !c.hurtIn[dir] || c.round <= maxRounds {
				c.hurt.add(c.e, join(f.path(), en.Name), en.Err)
			}
			bad = true
			continue
		}
		if c.round > 0 && c.had(en, f) {
			continue
		}
		if err := c.entry(ctx, p, found{name: en.Name, attr: *en.Attr}, en.Name, f); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if bad && len(c.hurtIn) < hurtFolders && !c.hurtIn[dir] {
		c.hurtIn[dir] = true
		c.hurtList = append(c.hurtList, dir)
	}
	return c.lost(ctx, p, dir, f)
}

// entry copies one object of any kind into f, under a name that is its own or stands for
// it. The error is one that ends the copy; others are listed.
func (c *copier) entry(ctx context.Context, p place, from found, as string, f *folder) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, whole := targetName(as, onWindows)
	if name != unmarked(as) {
		c.renamed(f.where(from), name, whole)
	}
	if from.attr.Kind != volume.Dir {
		c.marks.set(from.attr.ID, as)
	}
	if mayBeFile(from.attr) {
		from.attr.Kind = volume.File
	}
	switch from.attr.Kind {
	case volume.Dir:
		return c.folder(ctx, p, from, f, name)
	case volume.Symlink:
		return c.listed(from, f, c.symlink(ctx, p, from, f, name))
	case volume.File:
		f.pending.Add(1)
		c.handed.Add(1)
		return c.hand(ctx, job{place: p, from: from, dir: f, name: name})
	}
	words := map[volume.Kind]string{volume.Fifo: "named pipe", volume.CharDev: "character device", volume.BlockDev: "block device"}
	return c.listed(from, f, fmt.Errorf("a %s cannot be copied", cmp.Or(words[from.attr.Kind], kindWord(from.attr.Kind))))
}

// mayBeFile tells whether a pipe or socket is one by its length and its attributes
// alone, which Windows gives to files too: copied as such nothing is lost.
func mayBeFile(a volume.Attr) bool {
	return (a.Kind == volume.Fifo || a.Kind == volume.Socket) && a.Win&ntfsparse.WinSystem != 0 && a.Reparse == 0
}

func (c *copier) renamed(full, name string, whole bool) {
	if whole {
		c.hurt.add(c.e, full, fmt.Errorf("copied under the name %s", name))
		return
	}
	c.hurt.add(c.e, full, fmt.Errorf("its name is too long here; copied under the name %s", name))
}

// listed puts an error of what is copied into f on the list, unless it ends the copy.
func (c *copier) listed(from found, f *folder, err error) error {
	var dest *destError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &dest), errors.Is(err, context.Canceled):
		return err
	}
	c.hurt.add(c.e, f.where(from), err)
	if from.attr.Kind == volume.File && !c.o.salvage && isAny(index.ErrCorrupt, reader.ErrUnreadable, reader.ErrMissing)(err) {
		c.hurt.canSalvage()
	}
	return nil
}

func (c *copier) folder(ctx context.Context, p place, from found, up *folder, name string) error {
	if up.depth >= maxDepth {
		return c.listed(from, up, tooDeep(maxDepth))
	}
	if _, had := c.seen[from.attr.ID]; had { // two names lead there, perhaps one from inside it
		return c.listed(from, up, fmt.Errorf("this folder has been copied already, under another name: %w", volume.ErrCorrupt))
	}
	c.seen[from.attr.ID] = placed{up.attr.ID, name, c.round, false}
	f := &folder{up: up, name: name, own: from.name, at: from.path, attr: from.attr, sddl: c.heldSDDL(ctx, p, from.attr.ID, c.sddl(ctx, p, from, up))}
	if err := c.makeFolder(f); err != nil {
		return c.listed(from, up, err)
	}
	c.seen[from.attr.ID] = placed{up.attr.ID, name, c.round, f.made}
	c.folders.Add(1)
	f.pending.Add(1)
	up.pending.Add(1)
	defer c.leave(f)
	if bad := from.attr.Damage; bad != nil {
		c.hurt.add(c.e, up.where(from), fmt.Errorf("copied as the folder that is left of it: %w", bad))
	}
	if c.o.streams != "" {
		if err := c.listed(from, up, c.folderStreams(ctx, p, from, f)); err != nil {
			return err
		}
	}
	return c.fill(ctx, p, from.attr.ID, f)
}

func (c *copier) makeFolder(f *folder) (err error) {
	err = f.up.root.Mkdir(f.name, 0o777)
	f.made = err == nil
	if errors.Is(err, fs.ErrExist) {
		info, lerr := f.up.root.Lstat(f.name)
		if lerr == nil && !info.IsDir() {
			return fmt.Errorf("%s is in the way: %w", f.rel(), fs.ErrExist)
		}
		err = lerr
	}
	if err != nil {
		return grave(err)
	}
	if err := f.open(); err != nil {
		return err
	}
	if !f.made {
		c.sweep(f)
	}
	return nil
}

// open opens a folder that is there.
func (f *folder) open() (err error) {
	if f.root, err = openIn(f.up.root, f.name); err != nil {
		return grave(err)
	}
	f.depth, f.names = f.up.depth+1, f.up.names+len(f.root.Name())
	if f.names > heldNames {
		f.root.Close()
		return fmt.Errorf("the paths of the folders around it, which are all held, are longer than %s together", size(heldNames))
	}
	return nil
}

// leave counts one thing less to do in f; after the last, f gets its times.
func (c *copier) leave(f *folder) {
	for ; f.up != nil && f.pending.Add(-1) == 0; f = f.up {
		f.root.Close()
		if f.made {
			c.folderMeta(f)
		}
	}
}

func (c *copier) folderMeta(f *folder) {
	setAttributes(f.up.root, f.name, f.attr, c.o.attributes)
	if f.attr.HasPOSIX {
		f.up.root.Chmod(f.name, fs.FileMode(f.attr.Perm)&0o777)
	}
	c.keepTimes(f.up.root, f.name, f.attr)
	if f.sddl != nil {
		c.setSecurity(found{path: f.at, name: f.own}, f.up, f.name, f.sddl())
	}
}

// sddl is the security descriptor that a copy in dir is to have, "" for none.
func (c *copier) sddl(ctx context.Context, p place, from found, dir *folder) string {
	text, err := c.wantedSecurity(ctx, p, from.attr.ID)
	if err != nil {
		c.hurt.add(c.e, dir.where(from), at("owner and permissions", err))
	}
	return text
}

// heldSDDL gives a folder's security descriptor later.
func (c *copier) heldSDDL(ctx context.Context, p place, id volume.ID, text string) func() string {
	switch {
	case text == "":
		return nil
	case len(text) <= heldSDDL:
		return func() string { return text }
	}
	return func() string {
		text, _ := c.wantedSecurity(ctx, p, id) // its error was told the first time
		return text
	}
}

func (c *copier) wantedSecurity(ctx context.Context, p place, id volume.ID) (string, error) {
	able, ok := p.fs.(volume.Xattrs)
	if !ok || !c.o.security {
		return "", nil
	}
	return securityText(ctx, able, id)
}

// securityText is a file's security descriptor in SDDL, "" when it has none.
func securityText(ctx context.Context, able volume.Xattrs, id volume.ID) (string, error) {
	b, err := able.Xattr(ctx, id, "system.ntfs_acl")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	}
	return ntfsparse.SDDL(b)
}

// setSecurity comes last: it may take away what is needed for the rest.
func (c *copier) setSecurity(from found, dir *folder, name, sddl string) {
	if sddl == "" {
		return
	}
	if err := setSDDL(dir.root, name, sddl); err != nil {
		c.hurt.add(c.e, dir.where(from), at("owner and permissions", err))
	}
}

func (c *copier) symlink(ctx context.Context, p place, from found, f *folder, name string) error {
	from.path = f.where(from)
	target, err := linkTarget(ctx, p, from)
	if err != nil {
		return err
	}
	if free, err := c.makeWay(f, name); !free {
		return err
	}
	if err := f.root.Symlink(filepath.FromSlash(target), name); err != nil {
		return grave(err)
	}
	if leadsOut(f.rel(), target) {
		c.outward.Add(1)
	}
	setLinkTimes(f.root, name, from.attr)
	c.symlinks.Add(1)
	return nil
}

// linkTarget is where a mount has the link lead to.
func linkTarget(ctx context.Context, p place, from found) (target string, err error) {
	if _, joined := p.fs.(*mount.Tree); joined {
		target, err = p.fs.ReadLink(ctx, from.attr.ID)
	} else {
		target, err = mount.LinkTarget(ctx, p.fs, from.attr.ID)
	}
	if _, place := volume.PlaceOf(target, from.attr.Reparse, path.Dir(from.path)); place == volume.LinkDrive || place == volume.LinkAway {
		return target, err
	}
	return relativeTarget(from.path, target), err
}

// leadsOut tells whether a link in folder dir of the destination leads out of
// the destination.
func leadsOut(dir, target string) bool {
	if strings.HasPrefix(target, "/") || strings.HasPrefix(target, `\\`) || len(target) > 1 && target[1] == ':' {
		return true
	}
	to := path.Join(dir, target)
	return to == ".." || strings.HasPrefix(to, "../")
}

// relativeTarget gives the shortest way from a link to a target that is named
// from the volume's root, or over folders above the link's: it holds in a copy
// of a part of the tree too.
func relativeTarget(link, target string) string {
	rest := strings.TrimLeft(target, "./")
	switch {
	case strings.HasPrefix(target, "/"):
	case strings.HasPrefix(target, "../") && !strings.Contains("/"+rest+"/", "/../"):
		target = path.Join(path.Dir(link), target)
	default:
		return target
	}
	rel, err := filepath.Rel(path.Dir(link), path.Clean(target))
	if err != nil {
		return target
	}
	return filepath.ToSlash(rel)
}

// makeWay reports whether name can be written in f; when it cannot, err says
// why, or is nil when the existing file shall stay.
func (c *copier) makeWay(f *folder, name string) (free bool, err error) {
	info, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, grave(err)
	case c.o.skipExisting:
		c.skipped.Add(1)
		return false, nil
	case !c.o.overwrite || info.IsDir():
		return false, fmt.Errorf("%s is in the way: %w", path.Join(f.rel(), name), fs.ErrExist)
	case info.Mode().IsRegular():
		return true, nil // the rename replaces it
	}
	return true, grave(f.root.Remove(name))
}

// grave marks errors of the destination after which going on is no use.
func grave(err error) error {
	for _, e := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, errQuota} {
		if errors.Is(err, e) {
			return &destError{err}
		}
	}
	return err
}

func (c *copier) hand(ctx context.Context, j job) error {
	if !c.links.enter(&j) {
		return nil // served when the first name is complete
	}
	select {
	case c.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *copier) work(ctx context.Context) error {
	w := worker{c: c, buf: device.AlignedBuffer(copyBuffer)}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j, open := <-c.jobs:
			if !open {
				return nil
			}
			if err := w.serve(ctx, j); err != nil {
				return err
			}
		}
	}
}

// worker copies one file at a time.
type worker struct {
	c     *copier
	buf   []byte
	moved int64 // bytes of the file at hand
	lost  gaps  // in it
}

// serve copies or links one file, and then the names that waited for it.
func (w *worker) serve(ctx context.Context, j job) error {
	if w.c.meter != nil {
		w.c.meter.name(j.dir.where(j.from))
	}
	ok, err := w.one(ctx, j)
	w.c.leave(j.dir)
	w.c.handed.Add(-1)
	if err := w.c.listed(j.from, j.dir, err); err != nil {
		return err
	}
	for _, next := range w.c.links.finished(j, ok) {
		if err := w.serve(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) one(ctx context.Context, j job) (ok bool, err error) {
	if j.same != nil {
		return w.link(ctx, j)
	}
	w.moved = 0
	ok, err = w.file(ctx, j)
	w.c.meter.add(max(0, j.from.attr.Size-w.moved)) // dealt with, if not copied
	return ok, err
}

func (w *worker) link(ctx context.Context, j job) (ok bool, err error) {
	if free, err := w.c.makeWay(j.dir, j.name); !free {
		return false, err
	}
	old, name := path.Join(j.same.dir.rel(), j.same.name), path.Join(j.dir.rel(), j.name)
	err = w.c.dest.Link(old, name)
	if errors.Is(err, fs.ErrExist) && w.c.o.overwrite {
		if err = w.c.dest.Remove(name); err == nil {
			err = w.c.dest.Link(old, name)
		}
	}
	if err != nil { // no hard links here, or no more for this file
		return w.file(ctx, j)
	}
	w.c.files.Add(1)
	return true, nil
}

// file writes one file under a temporary name and renames it when complete.
func (w *worker) file(ctx context.Context, j job) (ok bool, err error) {
	if free, err := w.c.makeWay(j.dir, j.name); !free {
		return false, err
	}
	src, err := j.place.fs.Open(ctx, j.from.attr.ID)
	if err != nil {
		return false, err
	}
	defer src.Close()
	w.lost = gaps{}
	temp := partName(w.c.temp.Add(1))
	err = w.write(ctx, j, src, temp)
	if err == nil {
		err = grave(j.dir.root.Rename(temp, j.name))
	}
	if err != nil {
		j.dir.root.Remove(temp)
		return false, realName(err, temp, j.name)
	}
	w.c.files.Add(1)
	w.c.gaps(j.from, j.dir, &w.lost)
	if bad := j.from.attr.Damage; bad != nil {
		w.c.hurt.add(w.c.e, j.dir.where(j.from), fmt.Errorf("it was copied, but contents, times or streams may be missing: %w", bad))
	}
	w.c.setSecurity(j.from, j.dir, j.name, w.c.sddl(ctx, j.place, j.from, j.dir))
	return true, nil
}

func (w *worker) write(ctx context.Context, j job, src volume.OpenFile, temp string) error {
	dst, err := createPart(j.dir.root, temp)
	if err != nil {
		return grave(err)
	}
	err = w.contents(ctx, src, dst)
	if err == nil && w.c.o.streams != "" {
		err = w.c.fileStreams(ctx, j, dst, temp)
	}
	if err == nil && j.from.attr.HasPOSIX {
		err = dst.Chmod(fs.FileMode(j.from.attr.Perm) & 0o777)
	}
	if cerr := dst.Close(); err == nil {
		err = grave(cerr)
	}
	if err != nil {
		return err
	}
	setAttributes(j.dir.root, temp, j.from.attr, w.c.o.attributes)
	return w.c.keepTimes(j.dir.root, temp, j.from.attr)
}

// contents copies the data of src and leaves its holes as holes.
func (w *worker) contents(ctx context.Context, src volume.OpenFile, f *os.File) error {
	sparse, _ := src.(volume.Sparse)
	size := src.Size()
	dst := newSink(f, size)
	defer dst.done()
	for off := int64(0); off < size; {
		end, hole := size, false
		if sparse != nil {
			var err error
			if end, hole, err = sparse.NextExtent(ctx, off); err != nil {
				return err
			}
			end = min(end, size)
			if end <= off {
				return fmt.Errorf("extent ends at %d before byte %d: %w", end, off, volume.ErrCorrupt)
			}
		}
		if hole {
			w.count(end - off)
		} else if err := w.stretch(ctx, src, dst, off, end); err != nil {
			return err
		}
		off = end
	}
	return grave(dst.Truncate(size)) // it may end in a hole
}

// stretch copies bytes from off to end. What cannot be read ends it, or is left
// out when the rest is to be saved: a read that fails is halved again and again,
// as it tells nothing of most of its bytes.
func (w *worker) stretch(ctx context.Context, src volume.OpenFile, dst *sink, off, end int64) error {
	bad := off // somewhere before it a read failed
	for off < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := off + min(int64(len(w.buf)), end-off)
		if bad > off {
			to = halfway(off, bad)
		}
		n, err := src.ReadAt(ctx, w.buf[:to-off], off)
		if n == 0 && err == nil || err == io.EOF && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if _, err := dst.WriteAt(w.buf[:n], off); err != nil {
			return grave(err)
		}
		off += int64(n)
		w.wrote(int64(n), dst.direct != nil)
		switch {
		case err == nil || err == io.EOF:
			continue
		case errors.Is(err, volume.ErrNotCaptured), ctx.Err() != nil:
			return err
		case !w.c.o.salvage:
			return fmt.Errorf("in bytes %d to %d: %w", off, to-1, err)
		}
		if bad = to; off == to || halfway(off, to) < to {
			continue
		}
		if off, err = w.skip(ctx, src, off, end, err); err != nil {
			return err
		}
	}
	return nil
}

// skip notes what cannot be read from off on, and gives the next place that can.
func (w *worker) skip(ctx context.Context, src volume.OpenFile, off, end int64, why error) (next int64, err error) {
	next = gapEnd(off, end, func(at int64) bool {
		var b [1]byte
		n, _ := src.ReadAt(ctx, b[:], at)
		return n == 1 || ctx.Err() != nil
	})
	if ctx.Err() != nil {
		return next, ctx.Err()
	}
	w.lost.add(off, next, why)
	w.moved += next - off
	w.c.meter.add(next - off)
	return next, nil
}

func (w *worker) count(n int64) {
	w.moved += n
	w.c.bytes.Add(n)
	w.c.meter.add(n)
}

// wrote counts bytes that are on the disk, or that the system has yet to bring
// there.
func (w *worker) wrote(n int64, there bool) {
	if there || w.c.flush == nil {
		w.count(n)
		return
	}
	w.moved += n
	w.c.bytes.Add(n)
	w.c.flush.wrote(n)
}

// count finds the total while the first files are copied already, so that
// progress has an end. Short copies are over before it starts.
func (c *copier) count(ctx context.Context, items []item) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(time.Second):
	}
	n := counter{seen: map[uint64]bool{}, streams: c.o.streams != ""}
	for i, it := range items {
		n.shelf = uint64(i) << 56
		n.add(ctx, it.place.finder, &it.found.attr, 0)
	}
	if ctx.Err() == nil {
		c.meter.setTotal(n.total)
	}
}

type counter struct {
	total   int64
	shelf   uint64
	seen    map[uint64]bool // files with several names, folders
	streams bool            // count, too
	lists   heldLists
}

func (n *counter) add(ctx context.Context, f finder, a *volume.Attr, depth int) {
	switch {
	case a.Kind == volume.File && a.Links > 1, a.Kind == volume.Dir:
		key := n.shelf ^ uint64(a.ID)
		if n.seen[key] {
			return
		}
		n.seen[key] = true
	}
	if a.Kind == volume.File {
		n.total += a.Size
	}
	if able, ok := f.fs.(volume.Streams); ok && n.streams && !a.NoStreams && a.Kind != volume.Symlink {
		list, _ := able.Streams(ctx, a.ID)
		for _, s := range list {
			n.total += s.Size
		}
	}
	if a.Kind == volume.Dir && depth < maxDepth {
		n.below(ctx, f, a.ID, depth+1)
	}
}

func (n *counter) below(ctx context.Context, f finder, dir volume.ID, depth int) {
	entries := f.inBatches(&n.lists, dir, nil)
	defer n.lists.leave()
	for en := entries.next(ctx); en != nil; en = entries.next(ctx) {
		if en.Err == nil {
			n.add(ctx, f, en.Attr, depth)
		}
	}
	if able, ok := f.fs.(volume.Lost); ok {
		able.WalkLost(ctx, dir, func(_ volume.ID, en *volume.Entry) error {
			if en.Err == nil {
				n.add(ctx, f, en.Attr, depth)
			}
			return ctx.Err()
		})
	}
}
