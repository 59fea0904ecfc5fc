package ntfsparse

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math/bits"
)

// DeletedFile is a file that was deleted and whose record is still there.
type DeletedFile struct {
	Ref Ref
	// Path is the best that is known: "/$Orphan-N/…" where folder N is gone, and
	// "/$Nameless-N" of a file that has contents and no name any more.
	Path string
	Name FileName
	Info *Info // valid until visit returns
	// Clusters is the number of clusters that its contents had, Free how
	// many of them nobody uses now. Contents can be recovered where the two
	// are equal. Shared of them other deleted files had, too, so that what is
	// in them may be theirs.
	Clusters, Free, Shared int64
	Err                    error // why these are not known
}

// Recoverable tells whether nothing of the file has been given to others.
func (d *DeletedFile) Recoverable() bool { return d.Err == nil && d.Free == d.Clusters }

// Deleted visits every deleted file and folder whose record still has a name or
// contents, in the order of the MFT, until visit returns an error. Where $Bitmap cannot be
// read, that is the Err of every file that has clusters.
func (v *Volume) Deleted(ctx context.Context, visit func(*DeletedFile) error) error {
	w, err := v.deletedWalk(ctx)
	if err != nil {
		return err
	}
	w.paths = v.newPathCache()
	err = v.Scan(ctx, FirstUser, func(n uint64, rec *Record, err error) error {
		if err != nil || rec.InUse() || rec.Base() != 0 {
			return nil
		}
		if d, ok := w.file(n); ok {
			return visit(d)
		}
		return nil
	})
	return cmp.Or(err, w.paths.extensions.err())
}

type deletedWalk struct {
	v      *Volume
	window bitWindow
	blind  error // why there is no bitmap
	claims *claims
	sums   *freeSums
	paths  *pathCache
	gone   map[Ref]foundPath // deleted folders; names counts those that are gone
	bytes  int               // of their paths
}

func (v *Volume) deletedWalk(ctx context.Context) (*deletedWalk, error) {
	c, err := v.claims(ctx)
	if err != nil {
		return nil, err
	}
	bitmap, err := v.clusterBitmap()
	return &deletedWalk{v: v, window: bitWindow{s: bitmap}, blind: err, claims: c}, nil
}

// maxGoneDepth is how many deleted folders a path has at most.
const maxGoneDepth = 64

func (w *deletedWalk) file(n uint64) (*DeletedFile, bool) {
	f, err := w.v.anyFile(n, w.paths.extensions)
	if err != nil {
		return nil, false
	}
	in := f.Info()
	d := &DeletedFile{Ref: f.Ref(), Info: &in}
	switch name, ok := f.mainName(); {
	case ok:
		d.Name, d.Path = name, w.path(name, 0).path
	case in.Size > 0 && !in.IsDir:
		d.Path = fmt.Sprintf("/$Nameless-%d", n)
	default:
		return nil, false
	}
	d.Err = w.count(d, f)
	return d, true
}

// path goes up through folders that exist or are deleted themselves, as long
// as their sequence numbers fit.
func (w *deletedWalk) path(name FileName, depth int) foundPath {
	up, ok := w.paths.find(name.Parent)
	up.names = 0
	if !ok {
		up = w.folder(name.Parent, depth)
	}
	return foundPath{path: up.path + "/" + name.Name(), names: up.names + 1}
}

// folder is the path of a folder that was deleted.
func (w *deletedWalk) folder(ref Ref, depth int) foundPath {
	if p, ok := w.gone[ref]; ok {
		return p
	}
	p := foundPath{path: fmt.Sprintf("/$Orphan-%d", ref.Record())}
	f, err := w.v.anyFile(ref.Record(), w.paths.extensions)
	if err == nil && depth < maxGoneDepth && f.IsDir() && sameOrNext(ref.Seq(), f) {
		if up, ok := f.mainName(); ok {
			if full := w.path(up, depth+1); full.names <= maxGoneDepth {
				p = full
			}
		}
	}
	if w.bytes += len(p.path) + 64; w.gone == nil || w.bytes > maxPathBytes {
		w.gone, w.bytes = map[Ref]foundPath{}, len(p.path)
	}
	w.gone[ref] = p
	return p
}

// sameOrNext: deleting a record counts its sequence number up.
func sameOrNext(seq uint16, f *File) bool {
	return !f.rec.InUse() && (f.rec.Seq() == seq || f.rec.Seq() == nextSeq(seq))
}

// count adds up the clusters of a file's contents.
func (w *deletedWalk) count(d *DeletedFile, f *File) error {
	if f.IsDir() {
		return nil
	}
	sum := *d
	for _, name := range f.contentStreams() {
		s, err := f.Stream(name)
		if err == nil {
			err = w.countStream(&sum, s)
		}
		if err != nil {
			return err
		}
	}
	*d = sum
	return nil
}

// contentStreams are the streams that a file's contents are read from.
func (f *File) contentStreams() []string {
	if in := f.Info(); in.Tag == TagWOF {
		return []string{"", wofStream}
	}
	return []string{""}
}

