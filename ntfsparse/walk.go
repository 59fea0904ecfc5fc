package ntfsparse

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
)

// WalkEntry is one name met by [Volume.Walk].
type WalkEntry struct {
	Path string // from the root, with a leading '/'; the root itself is "/"
	Info *Info  // valid until visit returns
	Err  error  // why Info is not complete
}

// Walk visits every file and folder in the order of the MFT, which reads the
// disk fastest, once per name, DOS names left out. The volume's own files are
// not visited. Last come, with Err, the names that folders have for files whose
// records are damaged or say that they are not in use, though the MFT does, and then
// what is below such folders or below none, see
// [Volume.Follow] and [File.Path]. Each folder "$Orphan-N" is visited, with Err, before
// what is in it. The walk ends with the first error that visit returns. It ends with ErrUnsupported, after
// all that could be read, when not all extension records were, or not all that is damaged
// or lost could be told, see the limits.
func (v *Volume) Walk(ctx context.Context, visit func(e *WalkEntry) error) error {
	w := walker{v: v, paths: v.newPathCache(), visit: visit, indexes: v.indexBudget(), partial: map[uint64]partial{}, told: map[string]bool{}}
	w.extensions = w.paths.extensions
	w.inUse.s, _ = v.recordBitmap()
	if err := w.scan(ctx, w.record); err != nil {
		return err
	}
	lost := w.parts != 0
	w.skipped(v.records)
	if !w.rooted {
		if err := w.visitRoot(nil); err != nil {
			return err
		}
	}
	w.bad = w.paths.damaged
	if w.paths.full {
		w.leaveOut("More file records are damaged than are looked for in folders.")
	}
	if err := w.more(); err != nil {
		w.cut = true
		if err := w.visitRoot(err); err != nil {
			return err
		}
	}
	if len(w.bad)+len(w.partial) > 0 || w.cut {
		if err := w.scan(ctx, w.namesOfDamaged); err != nil {
			return err
		}
		w.leaveExtend()
	}
	if lost {
		if err := v.lostParts(w.extensions); err != nil {
			if err := w.visitRoot(err); err != nil {
				return err
			}
		}
	}
	w.paths = v.newPathCache()
	w.paths.lost, w.paths.extensions = true, w.extensions
	if err := w.visitDamaged(); err != nil {
		return err
	}
	if w.missed {
		if err := w.scan(ctx, w.record); err != nil {
			return err
		}
	}
	return cmp.Or(w.extensions.err(), w.missing)
}

// more tells that there are more file records than can be read.
func (w *walker) more() error {
	v := w.v
	if all := uint64(v.mft.valid) / uint64(v.boot.RecordSize); v.records < all {
		return classf(ErrCorrupt, 0, "only the first %d of %d file records can be read", v.records, all)
	}
	if w.inUse.s == nil {
		return nil
	}
	end := min(w.inUse.s.size*8, v.size/int64(v.boot.RecordSize)) // of what the volume has room for
	if n, err := w.inUse.firstSet(int64(v.records), end); err == nil && n < end {
		return classf(ErrCorrupt, 0, "only the first %d file records can be read, but record %d is in use, as their bitmap says", v.records, n)
	}
	return nil
}

// leaveOut takes note that not all damaged files are told.
func (w *walker) leaveOut(note string) {
	w.v.note("%s", note)
	w.missing = cmp.Or(w.missing, classf(ErrUnsupported, NoRecord, "more files are damaged, or have names, than can be told"))
}

type walker struct {
	v          *Volume
	paths      *pathCache
	visit      func(*WalkEntry) error
	info       Info
	names      []FileName
	entry      WalkEntry
	rooted     bool // the root was visited
	missed     bool // something was not visited, because its folder is lost
	extensions *budget
	inUse      bitWindow
	next       uint64 // first record that the first scan has not come to
	parts      uint64 // sum of the extension records, less those of files

	partial map[uint64]partial // files of which parts are damaged
	cut     bool               // there are more records than can be read
	blind   bool               // a folder cannot be read, so that names in it are not known
	bad     map[uint64]bool    // damaged records
	damaged []damagedName
	bytes   int             // of them
	indexes *budget         // that may still be gone through for them
	told    map[string]bool // folders "$Orphan-N" that were visited
	missing error           // not all damaged files were told
}

// partial is what is known of a damaged file whose record can be read.
type partial struct {
	err   error
	named bool // it has names of its own, was visited, or needs none
	gone  bool // the record says that it is no file's
	freed bool // and that it is in no use: no folder need have a name for it
}

