package ntfsparse

import (
	"bytes"
	"io/fs"
	"slices"
)

// File is a file or folder: its base record and the extension records that
// its attribute list names. It is read once and never changes.
type File struct {
	v     *Volume
	rec   *Record
	exts  []*Record
	attrs []Attr // of all records
	list  []ListEntry
	bad   error // why some attributes are missing
	retry bool  // another time more of them may be there
	cut   bool  // nothing of the budget was left to read them
	ghost bool  // its record is damaged, and what is here is not from it
}

// File reads the file whose base record is n. It fails with [ErrDeleted] when
// the record is not in use.
func (v *Volume) File(n uint64) (*File, error) { return v.file(n, nil) }

func (v *Volume) file(n uint64, b *budget) (*File, error) {
	f, err := v.anyFile(n, b)
	if err == nil && !f.rec.InUse() {
		return nil, classf(ErrDeleted, n, "there is no such file any more")
	}
	return f, err
}

// FileRef reads the file that ref names. A sequence number that is not the
// record's means that the file is gone; 0 is not compared.
func (v *Volume) FileRef(ref Ref) (*File, error) { return v.fileRef(ref, nil) }

func (v *Volume) fileRef(ref Ref, b *budget) (*File, error) {
	f, err := v.file(ref.Record(), b)
	if err == nil && ref.Seq() != 0 && ref.Seq() != f.rec.Seq() {
		return nil, classf(ErrDeleted, ref.Record(), "the record has been used anew since (sequence %d, not %d)", f.rec.Seq(), ref.Seq())
	}
	return f, err
}

// exists tells whether ref names a file, by its base record alone, and which it is.
func (v *Volume) exists(ref Ref) (Ref, bool) {
	rec, err := v.Record(ref.Record())
	if err != nil {
		g := v.ghost(ref.Record(), err)
		if g == nil {
			return 0, false
		}
		rec = g.rec
	}
	return rec.Ref(), rec.InUse() && rec.Base() == 0 && (ref.Seq() == 0 || ref.Seq() == rec.Seq())
}

// anyFile reads a file whether it still exists or not.
func (v *Volume) anyFile(n uint64, b *budget) (*File, error) {
	rec, err := v.Record(n)
	if err != nil {
		if g := v.ghost(n, err); g != nil {
			return g, nil
		}
		return nil, err
	}
	if n == RecordRoot && (!rec.InUse() || !rec.IsDir() || rec.Base() != 0) {
		return v.sureRoot(rec)
	}
	return v.ownFile(rec, b)
}

// ownFile is fileOf for a record that stays as it is. The last file with a long list is
// remembered, since many names may lead to it, one after the other.
func (v *Volume) ownFile(rec *Record, b *budget) (*File, error) {
	if f := v.heavy.Load(); f != nil && f.rec.N == rec.N && bytes.Equal(f.rec.b, rec.b) {
		return f, nil
	}
	f, err := v.fileOf(rec, b)
	if err == nil && max(len(f.list), len(f.exts)) >= longList && !f.retry {
		v.heavy.Store(f)
	}
	return f, err
}

// fileOf joins a base record and its extension records.
func (v *Volume) fileOf(rec *Record, b *budget) (*File, error) {
	if base := rec.Base(); base != 0 {
		return nil, classf(ErrCorrupt, rec.N, "record is an extension of record %d, not a file", base.Record())
	}
	f := &File{v: v, rec: rec}
	f.attrs, f.bad = collect(make([]Attr, 0, 8), rec)
	f.loadExtensions(b)
	return f, nil
}

// collect appends the sound attributes of a record; the error is the first
// damage met.
func collect(attrs []Attr, rec *Record) ([]Attr, error) {
	var bad error
	for a, err := range rec.Attrs() {
		if err == nil && a.sane() {
			attrs = append(attrs, a)
			continue
		}
		if err == nil {
			err = corrupt("attribute has impossible sizes", a.Off)
		}
		if bad == nil {
			bad = inRecord(err, rec.N)
		}
	}
	return attrs, bad
}

func isList(a Attr) bool { return a.Type() == TypeAttributeList }

// attributeList reads the attribute list among attrs; none is no error.
func (v *Volume) attributeList(rec *Record, attrs []Attr) ([]ListEntry, error) {
	i := slices.IndexFunc(attrs, isList)
	if i < 0 {
		return nil, nil
	}
	b := attrs[i].Value()
	if !attrs[i].Resident() {
		s, err := v.newStream(rec.Ref(), attrs[i:i+1])
		if err != nil {
			return nil, err
		}
		if b, err = s.readAll(maxAttrList); err != nil {
			return nil, err
		}
	}
	return ParseAttributeList(b)
}

