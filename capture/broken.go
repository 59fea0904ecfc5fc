package capture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"

	"vitrine/index"
	"vitrine/internal/filelock"
)

// broken is the address space of a member without an index, over its parts.
// What cannot be read of it reads as zeros.
type broken struct {
	header *index.Header // of part 0, or of the first part there is
	parts  []brokenPart  // by address
	paths  []string
	size   int64
}

type brokenPart struct {
	header     *index.Header
	f          *os.File
	r          *faultReader
	start, end int64 // addresses
}

// openBroken opens all parts of the member that path is a part of, as far as
// they lie in the same folder.
func openBroken(path string) (*broken, error) {
	h, err := Identify(path)
	if err != nil {
		return nil, err
	}
	b := &broken{}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(path), e.Name())
		if p := partOf(name, h); p != nil {
			err = errors.Join(err, b.add(name, p))
		}
	}
	if len(b.parts) == 0 && err == nil {
		err = b.add(path, h) // under a name of another kind
	}
	if err == nil {
		err = b.join()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// partOf is the header of the file at path if it is a part of h's member, else
// nil. Files of other sets by their name are not looked into.
func partOf(path string, h *index.Header) *index.Header {
	if numberInName(filepath.Base(path), h.Set) < 0 {
		if p := headerOf(path); p == nil || p.UID != h.UID {
			return nil
		}
	}
	p, err := Identify(path)
	if err != nil || p.Set != h.Set || p.UID != h.UID {
		return nil
	}
	return p
}

// Identify gives the header of a member's part. If that is damaged, the plan
// that was written behind it tells the same, and the name which part it is.
func Identify(path string) (*index.Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, damage := index.ReadHeader(f)
	if damage == nil {
		return h, nil
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if h, err := index.PlannedHeader(f, st.Size()); err == nil {
		return h, nil
	}
	if h, err := placed(path, f, st.Size()); err == nil {
		return h, nil
	}
	return nil, fmt.Errorf("%s: %w", path, damage)
}

// placed identifies a further part whose header is damaged, with the help of
// part 0.
func placed(path string, f *os.File, size int64) (*index.Header, error) {
	m := furtherPart.FindStringSubmatch(path)
	if m == nil {
		return nil, index.ErrNotMember
	}
	number, err := strconv.ParseUint(m[2], 10, 16)
	if err != nil {
		return nil, err
	}
	for _, suffix := range []string{index.UnfinishedSuffix, index.Suffix} {
		if first, err := Identify(m[1] + suffix); err == nil {
			return index.PlacedHeader(f, size, first, uint16(number))
		}
	}
	return nil, index.ErrNotMember
}

// furtherPart is the name of a part other than the first: "…ID-0003-02.vtr".
var furtherPart = regexp.MustCompile(`^(.*[0-9A-Fa-f]{16}-[0-9]{4,10})-([0-9]{2,5})\.[^/\\]+$`)

func (b *broken) add(path string, h *index.Header) error {
	if filelock.Held(path) {
		return fmt.Errorf("%s: %w", path, ErrWriting)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	p := brokenPart{header: h, f: f, start: h.PartStart, end: st.Size()}
	if h.Part > 0 {
		p.end = h.PartStart + st.Size() - index.HeaderSize
	}
	p.r = newFaultReader(fileSource{f, st.Size()}, index.Align)
	b.parts, b.paths = append(b.parts, p), append(b.paths, path)
	return nil
}

type fileSource struct {
	*os.File
	size int64
}

func (s fileSource) Size() int64 { return s.size }

// join puts the parts in order and refuses a member that is finished.
func (b *broken) join() error {
	sort.Sort(byAddress{b})
	last := &b.parts[len(b.parts)-1]
	if st, err := last.f.Stat(); err == nil {
		if _, err := index.ReadTail(last.f, st.Size()); err == nil {
			return fmt.Errorf("%s: %w", b.paths[len(b.paths)-1], ErrFinished)
		}
	}
	b.header, b.size = b.parts[0].header, min(last.end, math.MaxInt64/2)
	for i := range b.parts[:len(b.parts)-1] {
		b.parts[i].end = min(b.parts[i].end, b.parts[i+1].start)
	}
	return nil
}

type byAddress struct{ *broken }

func (s byAddress) Len() int           { return len(s.parts) }
func (s byAddress) Less(i, j int) bool { return s.parts[i].start < s.parts[j].start }
func (s byAddress) Swap(i, j int) {
	s.parts[i], s.parts[j] = s.parts[j], s.parts[i]
	s.paths[i], s.paths[j] = s.paths[j], s.paths[i]
}

// ReadAt reads addresses of the member.
func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for i := range b.parts {
		q := &b.parts[i]
		e := clip(extent{Off: off, Len: int64(len(p))}, q.start, q.end)
		if e.Len == 0 {
			continue
		}
		piece := p[e.Off-off:][:e.Len]
		bad, err := q.r.fill(context.Background(), piece, q.header.FileOffset(e.Off), nil)
		if err != nil {
			return 0, err
		}
		for _, x := range bad {
			clear(piece[x.Off-q.header.FileOffset(e.Off):][:x.Len])
		}
	}
	return len(p), nil
}

func (b *broken) close() {
	for _, p := range b.parts {
		p.f.Close()
	}
}
