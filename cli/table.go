package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in columns. Columns whose head starts with '>' are aligned to
// the right.
type table struct {
	right []bool
	rows  [][]string
}

func newTable(heads ...string) *table {
	t := &table{}
	for i, h := range heads {
		t.right = append(t.right, strings.HasPrefix(h, ">"))
		heads[i] = strings.TrimPrefix(h, ">")
	}
	t.row(heads...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) print(w io.Writer) error {
	wide := make([]int, len(t.right))
	for _, r := range t.rows {
		for i, c := range r {
			wide[i] = max(wide[i], utf8.RuneCountInString(c))
		}
	}
	for _, r := range t.rows {
		if _, err := fmt.Fprintln(w, t.line(r, wide)); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) line(cells []string, wide []int) string {
	var b strings.Builder
	for i, c := range cells {
		pad := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(c))
		if i > 0 {
			b.WriteString("  ")
		}
		if t.right[i] {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
