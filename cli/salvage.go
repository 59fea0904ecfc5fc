package cli

import (
	"fmt"
	"strings"
)

// A copy looks for what can be read in every sector, the least that a disk
// loses, until a gap has so many of them; then in that many steps as the gap
// doubles.
const (
	sector   = 512
	gapSteps = 4096
)

// halfway is the sector's border in the middle of the bytes from off to end, or
// end when there is none.
func halfway(off, end int64) int64 {
	mid := (off + (end-off)/2) / sector * sector
	if mid <= off {
		mid = (off/sector + 1) * sector
	}
	return min(mid, end)
}

// gapEnd looks for the end of what cannot be read from off on: sector by sector
// at first, in steps that grow with a gap of more than 2 MiB, and then back. So
// the cost depends on no size that a damaged volume claims.
func gapEnd(off, end int64, readable func(int64) bool) int64 {
	bad, next := off, off
	for {
		step := max(sector, (bad-off)/gapSteps)
		if next = end; step < end-bad {
			next = (bad + step) / sector * sector
		}
		if next == end || readable(next) {
			break
		}
		bad = next
	}
	for {
		mid := halfway(bad, next)
		switch {
		case mid == next:
			return next
		case readable(mid):
			next = mid
		default:
			bad = mid
		}
	}
}

// maxGaps bounds the gaps of one file that are kept one by one.
const maxGaps = 4096

// gap is a range of a file that could not be read, in bytes.
type gap struct {
	Off int64 `json:"offset"`
	Len int64 `json:"length"`
}

// gaps are what could not be read of one file.
type gaps struct {
	list  []gap
	more  int64 // gaps that are not in list
	bytes int64 // in all
	end   int64 // of the last one
	why   error // of the first
}

// add notes that the bytes from off to end are missing. Calls come in order.
func (g *gaps) add(off, end int64, why error) {
	fresh := g.bytes == 0 || off != g.end
	g.bytes, g.end = g.bytes+end-off, end
	switch {
	case !fresh && g.more == 0:
		g.list[len(g.list)-1].Len += end - off
	case fresh && len(g.list) < maxGaps:
		g.list = append(g.list, gap{off, end - off})
	case fresh:
		g.more++
	}
	if g.why == nil {
		g.why = why
	}
}

func (g *gaps) Error() string {
	const most = 8
	var words []string
	for i, x := range g.list {
		if i == most {
			words = append(words, fmt.Sprintf("%s more", grouped(int64(len(g.list)-most)+g.more)))
			break
		}
		words = append(words, fmt.Sprintf("%d to %d", x.Off, x.Off+x.Len-1))
	}
	return fmt.Sprintf("copied without %s, zeros stand for them: bytes %s (%v)", plural(g.bytes, "byte"), strings.Join(words, ", "), g.why)
}

func (g *gaps) Unwrap() error { return g.why }

// gaps lists a file of which a part is missing.
func (c *copier) gaps(from found, dir *folder, g *gaps) {
	if g.bytes > 0 {
		c.hurt.add(c.e, dir.where(from), g)
	}
}
