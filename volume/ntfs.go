package volume

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"vitrine/ntfsparse"
)

// ntfsFS shows an NTFS volume as a FileSystem with all abilities, and its
// clusters as UsedSpace.
type ntfsFS struct {
	v   *ntfsparse.Volume
	out omissions
}

// openNTFS opens the NTFS volume in r, which has size bytes.
func openNTFS(r io.ReaderAt, size int64) (*ntfsFS, error) {
	v, err := ntfsparse.Open(r, size)
	if err != nil {
		return nil, ntfsErr(err)
	}
	return &ntfsFS{v: v}, nil
}

// ntfsError gives an error of ntfsparse a class of this package.
type ntfsError struct{ class, err error }

func (e *ntfsError) Error() string   { return e.err.Error() }
func (e *ntfsError) Unwrap() []error { return []error{e.class, e.err} }

var ntfsClasses = []struct{ theirs, ours error }{
	{ntfsparse.ErrCorrupt, ErrCorrupt},
	{ntfsparse.ErrUnsupported, ErrUnsupported},
	{ntfsparse.ErrEncrypted, ErrEncrypted},
	{ntfsparse.ErrNotCaptured, ErrNotCaptured},
	{ntfsparse.ErrNotDir, ErrNotDir},
	{ntfsparse.ErrIsDir, ErrIsDir},
	{ntfsparse.ErrDeleted, fs.ErrNotExist},
}

func ntfsErr(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	for _, c := range ntfsClasses {
		if errors.Is(err, c.theirs) {
			return &ntfsError{c.ours, err}
		}
	}
	return err
}

// split takes an ID apart: the record, and the place of a named stream among
// the file's, from 1 on.
func split(id ID) (record uint64, stream int) {
	return uint64(id & (1<<IDRecordBits - 1)), int(id >> IDRecordBits & (1<<IDStreamBits - 1))
}

func (n *ntfsFS) file(ctx context.Context, id ID) (f *ntfsparse.File, stream int, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	record, stream := split(id)
	f, err = n.v.File(record)
	return f, stream, ntfsErr(err)
}

// Root is the root folder.
func (n *ntfsFS) Root() ID { return ntfsparse.RecordRoot }

// Attr gives the attributes of a file, or of a named stream of it. Those of a damaged
// file are given as far as they are known, as listings do: what is missing is an error
// where it is asked for.
func (n *ntfsFS) Attr(ctx context.Context, id ID) (Attr, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil {
		return Attr{}, err
	}
	in := f.Info()
	a := ntfsAttr(&in)
	if stream == 0 {
		return a, cmp.Or(sized(f), ntfsErr(in.Passing()))
	}
	s, err := namedStream(f, stream)
	a.ID, a.Kind, a.Size, a.Alloc, a.Links = id, File, s.Size, s.Alloc, 1
	a.Win &^= ntfsparse.WinDirectory
	return a, err
}

// namedStream finds the stream that an ID names by its place.
func namedStream(f *ntfsparse.File, place int) (ntfsparse.StreamInfo, error) {
	if err := passing(f); err != nil {
		return ntfsparse.StreamInfo{}, err
	}
	for _, s := range f.Streams() {
		if s.Name == "" {
			continue
		}
		if place--; place == 0 {
			return s, nil
		}
	}
	return ntfsparse.StreamInfo{}, fmt.Errorf("file has no such stream: %w", fs.ErrNotExist)
}

// passing is why not all of a file's streams are known where that may be otherwise the
// next time: their places are not what they are then.
func passing(f *ntfsparse.File) error {
	if err := f.Damage(); !errors.Is(err, ntfsparse.ErrCorrupt) && !errors.Is(err, ntfsparse.ErrUnsupported) {
		return err
	}
	return nil
}

// sized is why the size of a file's contents is not known, though it may be the next
// time.
func sized(f *ntfsparse.File) error {
	bad := f.Damage()
	if bad == nil || errors.Is(bad, ntfsparse.ErrCorrupt) || f.IsDir() {
		return nil
	}
	if _, err := f.Stream(""); err == nil {
		return nil
	}
	return ntfsErr(bad)
}

