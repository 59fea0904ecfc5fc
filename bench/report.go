//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type report struct {
	c       *config
	began   time.Time
	facts   []string
	results []*result
}

// write puts table and picture into the folder of results.
func (r *report) write() error {
	if err := os.MkdirAll(r.c.results, 0o755); err != nil {
		return err
	}
	base := filepath.Join(r.c.results, r.began.Format("2006-01-02"))
	if r.c.only.String() != "" {
		base = filepath.Join(r.c.work, "partial") // no whole run
	}
	if err := os.WriteFile(base+".md", []byte(r.text()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(base+".svg", []byte(picture(r.results)), 0o644)
}

func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks of %s\n\nScale %s, %d rounds; in each, every case of a task ran once. Written by `make bench`.\n\n", r.began.Format("2006-01-02"), r.c.scale, r.c.runs)
	for _, f := range r.facts {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(&b, "- load at the end: %s\nTimes are medians with their spread in brackets. \"Ratio\" is vitrine's figure over the other's,\nmedians of the rounds: below 1 is less time, CPU or space; for rates, above 1 is faster.\n", load)
	for _, res := range r.results {
		b.WriteString(res.table())
	}
	return b.String()
}

// table is one task's.
func (r *result) table() string {
	var b strings.Builder
	what := "time s"
	if r.task.rate != "" {
		what = r.task.rate
	}
	fmt.Fprintf(&b, "\n## %s\n\nGoal: %s.\n\n| %s | n | %s | ratio | CPU s | ratio | peak MB | stored MB | ratio |\n|---|---|---|---|---|---|---|---|---|\n", r.task.title, r.task.goal, r.task.id, what)
	for i := range r.task.cases {
		if len(r.samples[i]) > 0 {
			b.WriteString(r.row(i))
		}
	}
	for _, n := range r.notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return b.String()
}

func (r *result) row(i int) string {
	s := r.samples[i]
	out := func(s sample) float64 { return float64(s.out) / 1e6 }
	stored, ratio := "", ""
	if s[0].out > 0 {
		stored, ratio = fmt.Sprintf("%.1f", median(each(s, out))), r.ratio(i, out)
	}
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %s | %.0f | %s | %s |\n", strings.ReplaceAll(r.task.cases[i].name, "|", "\\|"), len(s),
		spread(each(s, r.task.figure)), r.ratio(i, r.task.figure), spread(each(s, r.task.cpu)), r.ratio(i, r.task.cpu),
		median(each(s, func(s sample) float64 { return float64(s.rss) / 1e6 })), stored, ratio)
}

// figure is what the task is about: the time, or the printed rate.
func (t task) figure(s sample) float64 {
	if t.rate == "" {
		return s.wall
	}
	if t.column < len(s.value) {
		return s.value[t.column]
	}
	return 0
}

// cpu is processor time; of rates that of a thousand reads or a GB.
func (t task) cpu(s sample) float64 {
	if f := t.figure(s) * s.wall; t.rate != "" && f > 0 {
		return s.cpu / f * 1000
	}
	return s.cpu
}

func each(list []sample, f func(sample) float64) (v []float64) {
	for _, s := range list {
		v = append(v, f(s))
	}
	return v
}

func spread(v []float64) string {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	return fmt.Sprintf("%s (%s–%s)", short(median(v)), short(lo), short(hi))
}

func short(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// against is the median of our figure over case i's, round by round.
func (r *result) against(i int, f func(sample) float64) (float64, bool) {
	var v []float64
	for k := range min(len(r.samples[0]), len(r.samples[i])) {
		if d := f(r.samples[i][k]); d > 0 {
			v = append(v, f(r.samples[0][k])/d)
		}
	}
	if i == 0 || len(v) == 0 {
		return 0, false
	}
	return median(v), true
}

func (r *result) ratio(i int, f func(sample) float64) string {
	v, ok := r.against(i, f)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f", v)
}
