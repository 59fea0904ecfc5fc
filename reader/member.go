package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"sync"

	"vitrine/index"
)

// member is one member of a point's chain and the files that hold it.
type member struct {
	*index.MemberEntry
	dir uint32 // number of its directory in the pool

	mu       sync.Mutex
	parts    []part // in order, as far as they were found
	searched bool   // every place was looked at
	found    string // what was found where it should have been
	fault    error  // of the system, while searching
}

// part is a file of a member and the addresses that lie in it.
type part struct {
	path       string
	num        int
	start, end int64 // addresses
	shift      int64 // from address to file offset
	rotten     error // what is wrong with the header
}

func partOf(h *head, length int64) part {
	return part{h.path, int(h.Part), h.PartStart, min(h.end(), length), h.FileOffset(h.PartStart) - h.PartStart, h.rotten}
}

// place is a range of a file.
type place struct {
	path string
	off  int64
}

// finder looks for the files of a point's members: by the names they should
// have, then by the headers of all files in the folders.
type finder struct {
	files  *handles
	dirs   []string
	set    index.ImageID
	prefix string

	mu    sync.Mutex
	heads map[index.UID][]*head // by header, once scanned
	stage int                   // folders scanned: 1 by name, 2 every file
}

// read fills b from address addr of m. It also says where that is.
func (f *finder) read(m *member, b []byte, addr int64) (place, error) {
	_, at, err := f.readAny(m, b, addr, len(b), viaCache)
	return at, err
}

// way is how stored bytes are read.
type way uint8

const (
	viaCache  way = iota // through the system's cache
	pastCache            // past it
	pastAwake            // past it, without sleeping until the disk has them
)

// readAny reads n bytes from address addr of m to somewhere in buf, which has
// directRoom bytes more if they may be read past the system's cache.
func (f *finder) readAny(m *member, buf []byte, addr int64, n int, w way) (b []byte, at place, err error) {
	if addr < 0 || addr > m.Length || int64(n) > m.Length-addr {
		return nil, at, fmt.Errorf("member %d: bytes %d to %d are behind its end (%w)", m.Number, addr, addr+int64(n), index.ErrCorrupt)
	}
	p, err := f.locate(m, addr, int64(n))
	if err != nil {
		return nil, at, err
	}
	at = place{p.path, addr + p.shift}
	err = f.files.use(p.path, func(fl file) error {
		if d, ok := fl.(directReader); ok && w != viaCache {
			if b, ok = d.readDirect(buf, at.off, n, w == pastAwake); ok {
				return nil
			}
		}
		b = buf[:n]
		n, err := fl.ReadAt(b, at.off)
		if n == len(b) {
			return nil
		}
		if err == nil || err == io.EOF {
			return fmt.Errorf("the file ends inside (%w)", index.ErrCorrupt)
		}
		return err
	})
	return b, at, err
}

// locate finds the part that holds n bytes at addr.
func (f *finder) locate(m *member, addr, n int64) (part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.holds(addr, n); ok {
		return p, nil
	}
	if !m.searched && !m.complete() {
		if err := f.search(m); err != nil {
			return part{}, err
		}
	}
	if p, ok := m.holds(addr, n); ok {
		return p, nil
	}
	return part{}, f.lost(m, addr)
}

// holds gives the known part that holds n bytes at addr.
func (m *member) holds(addr, n int64) (part, bool) {
	i := sort.Search(len(m.parts), func(i int) bool { return m.parts[i].start > addr }) - 1
	if i < 0 {
		return part{}, false
	}
	p := m.parts[i]
	return p, addr < p.end && n <= p.end-addr
}

// where is holds for those who do not hold the lock.
func (m *member) where(addr int64) (part, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holds(addr, 1)
}

// complete says whether the known parts cover the address space.
func (m *member) complete() bool {
	at := int64(0)
	for i, p := range m.parts {
		if p.num != i || p.start != at {
			return false
		}
		at = p.end
	}
	return len(m.parts) > 0 && at == m.Length
}

// search looks everywhere for the files of m. An error is one of the system;
// the next read searches again.
func (f *finder) search(m *member) error {
	m.fault = nil
	f.byName(m)
	for stage := 1; stage <= 2 && !m.complete(); stage++ {
		heads, err := f.scan(stage, m.UID)
		if err != nil {
			return err
		}
		for _, h := range heads {
			f.take(m, h)
		}
	}
	if !m.complete() && m.fault != nil {
		return m.fault
	}
	m.searched = true
	return nil
}

// byName tries the names that the parts should have.
func (f *finder) byName(m *member) {
	for num := 0; !m.complete(); num++ {
		for _, dir := range f.dirs {
			for _, name := range nameHints(f.prefix, f.set, m.Number, num) {
				f.try(m, filepath.Join(dir, name), num)
			}
		}
		if i := m.partAt(num); i == len(m.parts) || m.parts[i].num != num {
			return
		}
	}
}

// partAt is where part num stands in m.parts, or would.
func (m *member) partAt(num int) int {
	return sort.Search(len(m.parts), func(i int) bool { return m.parts[i].num >= num })
}

