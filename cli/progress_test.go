package cli

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func testMeter(c *clock) *meter {
	e, _, _ := testEnv()
	return &meter{env: e, now: c.now, stop: make(chan struct{})}
}

// TestRemainingIsTrue shows a steady source, counted in steps of many sizes,
// from 15 % on and compares the remaining time with what it then takes.
func TestRemainingIsTrue(t *testing.T) {
	const total = 10 << 30
	for _, tt := range []struct {
		name string
		rate float64       // bytes a second
		step time.Duration // between two reports
	}{
		{"fine steps, quick", total / 7, 10 * time.Millisecond},
		{"fine steps", total / 300, 50 * time.Millisecond},
		{"steps of seconds", total / 120, 3 * time.Second},
		{"very long", total / 90000, 700 * time.Millisecond},
		{"coarse and slow", total / 4000, 40 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) { steady(t, total, tt.rate, tt.step) })
	}
}

func steady(t *testing.T, total int64, rate float64, step time.Duration) {
	c := &clock{time.Unix(1000, 0)}
	m := testMeter(c)
	m.begin("reading", total)
	tick := time.Duration(float64(total)/rate*float64(time.Second)) / 997
	start, reported, shown := c.t, time.Duration(0), 0
	for {
		c.pass(tick)
		gone := c.t.Sub(start)
		if gone.Seconds()*rate >= float64(total) {
			break
		}
		for reported+step <= gone {
			reported += step
			at := *c
			c.t = start.Add(reported)
			m.at(int64(reported.Seconds()*rate), total, "x")
			c.t = at.t
		}
		r := m.report(false)
		if *r.Percent < 15 || r.Elapsed < sureAfter.Seconds() {
			continue
		}
		shown++
		truth := float64(total)/rate - gone.Seconds()
		if r.Remaining == nil {
			t.Fatalf("no remaining time at %d %%", *r.Percent)
		}
		if off := math.Abs(*r.Remaining - truth); off > 0.2*truth && off > step.Seconds() {
			t.Fatalf("at %d %% %.1f s left are shown, %.1f s are true", *r.Percent, *r.Remaining, truth)
		}
	}
	if shown < 100 {
		t.Fatalf("shown %d times only", shown)
	}
}

// TestQuickStart has the first 12 % come out of a cache at once.
func TestQuickStart(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := testMeter(c)
	const total, rate = 320 << 20, 20 << 20
	m.begin("reading", total)
	c.pass(50 * time.Millisecond)
	m.add(40 << 20)
	for m.done < total-rate {
		c.pass(200 * time.Millisecond)
		m.add(rate / 5)
		r := m.report(false)
		if *r.Percent < 15 || r.Elapsed < sureAfter.Seconds() {
			continue
		}
		if truth := float64(total-m.done) / rate; r.Remaining == nil || math.Abs(*r.Remaining-truth) > 0.2*truth {
			t.Fatalf("at %d %%: %v s left are shown, %.1f s are true", *r.Percent, *r.Remaining, truth)
		}
	}
}

func TestRateFollowsChange(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := testMeter(c)
	m.begin("reading", 1<<40)
	for range 60 {
		c.pass(time.Second)
		m.add(100 << 20)
	}
	for range 60 {
		c.pass(time.Second)
		m.add(10 << 20)
	}
	if r := m.report(false); r.Rate < 9<<20 || r.Rate > 13<<20 {
		t.Errorf("a minute after slowing down to 10 MiB/s the rate shown is %s/s", size(r.Rate))
	}
}

func TestStallShows(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := testMeter(c)
	m.begin("reading", 1<<30)
	for range 20 {
		c.pass(time.Second)
		m.add(10 << 20)
	}
	before := *m.report(false).Remaining
	c.pass(60 * time.Second)
	if after := *m.report(false).Remaining; after < 2*before {
		t.Errorf("after a stall of a minute the remaining time went from %.0f s to %.0f s", before, after)
	}
}

func TestNever100BeforeTheEnd(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	e, _, out := testEnv()
	e.json = true
	m := &meter{env: e, now: c.now, stop: make(chan struct{})}
	m.begin("reading", 1000)
	c.pass(2 * time.Second)
	m.add(999) // the total was an estimate
	m.show()
	m.finish()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var got []int
	for _, l := range lines {
		var r struct {
			Type    string
			Schema  int
			Percent int
			Done    int
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.Type != "progress" || r.Schema != jsonSchema {
			t.Fatalf("%v: %s", err, l)
		}
		if got = append(got, r.Percent); r.Percent == 100 && r.Done != 1000 {
			t.Errorf("at the end %d of 1000 are done", r.Done)
		}
	}
	if len(got) != 2 || got[0] != 99 || got[1] != 100 {
		t.Errorf("percentages %v, want 99 while working and 100 at the end", got)
	}
}

func TestLines(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	e, _, errs := testEnv()
	m := &meter{env: e, now: c.now, stop: make(chan struct{})}
	m.begin("reading", 100<<20)
	for range 10 {
		c.pass(time.Second)
		m.add(5 << 20)
		m.show()
	}
	want := "reading  25 %  25.0 MiB of 100 MiB  5.00 MiB/s  15 s left\nreading  50 %  50.0 MiB of 100 MiB  5.00 MiB/s  10 s left\n"
	if errs.String() != want {
		t.Errorf("without a terminal:\n%s\nwant:\n%s", errs, want)
	}
	e.ErrTerm = true
	errs.Reset()
	e.Width = func() int { return 30 }
	m.show()
	if got := errs.String(); got != "\rreading  50 %  50.0 MiB of 1…\x1b[K" {
		t.Errorf("on a terminal of 30 columns: %q", got)
	}
}

func TestNilMeter(t *testing.T) {
	var m *meter
	m.begin("x", 1)
	m.add(1)
	m.at(1, 2, "")
	m.name("")
	m.setTotal(2)
	m.abandon()
	m.finish()
}

// TestPartsAhead has a job of two parts whose paces differ: the time shown is
// that of both, before the second has begun and after.
func TestPartsAhead(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := testMeter(c)
	const half, first, second = 1000 << 20, 10 << 20, 50 << 20
	m.begin("capturing", 2*half)
	m.ahead(leg{bytes: half, pace: second})
	judge := func(truth float64) {
		t.Helper()
		r := m.report(false)
		if r.Remaining == nil || math.Abs(*r.Remaining-truth) > 0.05*truth+0.2 {
			t.Errorf("at %d %%: %v s left are shown, %.1f s are true", *r.Percent, r.Remaining, truth)
		}
	}
	for m.done < half {
		c.pass(time.Second)
		m.add(first)
		if m.done > 5*first {
			judge(float64(half-m.done)/first + half/second)
		}
	}
	m.step("proving", second)
	for m.done < 2*half-second {
		judge(float64(2*half-m.done) / second)
		c.pass(time.Second)
		m.add(second)
	}
}

// TestOpenEnd shows neither percent nor remaining time while more comes after.
func TestOpenEnd(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := testMeter(c)
	m.part("looking", 100<<20)
	for range 50 {
		c.pass(time.Second)
		m.add(2 << 20)
	}
	if r := m.report(false); r.Percent != nil || r.Remaining != nil || r.Total == 0 {
		t.Errorf("%+v", r)
	}
}