// damagedName is the name that a folder has for a damaged record.
type damagedName struct {
	dir, ref Ref
	key      []byte // $FILE_NAME
}

// scan calls do for each file of the user's and for the root; damaged records it
// remembers.
func (w *walker) scan(ctx context.Context, do func(rec *Record) error) error {
	return w.v.Scan(ctx, 0, func(n uint64, rec *Record, err error) error {
		w.skipped(n)
		switch {
		case n < FirstUser && n != RecordRoot:
			return nil
		case err != nil && n == RecordRoot:
			return nil
		case err != nil:
			w.paths.noteDamaged(n)
			return nil
		case !rec.InUse() || rec.Base() != 0:
			if base := rec.Base().Record(); rec.InUse() && (base >= FirstUser || base == RecordRoot) {
				w.parts += partOf(n, base)
			}
			w.suspect(rec)
			return nil
		}
		if err := checkContext(ctx); err != nil {
			return err
		}
		return do(rec)
	})
}

// suspect takes note of a record that a file seems to have lost: one that says to be
// free though the bitmap of the MFT says that it is not, or to belong to another although it
// begins as no extension does.
func (w *walker) suspect(rec *Record) {
	var err error
	switch {
	case rec.N < FirstUser+8: // reserved ones are in use and free
		return
	case rec.Base() != 0:
		if le.Uint32(rec.b[rec.FirstAttr():]) != uint32(TypeStandardInfo) {
			return
		}
		err = baseInUse(rec)
	default:
		err = classf(ErrCorrupt, rec.N, "the record says that the file was deleted, its folder does not")
	}
	if !rec.InUse() {
		if w.inUse.s == nil {
			return
		}
		if set, berr := w.inUse.allSet(int64(rec.N), int64(rec.N)+1); berr != nil || !set {
			return
		}
	}
	w.notePartial(rec.N, partial{err: err, gone: true, freed: !rec.InUse()})
}

func (w *walker) notePartial(n uint64, p partial) {
	switch _, ok := w.partial[n]; {
	case ok:
	case len(w.partial) < maxDamaged:
		w.partial[n] = p
	default:
		w.leaveOut("More file records are damaged than are looked for in folders.")
	}
}

// skipped looks at the records before n that a scan has left out, as they are all
// zero. Those that are in use were not so always.
func (w *walker) skipped(n uint64) {
	for at := max(w.next, FirstUser); at < n && w.inUse.s != nil; at++ {
		first, err := w.inUse.firstSet(int64(at), int64(n))
		if at = uint64(first); at < n && err == nil {
			w.paths.noteDamaged(at)
		}
	}
	w.next = max(w.next, n+1)
}

// visitRoot visits the root with an error, or the one that its record has.
func (w *walker) visitRoot(bad error) error {
	w.rooted = true
	f, err := w.v.Root()
	if err != nil {
		return err
	}
	if w.info = f.Info(); bad == nil {
		bad = f.bad
	}
	return w.visitOne("/", bad)
}

// namesOfDamaged gathers the names that a folder has for damaged records.
func (w *walker) namesOfDamaged(rec *Record) error {
	if !rec.IsDir() || w.indexes.spent {
		return nil
	}
	f, err := w.v.fileRef(rec.Ref(), w.extensions)
	if err != nil {
		w.blind = true
		return nil
	}
	d, err := f.Dir()
	if err != nil || d.broken != nil {
		w.blind = true
		return nil
	}
	w.indexes.take(d.x.cost())
	d.x.Scan(-1, func(_ int64, x IndexEntry, err error) bool {
		if err != nil {
			w.blind = true
			return true
		}
		w.indexes.take(int64(len(x.b)))
		n := x.Ref().Record()
		if _, part := w.partial[n]; part || w.bad[n] || w.cut && n >= w.v.records {
			w.damagedName(f.Ref(), x)
		}
		return !w.indexes.spent
	})
	if w.indexes.spent {
		w.leaveOut("The folders have more names than are looked through for those of damaged file records.")
	}
	return nil
}

// leaveExtend forgets the damaged records that $Extend has names for: what is in it is
// never told.
func (w *walker) leaveExtend() {
	f, err := w.v.File(RecordExtend)
	if err != nil {
		return
	}
	d, err := f.Dir()
	if err != nil || !w.indexes.take(d.x.cost()) {
		return
	}
	d.scan(-1, func(_ int64, e IndexEntry, n FileName, err error) bool {
		if err == nil && bytes.HasPrefix(n.Units, []byte("$\x00")) {
			delete(w.bad, e.Ref().Record())
			delete(w.partial, e.Ref().Record())
		}
		return true
	})
}

