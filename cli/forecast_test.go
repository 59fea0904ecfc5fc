package cli

import (
	"math"
	"testing"
	"time"

	"vitrine/capture"
)

// sim is a capture from a quick disk to a slow one, with a proof: what was taken
// runs ahead of what is written, waits for it when a trial is made, and then
// rushes on. Rates are bytes a second.
type sim struct {
	c       *clock
	m       *meter
	show    *captureShow
	source  float64
	disk    float64
	trial   float64 // what trials say of the disk
	total   int64
	taken   float64
	written float64
	told    []told
}

type told struct {
	at   time.Time
	left float64 // seconds
}

const (
	simTick  = 50 * time.Millisecond
	simAhead = 24 << 20
)

func (s *sim) run() {
	next, trial := float64(firstTrial), time.Duration(0)
	for s.written < float64(s.total) {
		most := min(s.written+simAhead, float64(s.total))
		s.taken = max(s.taken, min(s.taken+s.source*simTick.Seconds(), most))
		if trial > 0 { // nothing is written
			trial -= simTick
		} else {
			s.written = min(s.written+s.disk*simTick.Seconds(), s.taken)
		}
		if s.written >= next {
			next *= 2
			s.show.proof.read = s.trial
			trial = time.Duration(trialBytes / s.disk * float64(time.Second))
		}
		phase := capture.PhaseRead
		if int64(s.taken) == s.total {
			phase = capture.PhaseFinish
		}
		s.show.event(capture.Event{Phase: phase, Done: int64(s.taken), Total: s.total, Stored: int64(s.taken)})
		s.tick()
	}
	for read := 0.0; read < float64(s.total); read += s.disk * simTick.Seconds() {
		s.show.proving(verifyStep{word: "proving", done: int64(read), total: s.total})
		s.tick()
	}
}

const firstTrial = 16 << 20

func (s *sim) tick() {
	s.c.pass(simTick)
	if r := s.m.report(false); r.Remaining != nil {
		s.told = append(s.told, told{s.c.t, *r.Remaining})
	}
}

// TestProofAheadIsTrue looks that no remaining time is told that turns out
// wrong, and that some is told when the job is long.
func TestProofAheadIsTrue(t *testing.T) {
	for _, tt := range []struct {
		name         string
		total        int64
		source, disk float64
		trial        float64
		least        float64 // share of the job in which it is told
	}{
		{"short, quick to slow", 257 << 20, 60e6, 20e6, 20e6, 0.3},
		{"short, quick to slow, trials held up", 257 << 20, 60e6, 20e6, 16e6, 0.3},
		{"short, slow to quick", 257 << 20, 15e6, 400e6, 400e6, 0.5},
		{"long, quick to slow", 20 << 30, 60e6, 20e6, 20e6, 0.8},
		{"long, quick to slow, trials held up", 20 << 30, 60e6, 20e6, 16e6, 0.75},
		{"long, slow to quick", 20 << 30, 60e6, 400e6, 330e6, 0.9},
	} {
		c := &clock{time.Unix(1000, 0)}
		m := testMeter(c)
		s := &sim{c: c, m: m, show: &captureShow{m: m, proof: &forecast{}}, source: tt.source, disk: tt.disk, trial: tt.trial, total: tt.total}
		began := c.t
		s.run()
		for _, at := range s.told {
			if truth := c.t.Sub(at.at).Seconds(); math.Abs(at.left-truth) > 0.2*truth+0.3 {
				t.Errorf("%s: after %.1f s %.1f s left are told, %.1f s are true", tt.name, at.at.Sub(began).Seconds(), at.left, truth)
				break
			}
		}
		share := float64(len(s.told)) * simTick.Seconds() / c.t.Sub(began).Seconds()
		t.Logf("%s: told for %.0f %% of the time", tt.name, 100*share)
		if share < tt.least {
			t.Errorf("%s: told for %.0f %% of the time", tt.name, 100*share)
		}
	}
}
