package ntfsparse

import (
	"cmp"
	"unicode"
)

// UpCase is a volume's table of upper-case forms, one for each UTF-16 unit.
type UpCase [65536]uint16

// parseUpCase decodes the contents of $UpCase.
func parseUpCase(b []byte) *UpCase {
	t := new(UpCase)
	for i := range t {
		t[i] = le.Uint16(b[2*i:])
	}
	return t
}

// defaultUpCase stands in for a table that cannot be read.
func defaultUpCase() *UpCase {
	t := new(UpCase)
	for i := range t {
		t[i] = uint16(i)
		if up := unicode.ToUpper(rune(i)); up < 0x10000 && (i < 0xD800 || i > 0xDFFF) {
			t[i] = uint16(up)
		}
	}
	return t
}

// CompareFold compares two names in UTF-16LE without regard to case, as the
// index does first: unit by unit in upper case, then by length.
func (t *UpCase) CompareFold(a, b []byte) int {
	n := min(len(a), len(b)) &^ 1
	for i := 0; i < n; i += 2 {
		x, y := le.Uint16(a[i:]), le.Uint16(b[i:])
		if x != y {
			if x, y = t[x], t[y]; x != y {
				return cmp.Compare(x, y)
			}
		}
	}
	return cmp.Compare(len(a), len(b))
}

// Compare is the order of names in a folder's index: [UpCase.CompareFold],
// and by the units as they are between names that differ in case alone.
func (t *UpCase) Compare(a, b []byte) int {
	if c := t.CompareFold(a, b); c != 0 {
		return c
	}
	for i := 0; i+1 < len(a); i += 2 {
		if x, y := le.Uint16(a[i:]), le.Uint16(b[i:]); x != y {
			return cmp.Compare(x, y)
		}
	}
	return 0
}
