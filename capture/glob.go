package capture

import (
	"strings"
	"unicode"
)

// globs are patterns of paths. '*' matches any run of characters but '/', '?'
// one of them, "**" any run at all; letters match in either case. A pattern
// without '/' is looked for in every folder; one that matches a folder means
// everything below it.
type globs []glob

type glob struct {
	text  string
	parts []string
}

func parseGlobs(list []string) (globs, error) {
	var out globs
	for _, s := range list {
		p := strings.Trim(strings.ReplaceAll(s, `\`, "/"), "/")
		if p == "" {
			return nil, &OptionError{"exclude", s, "the pattern is empty"}
		}
		if strings.ContainsRune(p, '[') {
			return nil, &OptionError{"exclude", s, "sets of characters like [a-z] are not understood; '?' stands for any one character"}
		}
		if !strings.Contains(strings.Trim(strings.ReplaceAll(s, `\`, "/"), " "), "/") {
			p = "**/" + p
		}
		out = append(out, glob{s, strings.Split(fold(p), "/")})
	}
	return out, nil
}

// match gives the first pattern that path, from the root, matches; "": none.
// All that match are noted in matched.
func (g globs) match(path string, matched map[string]bool) (first string) {
	names := strings.Split(fold(strings.Trim(path, "/")), "/")
	for _, p := range g {
		if !matchPath(p.parts, names) {
			continue
		}
		if matched[p.text] = true; first == "" {
			first = p.text
		}
	}
	return first
}

func fold(s string) string {
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
}

// matchPath matches pattern against names or the folders that lead to them. It
// keeps the set of pattern positions reached, so its time is bounded by the
// product of the lengths.
func matchPath(pattern, names []string) bool {
	at := make([]bool, len(pattern)+1)
	at[0] = true
	for _, name := range names {
		next := make([]bool, len(pattern)+1)
		for i := range pattern {
			switch {
			case pattern[i] == "**":
				at[i+1] = at[i+1] || at[i]
				next[i] = next[i] || at[i]
			case at[i] && matchName([]rune(pattern[i]), []rune(name)):
				next[i+1] = true
			}
		}
		if at = next; at[len(pattern)] {
			return true
		}
	}
	return len(pattern) > 0 && pattern[len(pattern)-1] == "**" && at[len(pattern)-1]
}

// matchName matches one name, going back to the last star on a mismatch.
func matchName(p, s []rune) bool {
	i, star, mark := 0, -1, 0
	for k := 0; k < len(s); {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, k
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[k]):
			i++
			k++
		case star >= 0:
			mark++
			i, k = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
