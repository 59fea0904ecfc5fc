package ntfsparse

import "bytes"

// misleads is an error for an entry that leads to the file though that does not say to have
// the name there: the entry's record number is damaged or the name in the record, or the
// volume was left in the middle of a change. A file is not judged when its names cannot
// all be read, or are too many.
func (f *File) misleads(e *DirEntry) error {
	if e.orphan || f.ghost || f.bad != nil || len(f.attrs) > maxJudged {
		return nil
	}
	names := 0
	for _, a := range f.attrs {
		if a.Type() != TypeFileName {
			continue
		}
		n, err := ParseFileName(a.Value())
		if err != nil || n.Parent.Record() == e.Parent.Record() && bytes.Equal(n.Units, e.Units) {
			return nil
		}
		names++
	}
	if names == 0 || names < f.rec.LinkCount() {
		return nil
	}
	return classf(ErrCorrupt, e.Parent.Record(), "its index leads by the name %q to file record %d, which does not have it", e.Name(), f.rec.N)
}

// meant is the file that an entry means which misleads to f: the one that says to have the
// name there. Without one it is f, unless a name of its own leads to that; then the error
// is why the entry misleads.
func (v *Volume) meant(f *File, e *DirEntry, misleads error) (*File, error) {
	dir, err := v.File(e.Parent.Record())
	if err != nil {
		return nil, misleads
	}
	d, err := dir.Dir()
	if err != nil {
		return nil, misleads
	}
	d.noteMisled(misleads)
	lost, _, _ := d.strays()
	if i, ok := lost.find(e.Units); ok {
		return v.FileRef(lost.list[i].ref)
	}
	if f.isLed() {
		return nil, misleads
	}
	return f, nil
}

// isLed tells whether one of the file's own names leads to it; of many the first are
// looked up.
func (f *File) isLed() bool {
	const most = 16
	names := f.Names()
	for _, n := range names[:min(len(names), most)] {
		if n.Space == NameDOS {
			continue // no listing shows it
		}
		dir, err := f.v.File(n.Parent.Record())
		if err != nil {
			continue
		}
		d, err := dir.Dir()
		if err != nil {
			continue
		}
		if e, ok, err := d.findEntry(n.Units, f.v.upcase.Compare); err == nil && ok && e.Ref().Record() == f.rec.N {
			return true
		}
	}
	return false
}

// IsMetafile tells whether an entry of the root is that of one of the volume's own files,
// which listings leave out. One that merely leads to such a file is not.
func (v *Volume) IsMetafile(e *DirEntry) bool {
	if e.Ref.Record() >= FirstUser || e.Parent.Record() != RecordRoot {
		return false
	}
	rec, err := v.Record(e.Ref.Record())
	if err != nil {
		return true
	}
	f, err := v.ownFile(rec, nil)
	return err == nil && f.misleads(e) == nil
}

// ReadEntries is [InfoReader.Read] for the files that entries of a folder name, as
// [Volume.Follow] opens them.
func (r *InfoReader) ReadEntries(entries []DirEntry, visit func(i int, in *Info, err error)) {
	refs := make([]Ref, len(entries))
	for i := range entries {
		refs[i] = entries[i].Ref
	}
	var rec Record
	var f File
	r.Read(refs, func(i int, in *Info, err error) {
		if err != nil {
			visit(i, in, err)
			return
		}
		own := in.file
		if own == nil {
			rec = Record{N: in.Ref.Record(), b: r.one, used: int(min(uint64(le.Uint32(r.one[0x18:])), uint64(len(r.one))))}
			if rec.hasName(&entries[i]) {
				visit(i, in, nil)
				return
			}
			f = File{v: r.v, rec: &rec, attrs: f.attrs[:0]}
			f.attrs, f.bad = collect(f.attrs, &rec)
			own = &f
		}
		misleads := own.misleads(&entries[i])
		if misleads == nil {
			visit(i, in, nil)
			return
		}
		// own is not kept: its record is that of the next file soon
		if own, err = r.v.FileRef(in.Ref); err == nil {
			own, err = r.v.meant(own, &entries[i], misleads)
		}
		if err == nil {
			*in = own.Info()
			err = own.sized()
		}
		visit(i, in, err)
	})
}

// hasName tells, at little cost, that the name of an entry is in the record.
func (r *Record) hasName(e *DirEntry) bool {
	for a, err := range r.Attrs() {
		if err != nil || a.Type() > TypeFileName {
			return false
		}
		if b := a.Value(); a.Type() == TypeFileName && len(b) >= 0x42+len(e.Units) && int(b[0x40])*2 == len(e.Units) &&
			Ref(le.Uint64(b)).Record() == e.Parent.Record() && bytes.Equal(b[0x42:0x42+len(e.Units)], e.Units) {
			return true
		}
	}
	return false
}
