package overlay

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// loader reads the map of a named overlay. Every slot may be named once, so
// that the work is bounded by the length of the file.
type loader struct {
	s      *paged
	log    *commits
	leaves []*leaf
	slots  int64 // pages of the file
}

func (l *loader) load(roots []entry) error {
	copy(l.log.levels[2], roots)
	for level := 2; level > 0; level-- {
		if err := l.nodes(level); err != nil {
			return err
		}
	}
	for i, e := range l.log.levels[0] {
		if err := l.leaf(i, e); err != nil {
			return err
		}
	}
	l.s.scanEnd = l.s.next
	return nil
}

// nodes fills the level below from the pages of this one.
func (l *loader) nodes(level int) error {
	below := l.log.levels[level-1]
	for i, e := range l.log.levels[level] {
		if e.slot == inBase {
			continue
		}
		b, err := l.page(e)
		if err != nil {
			return err
		}
		copy(below[i*nodeFan:], getEntries(b, nodeFan))
	}
	return nil
}

func (l *loader) leaf(i int, e entry) error {
	switch e.slot {
	case inBase:
		return nil
	case zeroPage:
		l.leaves[i] = zeroLeaf
		return nil
	case holePage:
		l.leaves[i] = holeLeaf
		return nil
	}
	b, err := l.page(e)
	if err != nil {
		return err
	}
	m := new(leaf)
	for k := range m {
		m[k] = slot(binary.LittleEndian.Uint32(b[4*k:]))
		if m[k] < firstSlot {
			continue
		}
		if err := l.claim(m[k]); err != nil {
			return err
		}
		l.s.pages++
	}
	l.leaves[i] = m
	return nil
}

// page reads a map page and proves it.
func (l *loader) page(e entry) ([]byte, error) {
	if e.slot < firstSlot {
		return nil, fmt.Errorf("%w: a map page in slot %d", ErrCorrupt, e.slot)
	}
	if err := l.claim(e.slot); err != nil {
		return nil, err
	}
	b := make([]byte, pageSize)
	if err := l.s.readAt(b, e.slot, 0); err != nil {
		return nil, fmt.Errorf("%w: map page in slot %d: %v", ErrCorrupt, e.slot, err)
	}
	if crc32.Checksum(b, castagnoli) != e.crc {
		return nil, fmt.Errorf("%w: checksum of the map page in slot %d", ErrCorrupt, e.slot)
	}
	return b, nil
}

func (l *loader) claim(s slot) error {
	if int64(s) >= l.slots {
		return fmt.Errorf("%w: slot %d lies beyond the end of the file", ErrCorrupt, s)
	}
	if !l.s.taken.add(s) {
		return fmt.Errorf("%w: slot %d is used twice", ErrCorrupt, s)
	}
	l.s.next = max(l.s.next, s+1)
	return nil
}
