package ntfsparse

import (
	"context"
	"errors"
	"math"
	"slices"
)

// loadExtensions adds what is in the extension records.
func (f *File) loadExtensions(b *budget) {
	odd := disordered(f.attrs)
	if slices.ContainsFunc(f.attrs, isList) {
		f.followList(b)
	}
	if f.cut || !f.rec.InUse() {
		return
	}
	if f.bad == nil {
		f.bad = f.unmet()
	}
	if f.bad != nil || odd || f.lacks() {
		f.seekExtensions(b)
	}
}

// disordered tells whether attributes of one record do not stand by type, or are of no
// type that there is: one may have been the attribute list.
func disordered(attrs []Attr) bool {
	var o typeOrder
	for _, a := range attrs {
		o.add(a.Type())
	}
	return o.broken
}

// typeOrder is told the types of a record's attributes, one after the other.
type typeOrder struct {
	last   AttrType
	broken bool
}

func (o *typeOrder) add(t AttrType) {
	o.broken = o.broken || t < o.last || t&0xF != 0 || t > TypeLoggedUtility
	o.last = t
}

// unmet tells of an attribute that the list names and no record has.
func (f *File) unmet() error {
	if len(f.list) == 0 {
		return nil
	}
	have, names := make(map[attrKey]bool, len(f.attrs)), 0
	for _, a := range f.attrs {
		if a.Type() == TypeFileName {
			names++
			continue
		}
		have[keyOf(a)] = true
	}
	for _, x := range f.list {
		switch {
		case x.Type == TypeFileName:
			names--
		case !have[attrKey{x.Type, x.LowVCN, string(x.Units)}]:
			return classf(ErrCorrupt, f.rec.N, "its attribute list names %v %q from cluster %d on, which no record of the file has", x.Type, DecodeName(x.Units), x.LowVCN)
		}
	}
	if names < 0 {
		return classf(ErrCorrupt, f.rec.N, "its attribute list names more names than the records of the file have")
	}
	return nil
}

// followList adds the extension records that the attribute list names.
func (f *File) followList(b *budget) {
	if !b.take(int64(f.v.boot.RecordSize)) {
		f.cutShort()
		return
	}
	var err error
	f.list, err = f.v.attributeList(f.rec, f.attrs)
	f.fail(err)
	if !b.take(int64(listEntrySize * len(f.list))) {
		f.cutShort()
		return
	}
	seen, failed := map[uint64]bool{f.rec.N: true}, 0
	for _, x := range f.list {
		n := x.Ref.Record()
		if seen[n] {
			continue
		}
		seen[n] = true
		if failed >= maxBadExt || !f.room(b) {
			break // bad tells the first of them, or why
		}
		if !f.loadExtension(x.Ref) {
			failed++
		}
	}
}

func (f *File) cutShort() {
	f.bad, f.cut, f.retry = errExtensions(f.rec.N), true, true
}

func (f *File) loadExtension(ref Ref) bool {
	ext, err := f.v.extension(f.rec, ref)
	if err != nil {
		f.fail(err)
		return false
	}
	f.exts = append(f.exts, ext)
	f.attrs, err = collect(f.attrs, ext)
	f.fail(err)
	return true
}

func (f *File) fail(err error) {
	if f.bad == nil && err != nil {
		f.bad = inRecord(err, f.rec.N)
	}
	f.retry = f.retry || err != nil && !errors.Is(err, ErrCorrupt)
}

// extension reads an extension record and checks that it belongs to base. Of a
// deleted file both have counted their sequence numbers up, and what refers to
// them was left as it was. A sequence number of 0 is not compared.
func (v *Volume) extension(base *Record, ref Ref) (*Record, error) {
	ext, err := v.Record(ref.Record())
	if errors.Is(err, ErrDeleted) { // which the file is not
		return nil, classf(ErrCorrupt, ref.Record(), "extension record is empty")
	}
	if err != nil {
		return nil, err
	}
	fits := func(rec *Record, ref Ref) bool {
		return ref.Seq() == 0 || rec.Seq() == ref.Seq() || !rec.InUse() && rec.Seq() == nextSeq(ref.Seq())
	}
	switch {
	case !fits(ext, ref) || ext.InUse() != base.InUse():
		return nil, classf(ErrCorrupt, ref.Record(), "extension record has been used anew")
	case ext.Base().Record() != base.N || !fits(base, ext.Base()):
		return nil, classf(ErrCorrupt, ref.Record(), "extension record does not belong to record %d", base.N)
	}
	return ext, nil
}

// nextSeq is the sequence number that a record has once its file was deleted.
func nextSeq(seq uint16) uint16 { return max(seq+1, 1) }

// lacks tells whether parts of the file are missing that its records speak of.
func (f *File) lacks() bool {
	in := f.Info()
	return in.lacks()
}

