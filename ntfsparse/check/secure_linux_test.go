package check

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"vitrine/internal/testvol"
)

// TestManyDescriptors: more of them than the check remembers are no fault.
func TestManyDescriptors(t *testing.T) {
	img := testvol.Make(t, testvol.Options{Size: 8 << 20})
	testvol.With(t, img, func(dir string) {
		for i := range 40 {
			name := filepath.Join(dir, fmt.Sprint(i))
			must(t, os.WriteFile(name, nil, 0o600))
			must(t, os.Chmod(name, os.FileMode(0o400|i)))
		}
	}, "permissions")
	b, err := os.ReadFile(img)
	must(t, err)
	v := openVol(t, b)
	if v.c.rep.Counts.Descriptors < 30 {
		t.Fatalf("only %d descriptors", v.c.rep.Counts.Descriptors)
	}
	defer func(n int) { maxSecurityIDs = n }(maxSecurityIDs)
	for _, n := range []int{1, 10, 20} {
		maxSecurityIDs = n
		rep := judged(t, b, Options{})
		if left(rep) == 0 || !rep.Incomplete {
			t.Errorf("with %d remembered it is not said that more are left out", n)
		}
		for _, f := range rep.Findings {
			if f.Code == "S1" || f.Code == "S6" {
				t.Errorf("with %d remembered: %+v", n, f)
			}
		}
	}
	maxSecurityIDs = 1000
	v.securityID("/7", 0x7777)
	rep := judged(t, v.b, Options{})
	if got := codes(rep, Error); len(got) != 1 || got[0] != "S1" || rep.Errors != 1 || rep.Findings[0].Path != "/7" {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestReportIsTheSameEachTime: which findings are kept is no matter of chance.
func TestReportIsTheSameEachTime(t *testing.T) {
	v := soundVolume(t)
	many, n := v.no("/many"), uint32(0)
	v.c.table.each(func(no uint64, e *entry) {
		if refRecord(e.parent) == many && n < 30 {
			v.setSecurity(no, 0x7777+n)
			n++
		}
	})
	first := judged(t, v.b, Options{MaxPerCode: 5})
	if first.Omitted["S1"] != 25 {
		t.Fatalf("%s", first.Summary)
	}
	for range 3 {
		if rep := judged(t, v.b, Options{MaxPerCode: 5}); !reflect.DeepEqual(rep, first) {
			t.Fatalf("%+v\nat first\n%+v", rep, first)
		}
	}
}
