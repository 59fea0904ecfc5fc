package ntfsparse

import "context"

// WalkEntry is one name met by [Volume.Walk].
type WalkEntry struct {
	Path string // from the root, with a leading '/'; the root itself is "/"
	Info *Info  // valid until visit returns
	Err  error  // why Info is not complete
}

// Walk visits every file and folder in the order of the MFT, which reads the
// disk fastest, once per name, DOS names left out. The volume's own files are
// not visited, nor what cannot be reached from the root. The walk ends with
// the first error that visit returns.
func (v *Volume) Walk(ctx context.Context, visit func(e *WalkEntry) error) error {
	w := walker{v: v, paths: v.newPathCache(), visit: visit}
	return v.Scan(ctx, 0, func(n uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() || rec.Base() != 0 || n < FirstUser && n != RecordRoot {
			return nil
		}
		return w.record(rec)
	})
}

type walker struct {
	v     *Volume
	paths *pathCache
	visit func(*WalkEntry) error
	info  Info
	names []FileName
	entry WalkEntry
}

func (w *walker) record(rec *Record) error {
	w.names = w.names[:0]
	if err := w.gather(rec); err != nil {
		return w.fallback(rec, err)
	}
	return w.visitNames(nil)
}

// gather fills info and names from a record, or from all records of a file
// that has several.
func (w *walker) gather(rec *Record) error {
	w.info.begin(w.v, rec)
	for a, err := range rec.Attrs() {
		switch {
		case err != nil || !a.sane():
			continue
		case a.Type() == TypeAttributeList:
			return w.gatherFile(rec)
		case a.Type() == TypeFileName:
			w.name(a)
		}
		w.info.add(a)
	}
	w.info.end()
	return nil
}

func (w *walker) gatherFile(rec *Record) error {
	f, err := w.v.anyFile(rec.N)
	if err != nil {
		return err
	}
	w.names = f.Names()
	w.info = f.Info()
	return f.bad
}

func (w *walker) name(a Attr) {
	if n, err := ParseFileName(a.Value()); err == nil {
		w.names = append(w.names, n)
	}
}

// fallback reports a damaged file under the names that could be read.
func (w *walker) fallback(rec *Record, err error) error {
	return w.visitNames(inRecord(err, rec.N))
}

func (w *walker) visitNames(bad error) error {
	if w.info.IsDir && len(w.names) > 0 {
		w.paths.remember(w.info.Ref, w.names[w.longName()])
	}
	if w.info.Ref.Record() == RecordRoot {
		return w.visitOne("/", bad)
	}
	for i := range w.names {
		n := &w.names[i]
		if n.Space == NameDOS {
			continue
		}
		parent, ok := w.paths.path(n.Parent)
		if !ok {
			continue
		}
		if err := w.visitOne(joinName(parent, n.Units), bad); err != nil {
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
