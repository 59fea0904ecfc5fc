package device

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// part is a range of a source that is read elsewhere: from a snapshot, or from a
// volume where the disk itself has other bytes.
type part struct {
	off, len int64
	r        io.ReaderAt // its beginning is at off
	close    func() error
}

// parts are sorted and do not overlap.
type parts []part

// add puts a part in its place. One that overlaps another is refused.
func (ps *parts) add(p part) error {
	i, _ := slices.BinarySearchFunc(*ps, p.off, func(q part, off int64) int { return int(min(max(q.off-off, -1), 1)) })
	before := i > 0 && (*ps)[i-1].off+(*ps)[i-1].len > p.off
	after := i < len(*ps) && (*ps)[i].off < p.off+p.len
	if before || after || p.len <= 0 {
		return fmt.Errorf("two volumes overlap at byte %d", p.off)
	}
	*ps = slices.Insert(*ps, i, p)
	return nil
}

// readAt reads from the parts, and between them from rest.
func (ps parts) readAt(rest io.ReaderAt, p []byte, off int64) (done int, err error) {
	for done < len(p) && err == nil {
		at := off + int64(done)
		r, shift, n := ps.at(rest, at, int64(len(p)-done))
		var got int
		got, err = r.ReadAt(p[done:done+int(n)], at-shift)
		done += got
		if int64(got) == n { // an end of a part is not one of the source
			err = nil
		}
	}
	return done, err
}

// at finds who has the bytes from off on, where that one begins, and how many
// of n it has.
func (ps parts) at(rest io.ReaderAt, off, n int64) (io.ReaderAt, int64, int64) {
	for _, p := range ps {
		switch {
		case off < p.off:
			return rest, 0, min(n, p.off-off)
		case off < p.off+p.len:
			return p.r, p.off, min(n, p.off+p.len-off)
		}
	}
	return rest, 0, n
}

func (ps parts) close() (err error) {
	for _, p := range ps {
		if p.close != nil {
			err = errors.Join(err, p.close())
		}
	}
	return err
}