func ntfsAttr(in *ntfsparse.Info) Attr {
	a := Attr{
		ID: ID(in.Ref.Record()), Gen: uint32(in.Ref.Seq()), Kind: kindOf(in.Mode()),
		Links: uint32(max(1, in.Links)), Size: in.Size, Alloc: in.Alloc,
		ModTime: ntfsTime(in.Modified), AccessTime: ntfsTime(in.Accessed), ChangeTime: ntfsTime(in.Changed), BirthTime: ntfsTime(in.Created),
		Win: in.Attributes, Reparse: in.Tag, NoStreams: in.Streams == 0 && in.Damage == nil,
	}
	hidePlain(&a)
	if !in.IsDir || in.NoSize { // else reading a folder tells what is wrong with it
		a.Damage, a.NoSize = ntfsErr(in.Damage), in.NoSize
	}
	if a.Kind == Symlink {
		target, err := in.LinkTarget()
		a.Size, a.NoSize = int64(len(target)), err != nil
		a.Damage = cmp.Or(a.Damage, ntfsErr(err))
	}
	if a.Kind == CharDev || a.Kind == BlockDev {
		major, minor, err := in.Device()
		a.Rdev, a.Size = makedev(major, minor), 0
		a.Damage = cmp.Or(a.Damage, ntfsErr(err))
	}
	if in.HasEAs {
		p, err := in.POSIX()
		setPOSIX(&a, p)
		a.Damage = cmp.Or(a.Damage, ntfsErr(err))
		if !ntfsparse.IsCloud(in.Tag) {
			a.Win &^= ntfsparse.WinRecallOpen // this is how the volume marks that there are EAs
		}
	}
	return a
}

// ntfsTime takes 0 for a time that was never set, as Windows does.
func ntfsTime(t ntfsparse.Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return t.Time()
}

// hidePlain hides, as Windows does, that a file is stored in another way:
// CompactOS and deduplicated files are files like all others.
func hidePlain(a *Attr) {
	if a.Reparse == ntfsparse.TagWOF || a.Reparse == ntfsparse.TagDedup {
		a.Reparse = 0
		a.Win &^= ntfsparse.WinReparse
	}
}

func setPOSIX(a *Attr, p ntfsparse.POSIX) {
	if !p.HasMod {
		return
	}
	a.HasPOSIX, a.Perm, a.UID, a.GID = true, uint16(p.Mode&0o7777), p.UID, p.GID
}

// makedev is Linux' encoding of device numbers.
func makedev(major, minor uint32) uint64 {
	ma, mi := uint64(major), uint64(minor)
	return mi&0xFF | ma&0xFFF<<8 | mi&^0xFF<<12 | ma&^0xFFF<<32
}

func kindOf(m fs.FileMode) Kind {
	switch {
	case m&fs.ModeDir != 0:
		return Dir
	case m&fs.ModeSymlink != 0:
		return Symlink
	case m&fs.ModeNamedPipe != 0:
		return Fifo
	case m&fs.ModeSocket != 0:
		return Socket
	case m&fs.ModeCharDevice != 0:
		return CharDev
	case m&fs.ModeDevice != 0:
		return BlockDev
	case m&fs.ModeIrregular != 0:
		return Other // to be found out
	}
	return File
}

// Lookup finds a name as it is spelled; DOS names are found by LookupFold.
func (n *ntfsFS) Lookup(ctx context.Context, dir ID, name string) (Attr, error) {
	d, err := n.dir(ctx, dir)
	if err != nil {
		return Attr{}, err
	}
	e, err := d.Lookup(name)
	if err == nil && e.Space == ntfsparse.NameDOS {
		err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return Attr{}, ntfsErr(err)
	}
	return n.attrOf(&e)
}

func (n *ntfsFS) dir(ctx context.Context, id ID) (*ntfsparse.Dir, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil {
		return nil, err
	}
	if stream != 0 {
		return nil, ErrNotDir
	}
	d, err := f.Dir()
	return d, ntfsErr(err)
}

func (n *ntfsFS) attrOf(e *ntfsparse.DirEntry) (Attr, error) {
	f, err := n.v.Follow(e)
	if err != nil {
		return Attr{}, &ntfsError{ErrCorrupt, err} // a name that leads nowhere
	}
	in := f.Info()
	return ntfsAttr(&in), sized(f)
}

