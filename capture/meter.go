package capture

import (
	"sync"
	"time"

	"vitrine/index"
)

// meter reports progress several times a second.
type meter struct {
	report func(Event)

	mu   sync.Mutex
	ev   Event
	hold int64 // bytes not shown as done before everything is finished
	quit chan struct{}
	done chan struct{}
}

const (
	reportEvery = 200 * time.Millisecond
	// holdBack is what Done stays below Total until all is synced and named.
	holdBack = 1 << 20
)

func newMeter(report func(Event)) *meter {
	m := &meter{report: report, ev: Event{Phase: PhasePlan}, quit: make(chan struct{}), done: make(chan struct{})}
	if report == nil {
		close(m.done)
		return m
	}
	report(m.ev)
	go m.run()
	return m
}

func (m *meter) run() {
	defer close(m.done)
	t := time.NewTicker(reportEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			m.tell()
		case <-m.quit:
			return
		}
	}
}

func (m *meter) tell() {
	if m.report == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ev := m.ev
	ev.Done = max(min(ev.Done, ev.Total-m.hold), 0)
	m.report(ev)
}

// phase begins a phase.
func (m *meter) phase(p Phase, change func(*Event)) {
	m.mu.Lock()
	m.ev.Phase, m.ev.Item = p, ""
	if change != nil {
		change(&m.ev)
	}
	m.hold = min(holdBack, m.ev.Total/100+1)
	switch p {
	case PhaseVerify, PhaseDone:
		m.hold, m.ev.Done = 0, m.ev.Total
	}
	m.mu.Unlock()
	m.tell()
}

func (m *meter) item(s string) {
	m.mu.Lock()
	m.ev.Item = s
	m.mu.Unlock()
}

// add counts n bytes more, of which s tells what became.
func (m *meter) add(n int64, s *index.Stats) {
	m.mu.Lock()
	m.ev.Done += n
	m.ev.Stored, m.ev.Changed, m.ev.Data, m.ev.Unreadable = s.Stored, s.Changed, s.Changed+s.Same, s.Unreadable
	m.mu.Unlock()
}

// stop ends the reporting; nothing is reported once it has returned.
func (m *meter) stop() {
	if m.report != nil {
		close(m.quit)
		<-m.done
		m.report = nil
	}
}