func (w *deletedWalk) countStream(d *DeletedFile, s *Stream) error {
	switch {
	case s.bad != nil || s.runs == nil:
		return s.bad
	case s.runs.End() <= (s.size-1)>>w.v.geo.shift:
		return s.beyond() // an extension record has been used anew
	}
	clusters := int64(0)
	for i := range s.runs.Len() {
		r := s.runs.At(i)
		if r.LCN == Hole {
			continue
		}
		if w.blind != nil {
			return w.blind
		}
		if clusters += r.Len; clusters > w.v.geo.clusters {
			return classf(ErrCorrupt, s.file.Record(), "stream %q has more clusters than the volume", s.name)
		}
		n, err := w.free(r.LCN, r.LCN+r.Len)
		if err != nil {
			return err
		}
		d.Free += min(n, r.Len-w.claims.taken.count(r.LCN, r.Len)) // $Bitmap may be wrong
		d.Shared += w.claims.shared.count(r.LCN, r.Len)
	}
	d.Clusters += clusters
	return nil
}

// free counts the clusters in [from, to) that are free. Deleted files may have lain
// upon each other: once they had four times the volume's clusters together, it is
// found out by sums, however long they are.
func (w *deletedWalk) free(from, to int64) (int64, error) {
	if w.window.looked += to - from; w.window.looked <= 4*w.v.geo.clusters {
		return w.window.clear(from, to)
	}
	if w.sums == nil {
		w.sums = w.window.freeSums(w.v.geo.clusters)
	}
	const page = windowBytes * 8
	first, last := (from+page-1)/page, to/page // whole pages
	if first >= last {
		return w.window.clear(from, to)
	}
	n, err := w.sums.between(first, last)
	if err != nil {
		return 0, err
	}
	head, err := w.window.clear(from, first*page)
	if err != nil {
		return 0, err
	}
	tail, err := w.window.clear(last*page, to)
	return head + n + tail, err
}

// freeSums has, for each page of a bitmap, the clear bits in all pages before it.
type freeSums struct {
	clear []int64
	bad   []int32 // pages before it that cannot be read
	err   error   // why the first of them cannot
}

func (w *bitWindow) freeSums(clusters int64) *freeSums {
	const page = windowBytes * 8
	pages := clusters / page
	s := &freeSums{clear: make([]int64, pages+1), bad: make([]int32, pages+1)}
	for i := range pages {
		s.bad[i+1] = s.bad[i]
		n, err := w.clear(i*page, (i+1)*page)
		if err != nil {
			s.bad[i+1]++
			s.err = cmp.Or(s.err, err)
		}
		s.clear[i+1] = s.clear[i] + n
	}
	return s
}

// between counts the clear bits in the pages [from, to).
func (s *freeSums) between(from, to int64) (int64, error) {
	if s.bad[from] != s.bad[to] {
		return 0, s.err
	}
	return s.clear[to] - s.clear[from], nil
}

// clear counts the clear bits in [from, to).
func (w *bitWindow) clear(from, to int64) (int64, error) {
	n := int64(0)
	for from < to {
		page, err := w.page(from / (windowBytes * 8))
		if err != nil {
			return 0, err
		}
		in := from % (windowBytes * 8)
		end := min(in+to-from, windowBytes*8)
		n += clearBits(page, in, end)
		from += end - in
	}
	return n, nil
}

// clearBits counts the clear bits in [from, to).
func clearBits(b []byte, from, to int64) (n int64) {
	for from < to {
		end := min(to, (from/64+1)*64)
		word := ^loadWord(b[from/64*8:]) >> (from & 63) << (64 - (end - from))
		n += int64(bits.OnesCount64(word))
		from = end
	}
	return n
}

// OpenDeleted opens the contents that the deleted file ref had. It fails when
// the record has been used anew, and with ErrNotCaptured when any cluster of
// it belongs to another file by now.
func (v *Volume) OpenDeleted(ref Ref) (*Stream, error) {
	f, err := v.deletedFile(ref)
	if err != nil {
		return nil, err
	}
	for _, name := range f.contentStreams() {
		s, err := f.Stream(name)
		if err == nil {
			err = v.stillFree(s)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.Open()
}

// OpenDeletedStream is OpenDeleted for a named stream.
func (v *Volume) OpenDeletedStream(ref Ref, name string) (*Stream, error) {
	f, err := v.deletedFile(ref)
	if err != nil {
		return nil, err
	}
	s, err := f.Stream(name)
	if err != nil {
		return nil, err
	}
	return s, v.stillFree(s)
}

// DeletedStreams lists the data streams that the deleted file ref had, see
// [File.Streams].
func (v *Volume) DeletedStreams(ref Ref) ([]StreamInfo, error) {
	f, err := v.deletedFile(ref)
	if err != nil {
		return nil, err
	}
	return f.Streams(), nil
}

func (v *Volume) deletedFile(ref Ref) (*File, error) {
	f, err := v.anyFile(ref.Record(), nil)
	if err != nil {
		return nil, err
	}
	if f.rec.InUse() || ref.Seq() != 0 && f.rec.Seq() != ref.Seq() {
		return nil, &Error{Class: fs.ErrNotExist, What: "record is not that deleted file's", Record: f.rec.N, Off: -1}
	}
	return f, nil
}

// stillFree fails when other files have taken clusters of a deleted one's stream.
func (v *Volume) stillFree(s *Stream) error {
	w, err := v.deletedWalk(context.Background())
	if err != nil {
		return err
	}
	var d DeletedFile
	if err = w.countStream(&d, s); err == nil && !d.Recoverable() {
		err = classf(ErrNotCaptured, s.file.Record(), "%d of %d clusters of the deleted file belong to others", d.Clusters-d.Free, d.Clusters)
	}
	return err
}