// seekExtensions adds what is in records that say to be extensions of the file, and to
// which its attribute list does not lead. What the file has already stays as it is.
func (f *File) seekExtensions(b *budget) {
	records := f.v.extensionsOf(f.rec.N)
	if len(records) == 0 {
		return
	}
	known, have := map[uint64]bool{}, map[attrKey]bool{}
	for _, ext := range f.exts {
		known[ext.N] = true
	}
	for _, a := range f.attrs {
		have[keyOf(a)] = true
	}
	for _, x := range records {
		if known[x.record()] {
			continue
		}
		if !f.room(b) {
			break
		}
		ext, err := f.v.Record(x.record())
		if err != nil || !ext.InUse() || ext.Base().Seq() != 0 && ext.Base() != f.Ref() {
			continue
		}
		f.exts = append(f.exts, ext)
		attrs, err := collect(nil, ext)
		f.fail(err)
		f.fail(classf(ErrCorrupt, f.rec.N, "its attribute list does not lead to its extension record %d", ext.N))
		for _, a := range attrs {
			if !have[keyOf(a)] {
				f.attrs = append(f.attrs, a)
			}
		}
	}
}

// room tells whether one more extension record may be read.
func (f *File) room(b *budget) bool {
	if len(f.exts)*f.v.boot.RecordSize >= maxExtRecords {
		f.fail(classf(ErrUnsupported, f.rec.N, "the file has more than %d MiB of extension records", maxExtRecords>>20))
		return false
	}
	if !b.take(int64(f.v.boot.RecordSize)) {
		f.cutShort()
		return false
	}
	return true
}

// attrKey is what a file has once.
type attrKey struct {
	t     AttrType
	low   int64
	units string // its name; of a $FILE_NAME all of it
}

func keyOf(a Attr) attrKey {
	if a.Type() == TypeFileName {
		return attrKey{TypeFileName, 0, string(a.Value())}
	}
	return attrKey{a.Type(), a.LowVCN(), string(a.NameUnits())}
}

// extension is a record that says to be one, below the record that it says it extends,
// which has 32 bits, as both have on real volumes.
type extension uint64

func (x extension) record() uint64 { return uint64(uint32(x)) }
func (x extension) base() uint64   { return uint64(x >> 32) }

// partOf is the hash of an extension record that a walk has met, and strikes out when it
// meets the file.
func partOf(ext, base uint64) uint64 {
	x := (ext<<32 ^ base) * 0x9E3779B97F4A7C15
	return (x ^ x>>29) * 0xBF58476D1CE4E5B9
}

// lostParts tells of files with extension records to which nothing leads; where a file is
// known to be damaged, they are found with it.
func (v *Volume) lostParts(b *budget) error {
	all, err := v.extended.search(v.seekAllExtensions)
	files, first := 0, uint64(0)
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].base() == all[0].base() {
			n++
		}
		if base := all[0].base(); v.hasLostParts(base, all[:n], b) {
			if files++; files == 1 {
				first = base
			}
		}
		all = all[n:]
	}
	if files > 0 {
		return classf(ErrCorrupt, first, "files with parts in records to which their attribute lists do not lead: %d, of which this is the first", files)
	}
	return err
}

func (v *Volume) hasLostParts(base uint64, records []extension, b *budget) bool {
	f, err := v.anyFile(base, b)
	if err != nil || f.ghost || f.bad != nil || !f.rec.InUse() {
		return false
	}
	known := map[uint64]bool{}
	for _, ext := range f.exts {
		known[ext.N] = true
	}
	return slices.ContainsFunc(records, func(x extension) bool {
		if known[x.record()] {
			return false
		}
		ext, err := v.Record(x.record())
		if err != nil || !ext.InUse() || ext.Base().Seq() != 0 && ext.Base() != f.Ref() {
			return false
		}
		for range ext.Attrs() {
			return true
		}
		return false // it is empty, and was left over
	})
}

// extensionsOf are the records that say to be extensions of record base. All of the MFT
// is searched for such, once.
func (v *Volume) extensionsOf(base uint64) []extension {
	if base > math.MaxUint32 {
		return nil
	}
	all, _ := v.extended.search(v.seekAllExtensions)
	from, _ := slices.BinarySearch(all, extension(base<<32))
	n, _ := slices.BinarySearch(all[from:], extension(base<<32|math.MaxUint32))
	return all[from : from+n]
}

func (v *Volume) seekAllExtensions() (all []extension, err error) {
	err = v.Scan(context.Background(), 0, func(n uint64, rec *Record, err error) error {
		if err != nil || !rec.InUse() || rec.Base() == 0 {
			return nil
		}
		base := rec.Base().Record()
		if max(base, n) > math.MaxUint32 {
			return nil
		}
		if len(all) == maxExtensions {
			return classf(ErrUnsupported, NoRecord, "the volume has more extension records than are searched for those of a damaged file")
		}
		all = append(all, extension(base<<32|n))
		return nil
	})
	if err != nil {
		v.note("%v.", err)
	}
	slices.Sort(all)
	return all, err
}
