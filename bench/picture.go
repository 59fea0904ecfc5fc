//go:build linux

package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// picture is a bar for each comparison: how many times as fast as the other we
// are, on a scale of powers of two.
func picture(results []*result) string {
	var b strings.Builder
	y := 40
	for _, r := range results {
		y += 8
		for i, k := range r.task.cases {
			times, ok := r.against(i, r.task.figure)
			if !ok || times <= 0 {
				continue
			}
			if r.task.rate == "" {
				times = 1 / times
			}
			b.WriteString(bar(y, r.task.title+" – "+k.name, times))
			y += 18
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="980" height="%d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="white"/>
<text x="12" y="22" font-size="15">How many times as fast vitrine is as each other way (right of the line: faster)</text>
%s<line x1="%d" y1="36" x2="%[3]d" y2="%d" stroke="black"/>
</svg>
`, y+16, b.String(), middle, y+4)
}

const (
	middle  = 660
	doubled = 50 // pixels of a factor of two
)

func bar(y int, label string, times float64) string {
	w := int(math.Round(math.Log2(times) * doubled))
	w = max(min(w, 270), -150)
	x, color := middle, "#2a7f4f"
	if w < 0 {
		x, color = middle+w, "#b5482f"
	}
	return fmt.Sprintf("<text x=\"12\" y=\"%d\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"13\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%.2f</text>\n",
		y+11, html.EscapeString(label), x, y, max(w, -w, 1), color, max(x+max(w, -w)+4, middle+4), y+11, times)
}
