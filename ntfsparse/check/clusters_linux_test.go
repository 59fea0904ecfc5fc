package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/testvol"
	"vitrine/ntfsparse"
)

// sharers is a volume of files of 10 clusters each, the first of 20.
func sharers(t *testing.T, files int) *vol {
	img := testvol.Make(t, testvol.Options{Size: 16 << 20})
	testvol.With(t, img, func(dir string) {
		for i := range files {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%03d", i)), make([]byte, map[bool]int{true: 20, false: 10}[i == 0]*4096), 0o644))
		}
	})
	b, err := os.ReadFile(img)
	must(t, err)
	return openVol(t, b)
}

// move gives file i ten clusters at lcn.
func (v *vol) move(i int, lcn int64) {
	v.attr(v.no(fmt.Sprintf("/f%03d", i)), tData, "", func(a []byte) { runs(a, 0x31, 10, byte(lcn), byte(lcn>>8), byte(lcn>>16)) })
}

// told lists what is said of a code: path and message.
func told(t *testing.T, v *vol, code string) (out []string) {
	for _, f := range judged(t, v.b, Options{}).Findings {
		if f.Code == code {
			if f.Severity != Error {
				t.Errorf("%+v", f)
			}
			out = append(out, f.Path+": "+f.Message)
		}
	}
	return out
}

// TestOwners: each file that shares clusters, or whose clusters are marked free, is
// named, once for each stretch.
func TestOwners(t *testing.T) {
	good := sharers(t, 101)
	first := good.lcn("/f000")
	no := func(i int) uint64 { return good.no(fmt.Sprintf("/f%03d", i)) }
	c1 := func(from int64, i int) string {
		return fmt.Sprintf("/f000: Clusters %d to %d belong to $DATA of record %d and to $DATA of record %d (/f%03d).", from, from+9, no(0), no(i), i)
	}
	for what, test := range map[string]struct {
		code string
		do   func(v *vol)
		want func() []string
	}{
		"halves": {"C1", func(v *vol) { v.move(1, first); v.move(2, first+10) }, func() []string { return []string{c1(first, 1), c1(first+10, 2)} }},
		"all on the same": {"C1", func(v *vol) {
			for i := 1; i <= 100; i++ {
				v.move(i, first)
			}
		}, func() (out []string) {
			for i := 1; i <= 100; i++ {
				out = append(out, c1(first, i))
			}
			return out
		}},
		"one file twice": {"C1", func(v *vol) {
			v.attr(v.no("/f000"), tData, "", func(a []byte) { runs(a, 0x31, 10, byte(first), byte(first>>8), byte(first>>16), 0x11, 10, 0) })
		}, func() []string {
			return []string{fmt.Sprintf("/f000: Clusters %d to %d belong to $DATA of record %d twice.", first, first+9, no(0))}
		}},
		"marked free": {"C2", func(v *vol) {
			for lcn := first + 15; lcn < first+40; lcn++ {
				v.bit(v.stream(fBitmap, tData, ""), lcn, false)
			}
		}, func() (out []string) {
			for i, r := range [][2]int64{{first + 15, first + 19}, {first + 20, first + 29}, {first + 30, first + 39}} {
				out = append(out, fmt.Sprintf("/f%03d: Clusters %d to %d belong to record %d but are marked free: the next write can destroy them.", i, r[0], r[1], no(i)))
			}
			return out
		}},
		"bad": {"C5", func(v *vol) { v.badCluster(first + 3); v.move(1, first) }, func() []string {
			return []string{fmt.Sprintf("/f000: Clusters %d belong to a file and are known to be bad.", first+3), fmt.Sprintf("/f001: Clusters %d belong to a file and are known to be bad.", first+3)}
		}},
	} {
		v := good.copyOf(t)
		test.do(v)
		got, want := told(t, v, test.code), test.want()
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\ninstead of\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestManyOwners: run lists that all own the whole volume, of whose bitmap every
// second bit is clear.
func TestManyOwners(t *testing.T) {
	v := sharers(t, 300)
	n := v.c.g.clusters
	bm := v.stream(fBitmap, tData, "")
	v.c.table.each(func(no uint64, e *entry) {
		if no < 64 || e.flags&(recDir|recExt) != 0 {
			return
		}
		v.replace(no, tData, "", func(a []byte) []byte {
			b := bytes.Clone(a[:64])
			for range 60 {
				b = append(b, 0x13, byte(n), byte(n>>8), byte(n>>16), 0)
			}
			b = append(b, make([]byte, 8-len(b)%8)...)
			u32(b, 4, uint32(len(b)))
			return b
		})
	})
	for lcn := int64(0); lcn < n; lcn += 2 {
		v.bit(bm, lcn, false)
	}
	var rep *Report
	bounds.Check(t, func() { rep = judged(t, v.b, Options{MaxPerCode: 10}) })
	if rep.Omitted["C1"] == 0 || rep.Omitted["C2"] == 0 || rep.Omitted["C1"]+rep.Omitted["C2"] > 2*maxShares {
		t.Errorf("%v", rep.Omitted)
	}
}

// TestPathsAreAsListed: a name that is no valid UTF-16, or has what no path can, is
// spelt as listings spell it.
func TestPathsAreAsListed(t *testing.T) {
	v := soundVolume(t)
	no, want := v.no("/plain"), ""
	v.value(no, tName, "", func(x []byte) {
		u16(x, nameHead, 0xDC00)
		u16(x, nameHead+4, 0xD83D)
		u16(x, nameHead+6, '/')
		want = "/" + ntfsparse.DecodeName(x[nameHead:nameHead+10])
	})
	seen := 0
	for _, f := range judged(t, v.b, Options{}).Findings {
		if f.Record != no {
			continue
		}
		if seen++; f.Path != want || f.Code == "I8" && !strings.Contains(f.Message, `"\xed\xb0\x80l\xed\xa0\xbd/n"`) {
			t.Errorf("%q: %+v", want, f)
		}
	}
	if seen == 0 {
		t.Error("no finding")
	}
	for units, text := range map[string]string{"a\x00=\xd8\x00\xde": "a😀", "=\xd8=\xd8\x00\xde\x00\xdc": "\xed\xa0\xbd😀\xed\xb0\x80", ".\x00": ".", "\xe4\x00": "ä"} {
		if got := decode16([]byte(units)); got != text {
			t.Errorf("%q: %q instead of %q", units, got, text)
		}
	}
}
