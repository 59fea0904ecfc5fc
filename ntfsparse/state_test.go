package ntfsparse

import (
	"strings"
	"testing"
)

func TestHibernation(t *testing.T) {
	for magic, want := range map[string]string{
		"hibr": "Windows is hibernated", "HIBR": "Windows is hibernated", "wake": "Windows began to wake", "RSTR": "Windows began to wake", "WAKE": "whether it came back is not noted", "\x00\x00\x00\x00": "",
	} {
		b := newRB(200, 4096, 1024, 64)
		b.root(ixEntry(MakeRef(40, 1), fnv(5, 5, "hiberfil.sys", 3, 0)))
		lcn := b.alloc(1, []byte(magic))
		b.put(40, 1, 1, 0, b.si(6), b.fn(5, 5, "hiberfil.sys", 3, 0), b.nonres(TypeData, "", 0, 0, 0, 0, runs(1, lcn), 4096, 4096, 4096))
		v := b.open(t)
		notes := strings.Join(v.Notes(), "\n")
		if v.Hibernated() != (want != "" && magic != "WAKE") || strings.Contains(notes, "Windows") != (want != "") || !strings.Contains(notes, want) {
			t.Errorf("%q: %v, %q", magic, v.Hibernated(), notes)
		}
	}
}