// LookupFold finds a name as Windows would, DOS names too, and gives the long
// name as it is spelled.
func (n *ntfsFS) LookupFold(ctx context.Context, dir ID, name string) (Attr, string, error) {
	d, err := n.dir(ctx, dir)
	if err != nil {
		return Attr{}, "", err
	}
	e, err := d.LookupFold(name)
	if err != nil {
		return Attr{}, "", ntfsErr(err)
	}
	a, err := n.attrOf(&e)
	if err != nil || e.Space != ntfsparse.NameDOS {
		return a, e.Name(), err
	}
	return a, n.longName(e), nil
}

// LookupLost finds what a walk visits under a path.
func (n *ntfsFS) LookupLost(ctx context.Context, path string) (Attr, string, error) {
	ref, spelled, err := n.v.LookupLost(ctx, path)
	if err != nil {
		return Attr{}, "", ntfsErr(err)
	}
	a, err := n.Attr(ctx, ID(ref.Record()))
	return a, spelled, err
}

// WalkLost visits what no folder of the volume leads to.
func (n *ntfsFS) WalkLost(ctx context.Context, root ID, visit func(dir ID, e *Entry) error) error {
	if root != n.Root() {
		return nil
	}
	return ntfsErr(n.v.WalkLost(ctx, func(dir ntfsparse.Ref, d *ntfsparse.DirEntry) error {
		e := Entry{Name: d.Name(), ID: ID(d.Ref.Record())}
		a, err := n.attrOf(d)
		if e.Err = err; err == nil {
			e.ID, e.Kind, e.Attr = a.ID, a.Kind, &a
		}
		return visit(ID(dir.Record()), &e)
	}))
}

// longName is the name that a DOS name stands for.
func (n *ntfsFS) longName(e ntfsparse.DirEntry) string {
	if f, err := n.v.Follow(&e); err == nil {
		for _, name := range f.Names() {
			if name.Space == ntfsparse.NameWin32 && name.Parent == e.Parent {
				return name.Name()
			}
		}
	}
	return e.Name()
}

// dirBatch is how many entries are completed with attributes at once, so that
// their records are read in the order of the disk: few at first, for a quick
// start.
const (
	firstBatch = 512
	dirBatch   = 16384 // some 8 MiB
)

