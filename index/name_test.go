package index

import (
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	const id = "0123456789ABCDEF"
	for _, c := range []struct {
		name   string
		number uint32
		part   int64
		ok     bool
	}{
		{id + "-0000.vtr", 0, 0, true},
		{"dir/" + id + "-0012.vtr", 12, 0, true},
		{"C-drive_" + id + "-12345.vtr", 12345, 0, true},
		{"fedcba9876543210-0001_" + id + "-0002.vtr", 2, 0, true},
		{"x" + strings.ToLower(id) + "-0003.VTR", 3, 0, true},
		{id + "-0004-01.vtr", 4, 1, true},
		{id + "-0005.vtr.unfinished", 5, 0, true},
		{id + "-0006-02.vtr.unfinished", 6, 2, true},
		{id + "-4294967294.vtr", 4294967294, 0, true},
		{id + "-4294967295.vtr", 0, 0, false},
		{id + "-99999999999.vtr", 0, 0, false},
		{id + "-0007-00.vtr", 0, 0, false},
		{id + "-0007-x.vtr", 0, 0, false},
		{id + "-0007 (1).vtr", 0, 0, false},
		{id + "-.vtr", 0, 0, false},
		{id + ".vtr", 0, 0, false},
		{"-0008.vtr", 0, 0, false},
		{"123456789ABCDEF-0008.vtr", 0, 0, false},
		{id + "-0009.vtr.part", 0, 0, false},
		{id + "-0009", 0, 0, false},
		{".vtr", 0, 0, false},
		{"", 0, 0, false},
	} {
		set, n, part, ok := ParseName(c.name)
		if ok != c.ok || ok && (n != c.number || part != c.part || set.String() != id) {
			t.Errorf("%q: %v %d %d %v", c.name, set, n, part, ok)
		}
	}
}
