package mount

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// defaultOpenPoints is how many unused points stay open.
const defaultOpenPoints = 16

// pointSet opens the points of a timeline when they are used and closes those
// that were not used for longest.
type pointSet struct {
	max int
	all []*point

	mu   sync.Mutex
	idle list.List // of *point: open, unused, the longest unused in front
}

// point is one folder of a timeline.
type point struct {
	number int
	when   time.Time
	open   func(context.Context) (*Tree, error)
	branch *branch

	opening sync.Mutex // held while open runs
	// The set's mutex guards these.
	tree  *Tree
	users int
	spot  *list.Element // in idle
}

func newPointSet(max int) *pointSet { return &pointSet{max: max} }

func (s *pointSet) add(when time.Time, open func(context.Context) (*Tree, error)) *point {
	p := &point{number: len(s.all) + 1, when: when, open: open}
	s.all = append(s.all, p)
	return p
}

func (s *pointSet) get(n int) *point {
	if n < 1 || n > len(s.all) {
		return nil
	}
	return s.all[n-1]
}

// acquire gives the point's tree, opened; release it after use.
func (s *pointSet) acquire(ctx context.Context, p *point) (*Tree, error) {
	if t := s.use(p); t != nil {
		return t, nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if t := s.use(p); t != nil { // somebody else was faster
		return t, nil
	}
	t, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.tree, p.users = t, 1
	return t, nil
}

// use takes an open point; nil when it is not open.
func (s *pointSet) use(p *point) *Tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.tree == nil {
		return nil
	}
	if p.spot != nil {
		s.idle.Remove(p.spot)
		p.spot = nil
	}
	p.users++
	return p.tree
}

func (s *pointSet) release(p *point) {
	old := s.rest(p)
	for _, t := range old {
		t.Close() // an image is only read: closing it cannot lose anything
	}
}

// rest puts the point down and returns the trees that are to be closed.
func (s *pointSet) rest(p *point) (old []*Tree) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.users--
	// A point with numbers from its table stays: they would not be the same
	// after opening it again.
	if p.users > 0 || p.tree.odd.used() {
		return nil
	}
	p.spot = s.idle.PushBack(p)
	for s.idle.Len() > s.max {
		q := s.idle.Remove(s.idle.Front()).(*point)
		old = append(old, q.tree)
		q.tree, q.spot = nil, nil
	}
	return old
}

func (s *pointSet) closeAll() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.all {
		if p.tree == nil {
			continue
		}
		if cerr := p.tree.Close(); err == nil {
			err = cerr
		}
		p.tree, p.spot = nil, nil
	}
	s.idle.Init()
	return err
}
