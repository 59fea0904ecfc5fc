package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// How often progress is told.
const (
	redrawEvery = 200 * time.Millisecond // on a terminal
	jsonEvery   = time.Second
	lineEvery   = 5 * time.Second // neither terminal nor JSON
	sureAfter   = 2 * time.Second // of a phase, before the remaining time is told
)

// meter measures and shows the progress of one command: the bytes done of a
// total known beforehand, by phase. It never shows 100 % before finish. Its
// methods are safe for parallel use; a nil meter shows nothing.
type meter struct {
	env  *env
	now  func() time.Time
	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	phase  string
	item   string
	done   int64
	total  int64 // 0: not known
	rate   rateWindow
	start  time.Time // of the phase
	from   int64     // done when the phase began
	pace   float64   // expected of the phase until it is measured, bytes a second; 0: none
	later  []leg     // what of total comes after the phase
	lumps  float64   // seconds by which done may be ahead of the work or behind it
	more   bool      // something comes after it that is not in total
	told   time.Time // last line or object
	drawn  bool      // a status line stands on the terminal
	closed bool
}

// leg is a later part of a job, with a pace of its own.
type leg struct {
	bytes  int64   // of the job's total
	pace   float64 // bytes a second that are expected; 0: as at present
	unsure float64 // share of the time by which that may be wrong
}

// trueWithin is the share by which a remaining time that is told may be wrong.
const trueWithin = 0.2

// progress starts a meter, or returns nil when none is wanted. The caller must
// finish or abandon it.
func (e *env) progress() *meter {
	if e.quiet {
		return nil
	}
	m := &meter{env: e, now: time.Now, stop: make(chan struct{})}
	e.meter = m
	m.wg.Go(m.loop)
	return m
}

func (m *meter) loop() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.show()
		}
	}
}

// begin starts a phase of total bytes; 0: the total is not known.
func (m *meter) begin(phase string, total int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.phase, m.item, m.done, m.total = phase, "", 0, total
	m.start, m.rate = now, rateWindow{}
	m.from, m.pace, m.later, m.lumps, m.more = 0, 0, nil, 0, false
	m.rate.add(now, 0)
	if m.told.IsZero() {
		m.told = now
	}
}

// step goes on to the next part of the same job: what is done and the total
// stay, the rate is measured anew. Until it is, the part is expected to go at
// pace bytes a second; 0: nothing is expected. No later parts remain.
func (m *meter) step(phase string, pace float64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.phase, m.item, m.start, m.rate = phase, "", now, rateWindow{}
	m.from, m.pace, m.later, m.lumps = m.done, pace, nil, 0
	m.rate.add(now, m.done)
}

// ahead tells what of the total comes after the part at hand.
func (m *meter) ahead(later ...leg) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.later = later
}

// lumpy tells that what is done comes in lumps: it may be ahead of the work or
// behind it by so many seconds.
func (m *meter) lumpy(seconds float64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lumps = seconds
}

// part starts a phase of total bytes after which others come, nobody knows how
// long: neither percent nor remaining time are told.
func (m *meter) part(phase string, total int64) {
	m.begin(phase, total)
	if m != nil {
		m.mu.Lock()
		m.more = true
		m.mu.Unlock()
	}
}

// add counts n more bytes done.
func (m *meter) add(n int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.move(m.done + n)
}

// at says that done bytes of total are done, and what is being worked on.
func (m *meter) at(done, total int64, item string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total, m.item = total, item
	m.move(done)
}

func (m *meter) move(done int64) {
	if done == m.done {
		return
	}
	m.done = done
	m.rate.add(m.now(), done)
}

// word renames the phase; what is done and the rate stay.
func (m *meter) word(phase string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phase = phase
}

// name says what is being worked on.
func (m *meter) name(item string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.item = item
}

// setTotal tells a total that was found out meanwhile.
func (m *meter) setTotal(total int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total = total
}

// finish stops the meter after everything is done, synced and proven.
func (m *meter) finish() { m.end(true) }

// abandon stops the meter when the work failed. After finish it does nothing.
func (m *meter) abandon() { m.end(false) }

func (m *meter) end(complete bool) {
	if m == nil || m.closed {
		return
	}
	m.closed = true
	close(m.stop)
	m.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
	if complete && m.total > 0 {
		m.done = m.total
	}
	if complete && m.env.json && m.phase != "" {
		m.env.tell("progress", m.report(true))
	}
	m.env.meter = nil
}

