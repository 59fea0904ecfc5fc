package ntfsparse

import (
	"context"
	"errors"
	"slices"
)

// Extent is a range of bytes of the device.
type Extent struct{ Off, Len int64 }

// maxExtra bounds the runs that $Bitmap lacks and UsedExtents remembers.
const maxExtra = 1 << 18

// UsedExtents yields, sorted and not touching each other, the ranges of the
// device that a copy of the volume needs: the clusters that $Bitmap marks and
// those that files have without a mark, the boot sectors and the MFT mirror.
// Clusters of which the bitmap cannot be read are among them. Memory is bounded:
// the bitmap is read in pieces. What was found wrong is in [Volume.Notes]
// afterwards.
func (v *Volume) UsedExtents(ctx context.Context, yield func(Extent) bool) error {
	bitmap, err := v.clusterBitmap()
	if err != nil {
		v.note("The bitmap of clusters cannot be read (%v); everything counts as used.", err)
		yield(Extent{0, v.size})
		return nil
	}
	extra, err := v.unmarked(ctx, bitmap)
	if errors.Is(err, errTooMany) {
		v.note("Files have very many clusters of which the bitmap does not say that they are used, or share very many; everything counts as used.")
		yield(Extent{0, v.size})
		return nil
	}
	if err != nil {
		return err
	}
	return v.mergeUsed(ctx, bitmap, v.withFixed(extra), yield)
}

var errTooMany = errors.New("too many runs")

// unmarked scans the MFT for runs with clusters that the bitmap lacks, or of which it
// cannot be read.
func (v *Volume) unmarked(ctx context.Context, bitmap *Stream) ([]Extent, error) {
	var extra []Extent
	bits := patientBits{s: bitmap, unread: clearPage} // of what cannot be read, all that files have counts
	window := bitWindow{s: bitmap, r: &bits}
	files, bad := 0, 0
	err := v.Scan(ctx, 0, func(n uint64, rec *Record, err error) error {
		if err != nil {
			bad++
			return nil
		}
		if !rec.InUse() {
			return nil
		}
		before := len(extra)
		err = v.unmarkedOf(rec, &window, &extra)
		if len(extra) > before {
			files++
		}
		return err
	})
	switch {
	case files > 0 && bits.first != nil:
		v.note("%d files have clusters that the bitmap marks as free, or of which it cannot be read; they count as used.", files)
	case files > 0:
		v.note("%d files have clusters that the bitmap marks as free; they count as used.", files)
	}
	if bad > 0 {
		v.note("%d file records cannot be read.", bad)
	}
	return extra, err
}

func (v *Volume) unmarkedOf(rec *Record, window *bitWindow, extra *[]Extent) error {
	for a, err := range rec.Attrs() {
		if err != nil || a.Resident() || rec.N == RecordBadClus && len(a.NameUnits()) > 0 {
			continue
		}
		if err := v.unmarkedRuns(a, window, extra); err != nil {
			return err
		}
	}
	return nil
}

func (v *Volume) unmarkedRuns(a Attr, window *bitWindow, extra *[]Extent) error {
	var bad error
	DecodeRuns(a.RunList(), a.LowVCN(), v.geo.maxVCN(), func(r Run) bool {
		if r.LCN == Hole || r.LCN > v.geo.clusters-r.Len {
			return true
		}
		if window.looked += r.Len; window.looked > 4*v.geo.clusters {
			bad = errTooMany // they lie upon each other
			return false
		}
		var all bool
		if all, bad = window.allSet(r.LCN, r.LCN+r.Len); bad == nil && !all {
			*extra = append(*extra, Extent{r.LCN << v.geo.shift, r.Len << v.geo.shift})
		}
		if len(*extra) > maxExtra {
			bad = errTooMany
		}
		return bad == nil
	})
	return bad
}

