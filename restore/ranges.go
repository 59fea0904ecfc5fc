package restore

import "sort"

// span is the bytes from off up to end.
type span struct{ off, end int64 }

func (s span) len() int64 { return s.end - s.off }

// clip cuts s to what o covers; empty when they do not meet.
func (s span) clip(o span) span {
	r := span{max(s.off, o.off), min(s.end, o.end)}
	if r.end < r.off {
		r.end = r.off
	}
	return r
}

// normal sorts spans, joins those that touch and drops empty ones.
func normal(in []span) (out []span) {
	in = append([]span(nil), in...)
	sort.Slice(in, func(i, j int) bool { return in[i].off < in[j].off })
	for _, s := range in {
		if s.end <= s.off {
			continue
		}
		if n := len(out); n > 0 && s.off <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}

// without is what is left of the spans in all when cut is taken out.
func without(all, cut []span) (out []span) {
	cut = normal(cut)
	for _, s := range normal(all) {
		for _, c := range cut {
			if c.end <= s.off || c.off >= s.end {
				continue
			}
			if c.off > s.off {
				out = append(out, span{s.off, c.off})
			}
			s.off = min(c.end, s.end)
		}
		if s.off < s.end {
			out = append(out, s)
		}
	}
	return out
}
