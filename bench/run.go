//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// task is one kind of work and who does it. The first case is ours.
type task struct {
	id, title, goal string
	cases           []kase
	rate            string // what a case's printed value counts; empty: time is measured
	column          int    // of the printed values
	alone           bool   // makes what it needs itself
}

// kase is one way to do the work. Its lines are bash in the work folder.
type kase struct {
	name  string
	needs string // programs, by space
	setup string // not measured; may start daemons
	line  string // measured
	clean string // not measured
	out   string // file or folder whose size is told
}

// sample is one run. Times are in seconds, sizes in bytes.
type sample struct {
	wall, cpu float64
	rss, out  int64
	value     []float64
}

type result struct {
	task    task
	samples [][]sample // by case, then round; a round that failed is missing
	notes   []string
}

// run does every case once in each round, so that a slow phase of the machine
// meets all of them.
func (t task) run(sh *shell, rounds int) *result {
	r := &result{task: t, samples: make([][]sample, len(t.cases))}
	for round := range rounds {
		for i, k := range t.cases {
			if missing := k.missing(sh); missing != "" {
				if round == 0 {
					r.notes = append(r.notes, fmt.Sprintf("%s: not measured, %s is not installed", k.name, missing))
				}
				continue
			}
			fmt.Fprintf(os.Stderr, "%s %d/%d %s", t.id, round+1, rounds, k.name)
			s, err := k.measure(sh)
			if err != nil {
				fmt.Fprintln(os.Stderr, ":", err)
				r.notes = append(r.notes, fmt.Sprintf("%s failed: %v", k.name, err))
				continue
			}
			fmt.Fprintf(os.Stderr, ": %.2f s, cpu %.2f s, %d MB %v\n", s.wall, s.cpu, s.rss/1e6, s.value)
			r.samples[i] = append(r.samples[i], s)
		}
	}
	return r
}

func (k kase) missing(sh *shell) string {
	for p := range strings.FieldsSeq(k.needs) {
		if !sh.has(p) {
			return p
		}
	}
	return ""
}

func (k kase) measure(sh *shell) (s sample, err error) {
	os.Remove(sh.pids)
	defer func() { k.end(sh) }()
	if err := sh.do(k.setup); err != nil {
		return s, err
	}
	pids := sh.processes()
	before := cpuOfAll(pids)
	if s, err = sh.timed(k.line); err != nil {
		return s, err
	}
	s.cpu += cpuOfAll(pids) - before
	for _, p := range pids {
		s.rss = max(s.rss, rssOf(p))
	}
	if k.out != "" {
		s.out = sizeOf(filepath.Join(sh.c.work, k.out))
	}
	return s, nil
}

func cpuOfAll(pids []int) (sum float64) {
	for _, p := range pids {
		sum += cpuOf(p)
	}
	return sum
}

// end unmounts and ends the case's own daemons, and tidies.
func (k kase) end(sh *shell) {
	sh.do(`for d in m1 m2 m3; do mountpoint -q $d && umount $d; done; true`)
	for _, p := range sh.processes() {
		sh.do(fmt.Sprintf("kill %d 2>/dev/null; for _ in $(seq 200); do [ -d /proc/%d ] || break; sleep 0.02; done", p, p))
	}
	sh.do(k.clean)
}

// timed runs a line under time(1), which tells what the shell and all it
// waited for took, and the resident size of the largest of them.
func (s *shell) timed(line string) (sm sample, err error) {
	figures, out := filepath.Join(s.c.work, "time"), filepath.Join(s.c.work, "last.log")
	c := s.command(line)
	c.Args = append([]string{"/usr/bin/time", "-q", "-o", figures, "-f", "%e %U %S %M"}, c.Args...)
	c.Path, c.Dir = c.Args[0], s.c.work
	f, err := os.Create(out)
	if err != nil {
		return sm, err
	}
	defer f.Close()
	c.Stdout, c.Stderr = f, f
	err = c.Run()
	text, _ := os.ReadFile(out)
	if err != nil {
		return sm, fmt.Errorf("%w: %s", err, lastLines(text))
	}
	b, err := os.ReadFile(figures)
	n := numbers(string(b))
	if err != nil || len(n) != 4 {
		return sm, fmt.Errorf("time(1) said %q (%v)", b, err)
	}
	sm = sample{wall: n[0], cpu: n[1] + n[2], rss: int64(n[3]) << 10}
	if _, v, ok := strings.Cut("\n"+string(text), "\nvalue "); ok {
		sm.value = numbers(v)
	}
	return sm, nil
}

func numbers(s string) (list []float64) {
	for f := range strings.FieldsSeq(s) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			break
		}
		list = append(list, v)
	}
	return list
}

// sizeOf is a file's size, or the sum of a folder's.
func sizeOf(path string) (sum int64) {
	filepath.Walk(path, func(_ string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() {
			sum += st.Size()
		}
		return nil
	})
	return sum
}
