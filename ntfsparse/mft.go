package ntfsparse

// openMFTAt opens $MFT by the copy of record 0 at lcn; partly: as far as its run
// list goes.
func (v *Volume) openMFTAt(lcn int64, partly bool) error {
	rec, err := v.recordAt(lcn, 0)
	if err != nil {
		return err
	}
	attrs, _ := collect(nil, rec)
	data := extentsOf(attrs, TypeData, "")
	if len(data) == 0 || data[0].Resident() {
		return classf(ErrCorrupt, 0, "$MFT has no contents")
	}
	v.mftMap = mftMap{}
	if v.mft, err = v.newStream(rec.Ref(), data); err != nil {
		return err
	}
	v.mft.cached = true
	if partly && v.mft.runs.Len() == 0 {
		v.mft.bad = inRecord(v.mapMFT(data[0], rec), 0)
	}
	if v.mft.runs.Len() == 0 {
		return v.mft.beyond()
	}
	v.records = uint64(v.mft.valid) / uint64(v.boot.RecordSize)
	v.extendMFT(rec, attrs)
	v.capRecords()
	return nil
}

// mapMFT appends an extent of $MFT. One with a damaged run list is used as far
// as it goes if records have numbers, so that none is taken for another.
func (v *Volume) mapMFT(a Attr, rec *Record) error {
	runs := v.mft.runs
	err := runs.addExtent(a, v.geo)
	if err != nil && rec.numbered() && !a.Resident() && a.LowVCN() == runs.end {
		before := runs.end
		runs.decodeExtent(a, v.geo)
		runs.cut(min(a.HighVCN(), v.geo.maxVCN()) + 1)
		v.unsure = v.unsure || runs.end > before
	}
	return err
}

// recordAt reads file record n of a table that begins at lcn and is in one
// piece that far.
func (v *Volume) recordAt(lcn int64, n uint64) (*Record, error) {
	b := make([]byte, v.boot.RecordSize)
	if lcn < 0 || lcn >= v.geo.maxVCN()>>1 {
		return nil, corrupt("file record lies beyond the volume", -1)
	}
	if err := v.readPages(b, lcn<<v.geo.shift+int64(n)*int64(len(b))); err != nil {
		return nil, err
	}
	rec := new(Record)
	err := v.parseRecord(rec, n, b)
	switch {
	case err != nil:
		return nil, inRecord(err, n)
	case !rec.InUse():
		return nil, classf(ErrDeleted, n, "the record of a metafile is not in use")
	}
	return rec, nil
}

// parseRecord decodes what is in the place of record n. A record in use must be
// that one, if it says which it is.
func (v *Volume) parseRecord(rec *Record, n uint64, b []byte) error {
	if err := rec.parse(n, b); err != nil || !rec.InUse() {
		return err
	}
	switch {
	case rec.numbered() && rec.OwnNumber() != uint32(n):
		return classf(ErrCorrupt, n, "the record in its place is that of record %d", rec.OwnNumber())
	case v.unsure && !rec.numbered():
		return classf(ErrCorrupt, n, "the record does not say which it is, and the run list of $MFT is damaged")
	}
	return nil
}

// extendMFT adds the extents of $MFT that its attribute list names.
func (v *Volume) extendMFT(rec *Record, attrs []Attr) {
	list, err := v.attributeList(rec, attrs)
	if err == nil {
		err = v.addExtents(rec, list)
	}
	if v.mft.bad == nil {
		v.mft.bad = err
	}
	whole := func() bool { return v.mft.runs.End() > (v.mft.valid-1)>>v.geo.shift }
	switch {
	case whole():
	case v.seekExtents(rec) && whole():
		v.mft.bad = nil
	default:
		v.mft.bad = v.mft.beyond()
	}
}

