package ntfsparse

import "slices"

// InfoReader reads the information of many files, as one listing needs it, in the order
// of the disk.
type InfoReader struct {
	v          *Volume
	mft        Stream
	extensions *budget
	first      uint64 // a piece of the MFT, as long as the records wanted lie close together
	buf        []byte // from record first on
	room       []byte
	one        []byte
	last       Info // of the last file in several records
	err        error
}

// InfoReader begins a listing.
func (v *Volume) InfoReader() *InfoReader {
	r := &InfoReader{v: v, mft: *v.mft, extensions: v.extensionBudget()}
	r.mft.cached = false
	return r
}

// Infos is one [InfoReader.Read].
func (v *Volume) Infos(refs []Ref, visit func(i int, in *Info, err error)) {
	v.InfoReader().Read(refs, visit)
}

// Read calls visit once for each of refs, in any order, with its place. What Info holds
// of the record is valid until visit returns. The error is of class ErrUnsupported once
// the files named so far have, each time they are named, more extension records
// than are read for a listing.
func (r *InfoReader) Read(refs []Ref, visit func(i int, in *Info, err error)) {
	order := make([]int, len(refs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(int64(refs[a].Record()), int64(refs[b].Record())) })
	var in Info
	for k, i := range order {
		r.cover(refs, order[k:])
		visit(i, &in, r.info(refs[i], &in))
	}
	r.buf, r.last = nil, Info{}
}

const (
	windowSize = 64 << 10
	windowGap  = 4 << 10 // bytes between records that are rather read than left out
)

// cover reads the records of order from its first on, unless they are there.
func (r *InfoReader) cover(refs []Ref, order []int) {
	size := uint64(r.v.boot.RecordSize)
	n := refs[order[0]].Record()
	if n >= r.v.records || n >= r.first && n-r.first < uint64(len(r.buf))/size {
		return
	}
	end := n + 1
	for _, i := range order[1:] {
		next := refs[i].Record()
		if next >= r.v.records || next+1 > n+windowSize/size || next > end+windowGap/size {
			break
		}
		end = next + 1
	}
	if r.room == nil {
		r.room, r.one = make([]byte, max(windowSize, size)), make([]byte, size)
	}
	r.first, r.buf = n, r.room[:(end-n)*size]
	if r.mft.readRuns(r.buf, int64(n*size)) != nil {
		r.buf = nil // each record will be read alone
	}
}

// info reads the information of the file that ref names.
func (r *InfoReader) info(ref Ref, in *Info) error {
	if r.last.file != nil && r.last.file.Ref() == ref {
		*in = r.last
		return r.err
	}
	var rec Record
	*in = Info{}
	if err := r.record(&rec, ref.Record()); err != nil {
		return err
	}
	if err := baseInUse(&rec); err != nil {
		return err
	}
	if ref.Seq() != 0 && ref.Seq() != rec.Seq() {
		return classf(ErrDeleted, rec.N, "the record has been used anew since")
	}
	err := r.v.infoOf(&rec, in, r.extensions)
	if in.file != nil {
		r.last, r.err = *in, err
	}
	return err
}

func (r *InfoReader) record(rec *Record, n uint64) error {
	size := uint64(r.v.boot.RecordSize)
	if r.one == nil {
		r.one = make([]byte, size)
	}
	if n >= r.first && n-r.first < uint64(len(r.buf))/size {
		copy(r.one, r.buf[(n-r.first)*size:])
		if r.v.parseInPlace(rec, n, r.one) == nil {
			return nil
		}
	}
	return r.v.readRecord(rec, n, r.one)
}
