package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Marks around the table in the tally.
const (
	tableBegin = "<!-- tally -->\n"
	tableEnd   = "<!-- /tally -->"
	tableHead  = "| target | CPU hours | executions | last version |\n| --- | --- | --- | --- |\n"
)

// tally adds work to the file's table, when that is asked for, and prints the
// sum.
func tally(w work) error {
	if !*record {
		fmt.Printf("fuzz: %s: %.0f CPU s, %d executions\n", w.target, w.cpu.Seconds(), w.execs)
		return nil
	}
	b, err := os.ReadFile(tallyFile)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(b), tableBegin)
	table, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no table between %q and %q", tallyFile, tableBegin, tableEnd)
	}
	rows := add(parse(table), w)
	fmt.Printf("fuzz: %s: %.0f CPU s, %d executions; in all %.2f CPU hours\n", w.target, w.cpu.Seconds(), w.execs, sum(rows).cpu.Hours())
	return os.WriteFile(tallyFile, []byte(before+tableBegin+format(rows)+tableEnd+after), 0o644)
}

func parse(table string) (rows []work) {
	for _, line := range strings.Split(table, "\n") {
		c := strings.Split(line, "|")
		if len(c) != 6 {
			continue
		}
		hours, err := strconv.ParseFloat(strings.TrimSpace(c[2]), 64)
		if err != nil || strings.Contains(c[1], "**") {
			continue
		}
		n, _ := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(c[3]), ",", ""), 10, 64)
		rows = append(rows, work{strings.TrimSpace(c[1]), time.Duration(hours * float64(time.Hour)), n, strings.TrimSpace(c[4])})
	}
	return rows
}

func add(rows []work, w work) []work {
	for i, r := range rows {
		if r.target == w.target {
			w.cpu, w.execs = w.cpu+r.cpu, w.execs+r.execs
			rows[i] = w
			return rows
		}
	}
	rows = append(rows, w)
	slices.SortFunc(rows, func(a, b work) int { return strings.Compare(a.target, b.target) })
	return rows
}

func sum(rows []work) (w work) {
	for _, r := range rows {
		w.cpu, w.execs = w.cpu+r.cpu, w.execs+r.execs
	}
	return w
}

func format(rows []work) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %.4f | %d | %s |\n", r.target, r.cpu.Hours(), r.execs, r.version)
	}
	all := sum(rows)
	fmt.Fprintf(&b, "| **all** | **%.2f** | **%d** | |\n", all.cpu.Hours(), all.execs)
	return b.String()
}