// seekExtents adds extents of $MFT that its attribute list does not lead to, from records
// that say to be its extensions. Those are among the first of all.
func (v *Volume) seekExtents(base *Record) bool {
	const most = 1 << 16
	at := map[int64]uint64{} // records by the first VCN of what they have
	mapped := func() uint64 { return uint64(v.mft.runs.End()<<v.geo.shift) / uint64(v.boot.RecordSize) }
	for n := uint64(1); n < min(v.records, mapped(), most); n++ {
		ext, err := v.Record(n)
		if err != nil || !ext.InUse() || ext.Base() != base.Ref() {
			continue
		}
		for a, err := range ext.Attrs() {
			if err == nil && !a.Resident() && a.is(TypeData, "") {
				at[a.LowVCN()] = n
				break // a record has one
			}
		}
		for v.addFrom(at[v.mft.runs.End()]) {
			v.sought = true
		}
	}
	return v.sought
}

// addFrom adds the extent of $MFT in extension record n that begins where the map ends.
func (v *Volume) addFrom(n uint64) bool {
	if n == 0 {
		return false
	}
	ext, err := v.Record(n)
	if err != nil {
		return false
	}
	end := v.mft.runs.End()
	for a, err := range ext.Attrs() {
		if err == nil && !a.Resident() && a.is(TypeData, "") && a.LowVCN() == end {
			v.mapMFT(a, ext)
			break
		}
	}
	return v.mft.runs.End() > end
}

func (v *Volume) addExtents(rec *Record, list []ListEntry) (bad error) {
	for _, e := range list {
		if e.Type != TypeData || len(e.Units) > 0 || e.Ref.Record() == 0 || e.LowVCN < v.mft.runs.End() {
			continue
		}
		ext, err := v.extension(rec, e.Ref)
		if err != nil {
			return err
		}
		attrs, damage := collect(nil, ext)
		extents := extentsOf(attrs, TypeData, "")
		if len(extents) == 0 && bad == nil {
			bad = damage
		}
		for _, a := range extents {
			if err := v.mapMFT(a, ext); err != nil && bad == nil {
				bad = inRecord(err, ext.N)
			}
		}
	}
	return bad
}

// capRecords keeps the number of records within what the runs map and the
// device can hold.
func (v *Volume) capRecords() {
	mapped := uint64(v.mft.runs.End()<<v.geo.shift) / uint64(v.boot.RecordSize)
	v.records = min(v.records, mapped, uint64(v.size)/uint64(v.boot.RecordSize), orphanBit)
}

// Record reads file record n, in use or not. Where a system file's record
// is damaged its copy in the mirror is taken: Windows keeps the others in it as they were formatted.
func (v *Volume) Record(n uint64) (*Record, error) {
	b := make([]byte, v.boot.RecordSize)
	rec := &Record{}
	return rec, v.readRecord(rec, n, b)
}

// parseInPlace is parseRecord for a record where the map has it.
func (v *Volume) parseInPlace(rec *Record, n uint64, b []byte) error {
	if n == RecordMFT && v.copied {
		return classf(ErrCorrupt, n, "its map of the MFT does not lead to the file records")
	}
	return v.parseRecord(rec, n, b)
}

// readRecord reads record n into b.
func (v *Volume) readRecord(rec *Record, n uint64, b []byte) error {
	if n >= v.records {
		return classf(ErrCorrupt, n, "file record lies beyond the MFT")
	}
	err := v.mft.readRuns(b, int64(n)*int64(len(b)))
	if err == nil {
		err = v.parseInPlace(rec, n, b)
	}
	if err != nil && n < min(v.mirrored(), FirstUser) {
		if m, merr := v.recordAt(v.boot.Mirror, n); merr == nil {
			v.note("File record %d is damaged; its copy in $MFTMirr was used.", n)
			*rec, err = *m, nil
		}
	}
	return inRecord(err, n)
}

// mirrored is the number of records that the mirror holds: four, or a cluster
// full.
func (v *Volume) mirrored() uint64 {
	return max(4, uint64(v.boot.ClusterSize)/uint64(v.boot.RecordSize))
}