// try takes the file at path, if it is a part of m.
func (f *finder) try(m *member, path string, num int) {
	h, err := readHead(f.files, path)
	switch {
	case err == nil:
		f.take(m, h)
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, index.ErrNotMember), errors.Is(err, index.ErrUnfinished), errors.Is(err, index.ErrUnsupported), errors.Is(err, index.ErrCorrupt):
		m.found = err.Error()
		f.takeRotten(m, path, num, err)
	default:
		m.fault = err
	}
}

// takeRotten takes a part whose header is damaged by its name alone, if the
// parts in front of it are known. What is read of it is proved all the same.
func (f *finder) takeRotten(m *member, path string, num int, rot error) {
	i, start := m.partAt(num), int64(0)
	if num > 0 && (i != num || m.parts[i-1].num != num-1) || (i < len(m.parts) && m.parts[i].num == num) {
		return
	}
	p := part{path: path, num: num, rotten: rot}
	if num > 0 {
		start = m.parts[i-1].end
		p.shift = index.HeaderSize - start
	}
	if e, ok := errors.AsType[*index.FormatError](rot); ok {
		p.rotten = e // without the path
	}
	f.files.use(path, func(fl file) error {
		size, err := fl.Size()
		if p.start, p.end = start, min(size-p.shift, m.Length); err == nil && p.end > p.start && likelyPart(fl, rot) {
			m.parts = slices.Insert(m.parts, i, p)
			m.clip()
		}
		return nil
	})
}

// likelyPart says whether a file with a bad header may be a part: it begins
// like a member, or its first record stands where it should.
func likelyPart(fl file, rot error) bool {
	if !errors.Is(rot, index.ErrNotMember) {
		return !errors.Is(rot, index.ErrUnfinished)
	}
	var b [4]byte
	n, _ := fl.ReadAt(b[:], index.HeaderSize)
	return n == len(b) && string(b[:]) == "VREC"
}

// take adds a file to the parts of m, if it is one. Of two copies the longer
// one is kept.
func (f *finder) take(m *member, h *head) {
	if h.Set != f.set || h.UID != m.UID || h.Number != m.Number {
		m.found = fmt.Sprintf("%s belongs to image %s, member %d, UID %s", h.path, h.Set, h.Number, h.UID)
		return
	}
	p := partOf(h, m.Length)
	i := m.partAt(p.num)
	switch {
	case p.end <= p.start:
	case i == len(m.parts) || m.parts[i].num != p.num:
		m.parts = slices.Insert(m.parts, i, p)
	case p.end > m.parts[i].end, m.parts[i].rotten != nil && p.rotten == nil:
		m.parts[i] = p
	}
	m.clip()
}

// clip cuts what was appended to a part off where the next one begins.
func (m *member) clip() {
	for i := range len(m.parts) - 1 {
		p, next := &m.parts[i], m.parts[i+1]
		if next.num == p.num+1 {
			p.end = min(p.end, max(next.start, p.start))
		}
	}
}

// scan reads the headers of the folders' files, once for all members: at stage
// 1 of files named like members, at stage 2 of all.
func (f *finder) scan(stage int, uid index.UID) ([]*head, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.stage < stage {
		accept := looksLikeMember
		if f.stage == 1 {
			accept = func(name string) bool { return !looksLikeMember(name) }
		}
		for _, dir := range f.dirs {
			if err := f.scanDir(dir, accept); err != nil {
				return nil, err
			}
		}
		f.stage++
	}
	return f.heads[uid], nil
}

// scanDir adds the members in dir to f.heads. A folder that is not there holds
// none.
func (f *finder) scanDir(dir string, accept func(string) bool) error {
	heads, _, err := scanHeads(context.Background(), f.files, dir, accept)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, h := range heads {
		if f.heads == nil {
			f.heads = map[index.UID][]*head{}
		}
		f.heads[h.UID] = append(f.heads[h.UID], h)
	}
	return nil
}

// lost is the error for an address that no file holds: a missing part, or one
// that was cut short.
func (f *finder) lost(m *member, addr int64) error {
	miss := &MissingError{Set: f.set, Number: m.Number, UID: m.UID, Created: m.Time(), Part: -1,
		Name: FileName(f.prefix, f.set, m.Number, 0), Dirs: f.dirs, Found: m.found}
	if m.Root == (index.Hash{}) { // below a salvage
		miss.Name = nameHints(f.prefix, f.set, m.Number, 0)[1]
	}
	if len(m.parts) == 0 {
		return miss
	}
	i := sort.Search(len(m.parts), func(i int) bool { return m.parts[i].start > addr }) - 1
	if i < 0 {
		miss.Part = 0
		return miss
	}
	p := m.parts[i]
	if i+1 < len(m.parts) && m.parts[i+1].num == p.num+1 || (p.end+p.shift)%index.Align != 0 {
		return &DamageError{p.path, p.end + p.shift, m.Number, -1, -1, fmt.Errorf("the file was cut short here (%w)", index.ErrCorrupt)}
	}
	miss.Part, miss.Name = p.num+1, FileName(f.prefix, f.set, m.Number, p.num+1)
	miss.Found = fmt.Sprintf("or %s was cut short at byte %d", p.path, p.end+p.shift)
	return miss
}