func (w *walker) damagedName(dir Ref, x IndexEntry) {
	n, err := ParseFileName(x.Key())
	if err != nil || n.Space == NameDOS || x.Ref().Record() < FirstUser {
		return
	}
	if f, err := w.v.fileRef(x.Ref(), w.extensions); err == nil && !f.ghost {
		if f.cut || !w.extensions.take(int64(nameCost*len(f.attrs))) {
			return
		}
		for _, own := range f.Names() {
			if own.Space != NameDOS && own.Parent.Record() == dir.Record() && bytes.Equal(own.Units, n.Units) {
				return // visited already
			}
		}
	}
	if w.bytes += 64 + len(x.Key()); w.bytes > maxStrayBytes {
		w.leaveOut("More names lead to damaged file records than can be told.")
		return
	}
	w.damaged = append(w.damaged, damagedName{dir, x.Ref(), bytes.Clone(x.Key())})
	if n.IsDir() && n.Parent.Record() == dir.Record() { // other entries are not listed
		w.v.addGhost(x.Ref(), &n)
	}
}

// visitDamaged visits the names found for damaged records, and tells how many have
// none.
func (w *walker) visitDamaged() error {
	for _, d := range w.damaged {
		n, err := ParseFileName(d.key)
		parent, ok := w.paths.find(d.dir)
		if err != nil || !ok {
			continue
		}
		_, bad := w.v.Record(d.ref.Record())
		f := w.v.ghostFile(ghostRecord(d.ref, &n), bad)
		if !n.IsDir() {
			le.PutUint16(f.rec.b[0x16:], FlagInUse)
		}
		part := w.partial[d.ref.Record()]
		if bad == nil {
			switch own, err := w.v.fileRef(d.ref, w.extensions); {
			case err == nil:
				f = own.with(part.err)
			case part.gone:
				f.bad = part.err
			default:
				continue
			}
			part.named = true
			w.partial[d.ref.Record()] = part
		}
		if err := w.lostFolder(&parent); err != nil {
			return err
		}
		delete(w.bad, d.ref.Record())
		w.info = f.Info()
		if err := w.visitOne(joinName(parent.path, n.Units), f.bad); err != nil {
			return err
		}
	}
	if err := w.visitShort(); err != nil {
		return err
	}
	nameless := 0
	for _, p := range w.partial {
		if !p.named && (!p.freed || w.blind) {
			nameless++
		}
	}
	for n := range w.bad {
		set := true
		if w.inUse.s != nil {
			var err error
			set, err = w.inUse.allSet(int64(n), int64(n)+1)
			set = set || err != nil
		}
		if set {
			nameless++
		}
	}
	if nameless == 0 {
		return nil
	}
	return w.visitRoot(classf(ErrCorrupt, NoRecord, "damaged file records whose names are in no folder that can be read: %d", nameless))
}

// visitShort visits files under DOS names for which folders have no other.
func (w *walker) visitShort() error {
	for _, n := range slices.Sorted(maps.Keys(w.partial)) {
		part := w.partial[n]
		if part.named || part.gone {
			continue
		}
		f, err := w.v.file(n, w.extensions)
		if err != nil {
			continue
		}
		for _, name := range unpaired(f.Names()) {
			part.named = true
			if err := w.visitAs(f.with(part.err), &name); err != nil {
				return err
			}
		}
		w.partial[n] = part
	}
	return nil
}

// visitAs visits a damaged file under a name of its own.
func (w *walker) visitAs(f *File, n *FileName) error {
	parent, _ := w.paths.find(n.Parent)
	if err := w.lostFolder(&parent); err != nil {
		return err
	}
	w.info = f.Info()
	return w.visitOne(joinName(parent.path, n.Units), f.bad)
}

// with is the file with damage besides what it has; f itself may be used by others.
func (f *File) with(bad error) *File {
	own := *f
	own.bad = cmp.Or(f.bad, bad)
	return &own
}

// lostFolder visits the folder "$Orphan-N" in which a path begins, once.
func (w *walker) lostFolder(p *foundPath) error {
	if p.orphan == 0 {
		return nil
	}
	head := orphanPath(p.orphan)
	if w.told[head] {
		return nil
	}
	if len(w.told) >= maxDamaged {
		w.leaveOut("More folders are lost than are told.")
		return nil
	}
	w.told[head] = true
	keep := w.info
	f := w.v.ghost(p.orphan, nil)
	w.info = f.Info()
	err := w.visitOne(head, errOrphans(p.orphan, p.deep))
	w.info = keep
	return err
}