// above runs print with the status line out of its way.
func (m *meter) above(print func()) {
	if m == nil {
		print()
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
	print()
}

func (m *meter) erase() {
	if m.drawn {
		fmt.Fprint(m.env.Err, "\r\x1b[K")
		m.drawn = false
	}
}

// progressReport is one report of progress. Sizes are bytes.
type progressReport struct {
	Phase     string   `json:"phase"`
	Item      string   `json:"item,omitempty"`
	Done      int64    `json:"done"`
	Total     int64    `json:"total,omitempty"`
	Percent   *int     `json:"percent,omitempty"`
	Rate      int64    `json:"rate,omitempty"` // a second
	Remaining *float64 `json:"remaining_seconds,omitempty"`
	Elapsed   float64  `json:"elapsed_seconds"`
}

func (m *meter) report(complete bool) progressReport {
	now := m.now()
	r := progressReport{Phase: m.phase, Item: m.item, Done: m.done, Total: m.total, Elapsed: now.Sub(m.start).Seconds()}
	rate := m.rate.perSecond(now)
	r.Rate = int64(rate)
	if m.total > 0 && !m.more || complete {
		p := percent(m.done, m.total, complete)
		r.Percent = &p
	}
	if left, ok := m.remaining(now, rate); ok && !complete {
		s := left.Seconds()
		r.Remaining = &s
	}
	return r
}

// percent is rounded down, and 100 only when all is complete.
func percent(done, total int64, complete bool) int {
	if complete {
		return 100
	}
	return int(min(99, 100*float64(done)/float64(total)))
}

// remaining is the time until all of the job is done; none is told while it may
// be far off.
func (m *meter) remaining(now time.Time, rate float64) (time.Duration, bool) {
	if m.total <= 0 || m.more {
		return 0, false
	}
	left, after, off := m.total-m.done, 0.0, 0.0
	for _, l := range m.later {
		left -= l.bytes
		if l.pace <= 0 {
			l.pace = rate
		}
		after += float64(l.bytes) / l.pace
		off += float64(l.bytes) / l.pace * l.unsure
	}
	here, ok := m.here(now, float64(left), rate)
	here = max(here, 0)
	if m.lumps > 0 && here > 0 {
		off += here * m.lumps / m.rate.seconds()
	}
	return time.Duration((here + after) * float64(time.Second)), ok && off <= trueWithin*(here+after)
}

// here is the time that the part at hand still takes, in seconds.
func (m *meter) here(now time.Time, left, rate float64) (float64, bool) {
	switch {
	case rate > 0 && m.done > m.from && now.Sub(m.start) >= sureAfter:
		return left/rate - m.rate.sinceChange(now).Seconds(), true
	case m.pace > 0:
		return left/m.pace - m.rate.sinceChange(now).Seconds(), true
	}
	return 0, false
}

// show tells the state, if it is time to.
func (m *meter) show() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phase == "" {
		return
	}
	switch now := m.now(); {
	case m.env.json:
		if now.Sub(m.told) >= jsonEvery {
			m.told = now
			m.env.tell("progress", m.report(false))
		}
	case m.env.ErrTerm:
		fmt.Fprint(m.env.Err, "\r", clip(m.line(), m.env.width()-1), "\x1b[K")
		m.drawn = true
	case now.Sub(m.told) >= lineEvery:
		m.told = now
		fmt.Fprintln(m.env.Err, m.line())
	}
}

func (m *meter) line() string {
	r := m.report(false)
	var b strings.Builder
	b.WriteString(r.Phase)
	if r.Percent != nil {
		fmt.Fprintf(&b, "  %d %%  %s of %s", *r.Percent, size(r.Done), size(r.Total))
	} else if r.Total > 0 {
		fmt.Fprintf(&b, "  %s of %s", size(r.Done), size(r.Total))
	} else if r.Done > 0 {
		fmt.Fprintf(&b, "  %s", size(r.Done))
	}
	if r.Rate > 0 {
		fmt.Fprintf(&b, "  %s/s", size(r.Rate))
	}
	if r.Remaining != nil {
		fmt.Fprintf(&b, "  %s left", span(time.Duration(*r.Remaining*float64(time.Second)).Round(time.Second)))
	}
	if r.Item != "" {
		fmt.Fprintf(&b, "  %s", printable(r.Item))
	}
	return b.String()
}

// clip cuts s to n columns, taking each character for one.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// rateWindow takes the rate from what was done lately: in the last third of
// the time so far, at most rateSpan. So neither a cache that makes the first
// seconds quick nor a stall long ago spoils it. Samples are taken where the
// count changed, so that a source that counts in large steps is measured from
// step to step.
type rateWindow struct {
	samples []rateSample // ascending in time
	first   time.Time
}

type rateSample struct {
	t    time.Time
	done int64
}

const (
	rateSpan    = time.Minute // looked back at most
	rateSteps   = 3           // at least so many steps are looked at
	rateSamples = 256         // kept
)

func (w *rateWindow) add(t time.Time, done int64) {
	if len(w.samples) == 0 {
		w.first = t
	}
	spacing := min(rateSpan, t.Sub(w.first)/3) / (rateSamples / 2)
	if n := len(w.samples); n > 2 && w.samples[n-1].t.Sub(w.samples[n-2].t) < spacing {
		w.samples[n-1] = rateSample{t, done}
		return
	}
	w.samples = append(w.samples, rateSample{t, done})
	if len(w.samples) > rateSamples {
		w.samples = w.samples[1:]
	}
}

// span gives the first and the last sample that the rate is taken from.
func (w *rateWindow) span() (a, b rateSample, steps int) {
	n := len(w.samples)
	b = w.samples[n-1]
	back := min(rateSpan, b.t.Sub(w.first)/3)
	i := max(n-1-rateSteps, 0)
	for i > 0 && b.t.Sub(w.samples[i].t) < back {
		i--
	}
	return w.samples[i], b, n - 1 - i
}

// seconds is the time that the rate is taken from.
func (w *rateWindow) seconds() float64 {
	a, b, _ := w.span()
	return b.t.Sub(a.t).Seconds()
}

// perSecond is the rate in bytes a second; 0 while it is not known.
func (w *rateWindow) perSecond(now time.Time) float64 {
	if len(w.samples) < 2 || now.Sub(w.first) < time.Second/2 {
		return 0
	}
	a, b, _ := w.span()
	d := now.Sub(a.t) - w.sinceChange(now)
	if d <= 0 {
		return 0
	}
	return float64(b.done-a.done) / d.Seconds()
}

// sinceChange is the time since the last step, unless the source seems to have
// stalled: then it is 0, and the rate sinks.
func (w *rateWindow) sinceChange(now time.Time) time.Duration {
	if len(w.samples) < 2 {
		return 0
	}
	a, b, steps := w.span()
	since := now.Sub(b.t)
	if since > 2*b.t.Sub(a.t)/time.Duration(steps) {
		return 0
	}
	return since
}
