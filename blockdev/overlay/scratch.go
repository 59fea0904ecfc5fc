package overlay

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"syscall"

	"vitrine/blockdev"
)

const arenaBytes = 1 << 20 // memory is taken in pieces of this size

// file is what the stores need of an os.File; tests make it fail.
type file interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
	Close() error
}

// scratch is the store of a throw-away overlay: the first slots lie in memory,
// the others in a temporary file that is made when it is first needed.
type scratch struct {
	memory int64 // bytes; a multiple of arenaBytes
	limit  int64 // bytes; 0: none
	arena  []atomic.Pointer[[arenaBytes]byte]
	open   func() (file, error) // makes the temporary file
	file   atomic.Pointer[file]

	mu    sync.Mutex
	next  slot
	spare []slot
	inUse int64 // bytes
}

func newScratch(o Options) *scratch {
	memory := o.Memory
	if memory == 0 {
		memory = 64 << 20
	}
	memory = max(0, memory) / arenaBytes * arenaBytes
	return &scratch{
		memory: memory, limit: o.Limit, next: firstSlot,
		arena: make([]atomic.Pointer[[arenaBytes]byte], memory/arenaBytes),
		open:  func() (file, error) { return tempFile(o.Dir) },
	}
}

func (s *scratch) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}

func (s *scratch) alloc() (slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit > 0 && s.inUse+pageSize > s.limit {
		return 0, fmt.Errorf("overlay: the limit of %d bytes is reached: %w", s.limit, blockdev.ErrNoSpace)
	}
	n, err := s.take()
	if err == nil {
		s.inUse += pageSize
	}
	return n, err
}

func (s *scratch) take() (slot, error) {
	if n := len(s.spare); n > 0 {
		last := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return last, nil
	}
	if s.next == math.MaxUint32 {
		return 0, fmt.Errorf("overlay: all slots are taken: %w", blockdev.ErrNoSpace)
	}
	if err := s.provide(s.pos(s.next)); err != nil {
		return 0, err
	}
	s.next++
	return s.next - 1, nil
}

// provide sees to it that there is something to write to at pos.
func (s *scratch) provide(pos int64) error {
	if pos < s.memory {
		if a := &s.arena[pos/arenaBytes]; a.Load() == nil {
			a.Store(new([arenaBytes]byte))
		}
		return nil
	}
	if s.file.Load() != nil {
		return nil
	}
	f, err := s.open()
	if err != nil {
		return fmt.Errorf("overlay: temporary file: %w", err)
	}
	s.file.Store(&f)
	return nil
}

func (s *scratch) free(n slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = append(s.spare, n)
	s.inUse -= pageSize
}

func (s *scratch) pos(n slot) int64 { return int64(n-firstSlot) * pageSize }

func (s *scratch) readAt(p []byte, n slot, in int) error {
	pos := s.pos(n) + int64(in)
	for len(p) > 0 && pos < s.memory {
		c := copy(p, s.arena[pos/arenaBytes].Load()[pos%arenaBytes:])
		p, pos = p[c:], pos+int64(c)
	}
	if len(p) == 0 {
		return nil
	}
	_, err := (*s.file.Load()).ReadAt(p, pos-s.memory)
	return err
}

func (s *scratch) writeAt(p []byte, n slot, in int) error {
	pos := s.pos(n) + int64(in)
	for len(p) > 0 && pos < s.memory {
		c := copy(s.arena[pos/arenaBytes].Load()[pos%arenaBytes:], p)
		p, pos = p[c:], pos+int64(c)
	}
	if len(p) == 0 {
		return nil
	}
	_, err := (*s.file.Load()).WriteAt(p, pos-s.memory)
	return spaceError(err)
}

// spaceError gives a full disk the class of a full overlay.
func spaceError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", err, blockdev.ErrNoSpace)
	}
	return err
}

func (s *scratch) close() error {
	if f := s.file.Load(); f != nil {
		return (*f).Close()
	}
	return nil
}