// extentsOf gives all extents of a stream, sorted by lowest VCN.
func extentsOf(attrs []Attr, t AttrType, units string) []Attr {
	var ext []Attr
	for _, a := range attrs {
		if a.is(t, units) {
			ext = append(ext, a)
		}
	}
	if len(ext) > 1 {
		slices.SortStableFunc(ext, func(a, b Attr) int { return int(min(1, max(-1, a.LowVCN()-b.LowVCN()))) })
	}
	return ext
}

// Ref names the file with its present sequence number.
func (f *File) Ref() Ref { return f.rec.Ref() }

// Base is the file's base record, Extensions are the others.
func (f *File) Base() *Record { return f.rec }

// Extensions are the file's extension records, in the order of its list.
func (f *File) Extensions() []*Record { return f.exts }

// List is the attribute list, nil when the file has none.
func (f *File) List() []ListEntry { return f.list }

// Attrs are the attributes of all records that could be read.
func (f *File) Attrs() []Attr { return f.attrs }

// Damage tells why attributes may be missing; nil when all could be read.
func (f *File) Damage() error { return f.bad }

// RecordLost tells that the file's own record is damaged, so that all that is
// known comes from elsewhere: see [Volume.Follow].
func (f *File) RecordLost() bool { return f.ghost }

// IsDir tells whether the file is a folder.
func (f *File) IsDir() bool { return f.rec.IsDir() }

// first finds the first unnamed attribute of a type.
func (f *File) first(t AttrType) (Attr, bool) {
	for _, a := range f.attrs {
		if a.Type() == t && len(a.NameUnits()) == 0 && a.LowVCN() == 0 {
			return a, true
		}
	}
	return Attr{}, false
}

// Standard is the file's standard information.
func (f *File) Standard() (StandardInfo, error) {
	a, ok := f.first(TypeStandardInfo)
	if !ok {
		return StandardInfo{}, f.missing("$STANDARD_INFORMATION")
	}
	s, err := ParseStandardInfo(a.Value())
	return s, inRecord(err, f.rec.N)
}

// missing is the error for an attribute that is not there, or not to be found.
func (f *File) missing(what string) error {
	if f.bad != nil {
		return f.bad
	}
	return &Error{Class: fs.ErrNotExist, What: "file has no " + what, Record: f.rec.N, Off: -1}
}

// Names are all names of the file, DOS names too.
func (f *File) Names() []FileName {
	var names []FileName
	for _, a := range f.attrs {
		if a.Type() != TypeFileName {
			continue
		}
		if n, err := ParseFileName(a.Value()); err == nil {
			names = append(names, n)
		}
	}
	return names
}

// value reads the whole value of an attribute, at most limit bytes.
func (f *File) value(t AttrType, limit int64) ([]byte, error) {
	s, err := f.attrStream(t, "")
	if err != nil {
		return nil, err
	}
	return s.readAll(limit)
}

// attrStream opens an attribute of any type by its name in UTF-16LE.
func (f *File) attrStream(t AttrType, units string) (*Stream, error) {
	ext := extentsOf(f.attrs, t, units)
	if len(ext) == 0 {
		return nil, f.missing(t.String())
	}
	for i := 1; i < len(ext); i++ {
		if ext[0].Resident() || ext[i].Resident() || ext[i].LowVCN() == ext[i-1].LowVCN() {
			return nil, classf(ErrCorrupt, f.rec.N, "the file has %v %q twice", t, ext[i].Name())
		}
	}
	s, err := f.v.newStream(f.Ref(), ext)
	if err != nil {
		return nil, err
	}
	if s.runs != nil && s.runs.End() <= (s.size-1)>>f.v.geo.shift {
		s.bad = s.beyond()
	}
	if s.bad != nil && f.bad != nil {
		s.bad = f.bad
	}
	if t == TypeData && s.runs != nil && s.flags&(AttrSparse|0xFF) == AttrSparse {
		std, err := f.Standard()
		if err == nil && std.Attributes&(WinSparse|WinCompressed) == WinCompressed && s.ragged(ext[0].Unit()) {
			s.refuse = classf(ErrCorrupt, f.rec.N, "stream %q has holes inside compression units and is marked as sparse, the file as compressed", s.name)
		}
	}
	return s, nil
}

// Attribute opens an attribute of any type and name as a stream of bytes, as
// they are stored; contents of files are better opened with [File.Open] and
// [File.Stream].
func (f *File) Attribute(t AttrType, name string) (*Stream, error) {
	return f.attrStream(t, string(EncodeName(name)))
}
