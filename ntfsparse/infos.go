package ntfsparse

import "slices"

// Infos reads the information of many files in the order of the disk, and
// calls visit once for each with its place in refs. What Info holds of the
// record is valid until visit returns.
func (v *Volume) Infos(refs []Ref, visit func(i int, in *Info, err error)) {
	order := make([]int, len(refs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(int64(refs[a].Record()), int64(refs[b].Record())) })
	w := recordWindow{v: v, mft: *v.mft}
	w.mft.cached = false
	var in Info
	for k, i := range order {
		w.cover(refs, order[k:])
		visit(i, &in, w.info(refs[i], &in))
	}
}

// recordWindow holds a piece of the MFT, as long as the records wanted lie
// close together.
type recordWindow struct {
	v     *Volume
	mft   Stream
	first uint64
	buf   []byte // from record first on
	room  []byte
	one   []byte
}

const (
	windowSize = 64 << 10
	windowGap  = 4 << 10 // bytes between records that are rather read than left out
)

// cover reads the records of order from its first on, unless they are there.
func (w *recordWindow) cover(refs []Ref, order []int) {
	size := uint64(w.v.boot.RecordSize)
	n := refs[order[0]].Record()
	if n >= w.v.records || n >= w.first && n-w.first < uint64(len(w.buf))/size {
		return
	}
	end := n + 1
	for _, i := range order[1:] {
		next := refs[i].Record()
		if next >= w.v.records || next+1 > n+windowSize/size || next > end+windowGap/size {
			break
		}
		end = next + 1
	}
	if w.room == nil {
		w.room, w.one = make([]byte, max(windowSize, size)), make([]byte, size)
	}
	w.first, w.buf = n, w.room[:(end-n)*size]
	if w.mft.readRuns(w.buf, int64(n*size)) != nil {
		w.buf = nil // each record will be read alone
	}
}

// info reads the information of the file that ref names.
func (w *recordWindow) info(ref Ref, in *Info) error {
	var rec Record
	*in = Info{}
	if err := w.record(&rec, ref.Record()); err != nil {
		return err
	}
	if err := baseInUse(&rec); err != nil {
		return err
	}
	if ref.Seq() != 0 && ref.Seq() != rec.Seq() {
		return classf(ErrDeleted, rec.N, "the record has been used anew since")
	}
	return w.v.infoOf(&rec, in)
}

func (w *recordWindow) record(rec *Record, n uint64) error {
	size := uint64(w.v.boot.RecordSize)
	if w.one == nil {
		w.one = make([]byte, size)
	}
	if n >= w.first && n-w.first < uint64(len(w.buf))/size {
		copy(w.one, w.buf[(n-w.first)*size:])
		if w.v.parseRecord(rec, n, w.one) == nil {
			return nil
		}
	}
	return w.v.readRecord(rec, n, w.one)
}
