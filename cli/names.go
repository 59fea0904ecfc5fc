package cli

import (
	"fmt"
	"hash/fnv"
	"path"
	"strings"
	"unicode/utf8"

	"vitrine/ntfsparse"
)

// Names of images become names of files here. What the target cannot hold is
// written as %(HEX), the code of the character in hexadecimal, and so are the
// characters that package ntfsparse puts in the place of those that no path can
// hold; a "%(" that was in the name before is written %(25)(. So every name comes
// back by undoing this, and different names stay different.

// maxTargetName is the longest name of a file, in bytes.
const maxTargetName = 255

// targetName gives the name under which name is written on this system. In an
// overlong name the middle is replaced by a number that stands for it; whole
// is false then.
func targetName(name string, windows bool) (target string, whole bool) {
	target = escapeName(name, windows)
	if len(target) <= maxTargetName {
		return target, true
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	tail := fmt.Sprintf("%%(~%016x)%s", h.Sum64(), shortExt(target))
	return cutRunes(target, maxTargetName-len(tail)) + tail, false
}

func escapeName(name string, windows bool) string {
	if name == "." || name == ".." || name == "" {
		return strings.ReplaceAll(name, ".", "%(2E)") + map[bool]string{true: "%()"}[name == ""]
	}
	var b strings.Builder
	itself := false // the mark was before it
	for i, r := range name {
		if itself {
			b.WriteRune(r)
			itself = false
		} else if itself = marksNext(name[i:]); itself {
			continue
		} else if c, ok := ntfsparse.StandsFor(r); ok {
			fmt.Fprintf(&b, "%%(%02X)", c)
		} else if mustEscape(name, i, r, windows) {
			fmt.Fprintf(&b, "%%(%02X)", r)
		} else {
			_, n := utf8.DecodeRuneInString(name[i:])
			b.WriteString(name[i : i+n]) // keeps bytes that are not UTF-8
		}
	}
	return b.String()
}

// marksNext tells whether name begins with the mark of a character that stands for itself.
func marksNext(name string) bool {
	rest, ok := strings.CutPrefix(name, string(rune(ntfsparse.NameMark)))
	next, _ := utf8.DecodeRuneInString(rest)
	_, stands := ntfsparse.StandsFor(next)
	return ok && (stands || next == ntfsparse.NameMark)
}

// unmarked is a name as the volume has it, but for what no path can hold.
func unmarked(name string) string {
	var b strings.Builder
	for name != "" {
		if marksNext(name) {
			name = name[utf8.RuneLen(ntfsparse.NameMark):]
		}
		_, n := utf8.DecodeRuneInString(name)
		b.WriteString(name[:n])
		name = name[n:]
	}
	return b.String()
}

func mustEscape(name string, i int, r rune, windows bool) bool {
	switch {
	case r == '/' || r == 0:
		return true
	case r == '%':
		return strings.HasPrefix(name[i:], "%(")
	case !windows:
		return false
	case r < ' ' || strings.ContainsRune(`<>:"\|?*`, r):
		return true
	case r == '.' || r == ' ':
		return i == len(name)-1
	}
	return i == 0 && reserved(name)
}

// reserved finds the device names that Windows takes for no file.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if !strings.HasPrefix(stem, "COM") && !strings.HasPrefix(stem, "LPT") {
		return false
	}
	n := stem[3:]
	return len(n) == 1 && n[0] >= '0' && n[0] <= '9' || n == "¹" || n == "²" || n == "³"
}

func shortExt(name string) string {
	if ext := path.Ext(name); len(ext) <= 16 {
		return ext
	}
	return ""
}

func cutRunes(s string, n int) string {
	for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:min(n, len(s))]
}