// withFixed adds what every copy needs, whatever the bitmap says, and sorts.
func (v *Volume) withFixed(extra []Extent) []Extent {
	sector := int64(v.boot.SectorSize)
	tail := v.geo.clusters << v.geo.shift // behind the last whole cluster
	end := int64(v.boot.TotalSectors+1) * sector
	extra = append(extra,
		Extent{0, 16 * sector},
		Extent{v.boot.Mirror << v.geo.shift, int64(v.mirrored()) * int64(v.boot.RecordSize)},
		Extent{v.boot.MFT << v.geo.shift, 16 * int64(v.boot.RecordSize)},
		Extent{tail, end - tail},
		Extent{v.size - sector, sector})
	if v.boot.Mirror < 0 || v.boot.Mirror >= v.geo.clusters {
		extra = slices.Delete(extra, len(extra)-4, len(extra)-3)
	}
	slices.SortFunc(extra, func(a, b Extent) int { return compare(a.Off, b.Off) })
	return extra
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mergeUsed joins the bitmap's runs with the sorted extra ones.
func (v *Volume) mergeUsed(ctx context.Context, bitmap *Stream, extra []Extent, yield func(Extent) bool) error {
	m := merger{limit: v.size, yield: yield}
	bits := patientBits{s: bitmap, unread: setPage}
	err := usedRuns(ctx, &bits, v.geo.clusters, func(from, to int64) bool {
		off := from << v.geo.shift
		for len(extra) > 0 && extra[0].Off <= off {
			m.add(extra[0])
			extra = extra[1:]
		}
		m.add(Extent{off, (to - from) << v.geo.shift})
		return !m.stopped
	})
	if err != nil {
		return err
	}
	if bits.first != nil {
		v.note("%d bytes of the bitmap of clusters cannot be read (%v); the clusters that they stand for count as used.", bits.bytes, bits.first)
	}
	for _, e := range extra {
		m.add(e)
	}
	m.flush()
	return nil
}

// merger joins extents that come sorted by their beginning.
type merger struct {
	cur     Extent
	limit   int64
	stopped bool
	yield   func(Extent) bool
}

func (m *merger) add(e Extent) {
	e.Off = max(e.Off, 0)
	e.Len = min(e.Len, m.limit-e.Off)
	if e.Len <= 0 || m.stopped {
		return
	}
	if m.cur.Len > 0 && e.Off <= m.cur.Off+m.cur.Len {
		m.cur.Len = max(m.cur.Len, e.Off+e.Len-m.cur.Off)
		return
	}
	m.flush()
	m.cur = e
}

func (m *merger) flush() {
	if m.cur.Len > 0 && !m.stopped {
		m.stopped = !m.yield(m.cur)
	}
	m.cur = Extent{}
}

// StreamExtents is one data stream of a file and where on the device it lies.
type StreamExtents struct {
	Name     string // "" for the unnamed one
	Size     int64  // bytes
	Resident bool   // in the file's record, so that Ext is empty
	Ext      []Extent
}

// FileExtents gives, for each data stream of the named file or folder, the ranges
// of the device that hold nothing but its contents, in the order of the stream. It
// fails when they are not all known: with [ErrCorrupt], and with
// [ErrUnsupported] on deduplicated files, whose contents lie elsewhere.
func (v *Volume) FileExtents(path string) (list []StreamExtents, err error) {
	f, err := v.Lookup(path)
	if err != nil {
		return nil, err
	}
	if in := f.Info(); in.Tag == TagDedup {
		return nil, classf(ErrUnsupported, f.rec.N, "contents are in the deduplication store")
	}
	if f.bad != nil {
		return nil, f.bad
	}
	for _, in := range f.Streams() {
		s, err := f.Stream(in.Name)
		if err == nil {
			err = s.bad
		}
		if err != nil {
			return nil, err
		}
		list = append(list, StreamExtents{s.name, s.size, s.Resident(), s.extents()})
	}
	return list, nil
}

// extents are the clusters of the stream's own.
func (s *Stream) extents() (ext []Extent) {
	if s.runs == nil {
		return nil
	}
	for i := range s.runs.Len() {
		if r := s.runs.At(i); r.LCN != Hole {
			ext = append(ext, Extent{r.LCN << s.v.geo.shift, r.Len << s.v.geo.shift})
		}
	}
	return ext
}