func (w *walker) record(rec *Record) error {
	w.names = w.names[:0]
	err := w.gather(rec)
	if err == nil && rec.N >= FirstUser+8 {
		err = w.unnamed(rec.N)
	}
	if err != nil {
		return w.fallback(rec, err)
	}
	return w.visitNames(nil)
}

// unnamed tells why a file would not be visited under all of its names.
func (w *walker) unnamed(n uint64) error {
	if len(w.names) == 0 {
		return classf(ErrCorrupt, n, "file has no name")
	}
	if short := unpaired(w.names); len(short) > 0 {
		return classf(ErrCorrupt, n, "file has the DOS name %q and no other in that folder", short[0].Name())
	}
	return nil
}

// unpaired are the DOS names that have no long one beside them, in the same folder.
func unpaired(names []FileName) (short []FileName) {
	long := func(folder uint64) bool {
		return slices.ContainsFunc(names, func(n FileName) bool { return n.Space == NameWin32 && n.Parent.Record() == folder })
	}
	if len(names) > fewNames && slices.ContainsFunc(names, isDOS) {
		folders := map[uint64]bool{}
		for _, n := range names {
			folders[n.Parent.Record()] = folders[n.Parent.Record()] || n.Space == NameWin32
		}
		long = func(folder uint64) bool { return folders[folder] }
	}
	for _, n := range names {
		if isDOS(n) && !long(n.Parent.Record()) {
			short = append(short, n)
		}
	}
	return short
}

const fewNames = 16 // that are compared with each other

func isDOS(n FileName) bool { return n.Space == NameDOS }

// gather fills info and names from a record, or from all records of a file
// that has several.
func (w *walker) gather(rec *Record) error {
	w.info.begin(w.v, rec)
	for a, err := range rec.Attrs() {
		switch {
		case err != nil || !a.sane():
			w.info.hurt(a, err)
			continue
		case a.Type() == TypeAttributeList:
			return w.gatherFile(rec)
		case a.Type() == TypeFileName:
			n, _ := ParseFileName(a.Value())
			w.names = append(w.names, n)
		}
		w.info.order.add(a.Type())
		w.info.add(a)
	}
	w.info.end()
	if w.info.lacks() && len(w.v.extensionsOf(rec.N)) > 0 {
		return w.gatherFile(rec)
	}
	return w.info.Damage
}

func (w *walker) gatherFile(rec *Record) error {
	f, err := w.v.anyFile(rec.N, w.extensions)
	if err != nil {
		return err
	}
	for _, ext := range f.exts {
		w.parts -= partOf(ext.N, f.rec.N)
	}
	w.names = f.Names()
	w.info = f.Info()
	w.info.file = f
	return w.info.Damage
}

// fallback reports a damaged file under the names that could be read. A DOS name without
// a long one is looked for in its folder first.
func (w *walker) fallback(rec *Record, err error) error {
	err = inRecord(err, rec.N)
	w.notePartial(rec.N, partial{err: err, named: len(w.names) > 0 && unpaired(w.names) == nil})
	return w.visitNames(err)
}

func (w *walker) visitNames(bad error) error {
	if w.info.IsDir && len(w.names) > 0 {
		w.paths.remember(w.info.Ref, w.names[w.longName()])
	}
	if w.info.Ref.Record() == RecordRoot {
		if w.paths.lost {
			return nil // visited already
		}
		w.rooted = true
		return w.visitOne("/", bad)
	}
	for i := range w.names {
		n := &w.names[i]
		if n.Space == NameDOS {
			continue
		}
		parent, ok := w.paths.find(n.Parent)
		if !ok || parent.lost != w.paths.lost {
			w.missed = w.missed || !parent.system
			continue
		}
		if err := w.lostFolder(&parent); err != nil {
			return err
		}
		if err := w.visitOne(joinName(parent.path, n.Units), bad); err != nil {
			return err
		}
	}
	return nil
}

func joinName(parent string, units []byte) string {
	var short [512]byte
	b := append(append(short[:0], parent...), '/')
	return string(appendName(b, units))
}

// longName is the index of the first name that is not a DOS name, or 0.
func (w *walker) longName() int {
	for i := range w.names {
		if w.names[i].Space != NameDOS {
			return i
		}
	}
	return 0
}

func (w *walker) visitOne(path string, bad error) error {
	w.entry = WalkEntry{path, &w.info, bad}
	return w.visit(&w.entry)
}
