package reader

import (
	"os"

	"vitrine/index"
)

// Missing lists the members that the point needs and of which files are not
// there, or not as long as they should be; Err tells what is missing. Only the
// folders are listed and the files' sizes compared: a file is opened where that
// leaves doubt. What comes to its place later is found by reads all the same.
func (p *Point) Missing() (list []Member) {
	if p.enter() != nil {
		return nil
	}
	defer p.leave()
	sizes := p.find.sizes()
	for i := range p.members {
		m := &p.members[i]
		if m.whole() || sizes[m.Number] == m.Length {
			continue
		}
		if d := p.describe(m); d.Err != nil {
			list = append(list, d)
			m.forget()
		}
	}
	return list
}

// sizes are the lengths of the set's members by the names and sizes of the
// files in the folders; none where two files claim to be the same part.
func (f *finder) sizes() map[uint32]int64 {
	type part struct {
		number uint32
		part   int64
	}
	seen, sizes := map[part]bool{}, map[uint32]int64{}
	for _, dir := range f.dirs {
		entries, _ := os.ReadDir(dir) // what cannot be listed holds nothing that is known
		for _, e := range entries {
			set, number, num, ok := index.ParseName(e.Name())
			if !ok || set != f.set {
				continue
			}
			info, err := e.Info()
			if p := (part{number, num}); err != nil || seen[p] {
				sizes[number] = -1 << 62
			} else {
				seen[p] = true
			}
			if err == nil {
				sizes[number] += info.Size() - headerOf(num)
			}
		}
	}
	return sizes
}

// headerOf is how much of a part has no addresses.
func headerOf(part int64) int64 {
	if part > 0 {
		return index.HeaderSize
	}
	return 0
}

// whole is complete for those who do not hold the lock.
func (m *member) whole() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.complete()
}

// forget has the next read look for the files again.
func (m *member) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.searched = false
}