// ReadDir lists a folder. In the root the volume's own files are left out;
// they can be looked up. Damage ends up in the error, after all that could be
// read.
func (n *ntfsFS) ReadDir(ctx context.Context, dir ID, after uint64, wantAttr bool, yield func(*Entry) bool) error {
	d, err := n.dir(ctx, dir)
	if err != nil {
		return err
	}
	b := batch{n: n, infos: n.v.InfoReader(), want: wantAttr, yield: yield, size: firstBatch}
	var damage, missed error
	each := func(e ntfsparse.DirEntry, err error) bool {
		if err != nil {
			switch {
			case damage == nil:
				damage = ntfsErr(err)
			case errors.Is(err, ntfsparse.ErrUnsupported):
				missed = ntfsErr(err) // not all that the damage hides was found
			}
			return ctx.Err() == nil
		}
		if n.v.IsMetafile(&e) {
			return true
		}
		b.add(&e)
		return len(b.entries) < b.size || b.flush(ctx)
	}
	d.Read(after, each)
	if b.flush(ctx) && damage == nil {
		d.ReadLost(each)
		b.flush(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if root, err := n.v.Root(); damage == nil && dir == n.Root() && err == nil {
		damage = ntfsErr(root.Damage()) // its attributes are given all the same
	}
	if missed != nil {
		return fmt.Errorf("%w; %w", damage, missed)
	}
	return damage
}

// noRecord is a number that no file record has.
const noRecord = 1<<(IDRecordBits-1) - 1

type batch struct {
	n       *ntfsFS
	infos   *ntfsparse.InfoReader
	want    bool
	yield   func(*Entry) bool
	entries []Entry
	from    []ntfsparse.DirEntry // where attributes are needed
	places  []int                // of these among the entries
	names   []byte               // in them
	size    int
	stopped bool
}

func (b *batch) add(e *ntfsparse.DirEntry) {
	id, kind := ID(min(e.Ref.Record(), noRecord)), kindOf(e.Mode())
	b.entries = append(b.entries, Entry{Name: e.Name(), Cookie: e.Cookie, ID: id, Kind: kind})
	if !b.want && kind != Other {
		return
	}
	b.names = append(b.names, e.Units...)
	own := *e
	own.Units = b.names[len(b.names)-len(e.Units):]
	b.from, b.places = append(b.from, own), append(b.places, len(b.entries)-1)
}

// flush completes and yields the entries gathered; false ends the listing.
func (b *batch) flush(ctx context.Context) bool {
	if b.stopped || ctx.Err() != nil {
		return false
	}
	b.complete()
	for i := range b.entries {
		if !b.yield(&b.entries[i]) {
			b.stopped = true
			return false
		}
	}
	b.entries, b.from, b.places, b.names, b.size = b.entries[:0], b.from[:0], b.places[:0], b.names[:0], dirBatch
	return true
}

// complete fills in attributes: of all entries when they were asked for, else
// of those whose kind cannot be told from the folder alone.
func (b *batch) complete() {
	attrs := make([]Attr, len(b.from))
	b.infos.ReadEntries(b.from, func(i int, in *ntfsparse.Info, err error) {
		e := &b.entries[b.places[i]]
		if err != nil {
			b.fail(e, &b.from[i], err)
			return
		}
		attrs[i] = ntfsAttr(in)
		if e.ID, e.Kind = attrs[i].ID, attrs[i].Kind; b.want {
			e.Attr = &attrs[i]
		}
	})
}

// fail completes an entry whose record cannot be read: a folder's from what the
// entry tells.
func (b *batch) fail(e *Entry, from *ntfsparse.DirEntry, err error) {
	if b.want && from.IsDir() && e.Kind == Dir && !errors.Is(err, ntfsparse.ErrUnsupported) {
		if a, err := b.n.attrOf(from); err == nil {
			e.ID, e.Attr = a.ID, &a
			return
		}
	}
	if e.Kind == Other {
		e.Kind = File
	}
	switch {
	case b.want && errors.Is(err, ntfsparse.ErrUnsupported):
		e.Err = ntfsErr(err)
	case b.want:
		e.Err = &ntfsError{ErrCorrupt, err}
	}
}

// ReadLink gives the target of a symlink, junction, mount point or WSL link.
func (n *ntfsFS) ReadLink(ctx context.Context, id ID) (string, error) {
	f, _, err := n.file(ctx, id)
	if err != nil {
		return "", err
	}
	in := f.Info()
	target, err := in.LinkTarget()
	return target, ntfsErr(err)
}

// StatFS gives the volume's space. What is free is 0 where it cannot be told.
func (n *ntfsFS) StatFS(ctx context.Context) (StatFS, error) {
	boot := n.v.Boot()
	st := StatFS{BlockSize: int(boot.ClusterSize), Blocks: uint64(n.v.Clusters()), Files: n.v.Records(), NameMax: 255,
		Label: n.v.VolumeInfo().Label, FSType: "NTFS", Serial: boot.Serial}
	if err := ctx.Err(); err != nil {
		return st, err
	}
	sp, _ := n.v.Space() // why not is among the notes
	st.Free, st.FreeFiles = uint64(max(0, sp.FreeClusters)), sp.FreeRecords
	return st, nil
}

// wofStream holds the contents of a file that Windows keeps compressed (CompactOS).
const wofStream = "WofCompressedData"

// Streams lists the named streams of a file or folder, without those in which
// Windows keeps compressed contents. That some may be missing ends up in the error.
func (n *ntfsFS) Streams(ctx context.Context, id ID) ([]Stream, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil || stream != 0 {
		return nil, err
	}
	if err := passing(f); err != nil {
		return nil, err
	}
	in := f.Info()
	var list []Stream
	place := 0
	for _, s := range f.Streams() {
		if s.Name == "" {
			continue
		}
		place++
		if in.Tag == ntfsparse.TagWOF && s.Name == wofStream || place >= 1<<IDStreamBits {
			continue
		}
		list = append(list, Stream{s.Name, id | ID(place)<<IDRecordBits, s.Size, s.Alloc})
	}
	if f.RecordLost() {
		return list, nil // reading the folder tells
	}
	return list, ntfsErr(f.Damage())
}

// Path gives one full path of a file.
func (n *ntfsFS) Path(ctx context.Context, id ID) (string, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil {
		return "", err
	}
	p, err := f.Path()
	if err != nil || stream == 0 {
		return p, ntfsErr(err)
	}
	s, err := namedStream(f, stream)
	return p + ":" + s.Name, err
}

// Walk visits every file in the order of the MFT.
func (n *ntfsFS) Walk(ctx context.Context, visit func(path string, e *Entry) error) error {
	var e Entry
	var a Attr
	err := n.v.Walk(ctx, func(w *ntfsparse.WalkEntry) error {
		a = ntfsAttr(w.Info)
		e = Entry{Name: path.Base(w.Path), ID: a.ID, Kind: a.Kind, Attr: &a, Err: ntfsErr(w.Err)}
		return visit(w.Path, &e)
	})
	return ntfsErr(err)
}

// ntfsOpen is an open file or stream.
type ntfsOpen struct{ s *ntfsparse.Stream }

// Open opens the contents of a file or of a named stream.
func (n *ntfsFS) Open(ctx context.Context, id ID) (OpenFile, error) {
	return n.open(ctx, id, (*ntfsparse.File).Open)
}

// OpenRaw opens them as they are stored: EFS files with their cipher text,
// compressed ones with their compressed bytes, up to the last cluster.
func (n *ntfsFS) OpenRaw(ctx context.Context, id ID) (OpenFile, error) {
	o, err := n.open(ctx, id, func(f *ntfsparse.File) (*ntfsparse.Stream, error) { return f.Stream("") })
	if raw, ok := o.(ntfsOpen); ok {
		return ntfsOpen{raw.s.Raw()}, err
	}
	return o, err
}

// open opens a named stream, or with main what an ID without one means.
func (n *ntfsFS) open(ctx context.Context, id ID, main func(*ntfsparse.File) (*ntfsparse.Stream, error)) (OpenFile, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil {
		return nil, err
	}
	var s *ntfsparse.Stream
	if stream == 0 {
		s, err = main(f)
	} else if info, serr := namedStream(f, stream); serr != nil {
		return nil, serr
	} else {
		s, err = f.Stream(info.Name)
	}
	if err != nil {
		return nil, ntfsErr(err)
	}
	if reason, out := n.LeftOut(ctx, id); out {
		return leftOutFile{s.Size(), reason}, nil
	}
	return ntfsOpen{s}, nil
}

func (o ntfsOpen) Size() int64  { return o.s.Size() }
func (o ntfsOpen) Close() error { return nil }

func (o ntfsOpen) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := o.s.ReadAt(p, off)
	return n, ntfsErr(err)
}

// NextExtent tells data from holes.
func (o ntfsOpen) NextExtent(ctx context.Context, off int64) (end int64, hole bool, err error) {
	end, hole = o.s.NextExtent(off)
	return end, hole, ctx.Err()
}

// Extents tells where the contents lie on the volume.
func (o ntfsOpen) Extents(ctx context.Context, yield func(off, n, phys int64) bool) error {
	o.s.Extents(yield)
	return ctx.Err()
}

// ClusterSize is the volume's allocation unit in bytes.
func (n *ntfsFS) ClusterSize() int64 { return n.v.Boot().ClusterSize }

// Used yields what a copy of the volume needs.
func (n *ntfsFS) Used(ctx context.Context, yield func(Extent) bool) error {
	return ntfsErr(n.v.UsedExtents(ctx, func(e ntfsparse.Extent) bool { return yield(Extent{e.Off, e.Len}) }))
}

// FileExtents tells where a file's contents lie.
func (n *ntfsFS) FileExtents(_ context.Context, path string) ([]Contents, error) {
	list, err := n.v.FileExtents(path)
	all := make([]Contents, len(list))
	for i, s := range list {
		all[i] = Contents{Stream: s.Name, Size: s.Size, Resident: s.Resident}
		for _, e := range s.Ext {
			all[i].Extents = append(all[i].Extents, Extent{e.Off, e.Len})
		}
	}
	return all, ntfsErr(err)
}

// Notes tells what was found odd about the volume.
func (n *ntfsFS) Notes() []string { return n.v.Notes() }

// ListXattr lists what ntfs-3g gives access to as extended attributes.
func (n *ntfsFS) ListXattr(ctx context.Context, id ID) ([]string, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil || stream != 0 {
		return nil, err
	}
	return f.XattrNames(), nil
}

// Xattr gives the value of one of them.
func (n *ntfsFS) Xattr(ctx context.Context, id ID, name string) ([]byte, error) {
	f, stream, err := n.file(ctx, id)
	if err != nil {
		return nil, err
	}
	if stream != 0 {
		return nil, fs.ErrNotExist
	}
	b, err := f.Xattr(name)
	return b, ntfsErr(err)
}
