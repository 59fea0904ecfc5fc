package cli

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"vitrine/volume"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "0.98 KiB", 1024: "1.00 KiB", 1536: "1.50 KiB", 10 << 10: "10.0 KiB",
		100 << 10: "100 KiB", 999 << 10: "999 KiB", 1000 << 10: "0.98 MiB", 4 << 30: "4.00 GiB", 1<<63 - 1: "8.00 EiB", -2048: "-2.00 KiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "512": 512, "64k": 64 << 10, "64K": 64 << 10, "64KiB": 64 << 10, "1.5 MiB": 3 << 19, "4G": 4 << 30, "4gb": 4 << 30, "2T": 2 << 40, "7b": 7,
		"": -1, "x": -1, "-1": -1, "4Q": -1, "4Gx": -1, "9E": -1, "NaN": -1, "k": -1, "1e3": -1, "0x10": -1,
	} {
		got, err := parseSize(s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
}

func TestSizeFlag(t *testing.T) {
	for n, want := range map[sizeFlag]string{0: "", 512: "512", 64 << 10: "64K", 3 << 19: "1536K", 2 << 30: "2G", 2<<30 + 1: "2147483649", 4 << 60: "4E"} {
		if got := n.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(n), got, want)
		}
		var back sizeFlag
		if err := back.Set(n.String()); n != 0 && (err != nil || back != n) {
			t.Errorf("%s is read as %d, %v", want, int64(back), err)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 8400 * time.Millisecond: "8.4 s", 59 * time.Second: "59 s", 200 * time.Second: "3 min 20 s", 7500 * time.Second: "2 h 05 min", 90000 * time.Second: "1 d 01 h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"plain name.txt":    "plain name.txt",
		`back\slash "quot"`: `back\slash "quot"`,
		"Ünïcode 写真":        "Ünïcode 写真",
		"bell\a and\nline":  `bell\a and\nline`,
		"\x1b[31mred":       `\x1b[31mred`,
		"exe\u202etxt.scr":  `exe\u202etxt.scr`,
		"bad\xff":           `bad\xff`,
	} {
		if got := printable(s); got != want {
			t.Errorf("printable(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 12: "12", 1234: "1 234", -1234567: "-1 234 567", 123456: "123 456"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAlign(t *testing.T) {
	for _, c := range []struct {
		s           string
		wide        int
		left, right string
	}{{"", 2, "  ", "  "}, {"ab", 5, "ab   ", "   ab"}, {"abcd", 5, "abcd ", " abcd"}, {"abcde", 3, "abcde", "abcde"}} {
		head := []byte("x ")
		if got := string(alignLeft(append(head, c.s...), 2, c.wide)); got != "x "+c.left {
			t.Errorf("%q is %q", c.s, got)
		}
		if got := string(alignRight(append(head, c.s...), 2, c.wide)); got != "x "+c.right {
			t.Errorf("%q is %q", c.s, got)
		}
	}
}

func TestSortByName(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := range 60 {
		all := make([]volume.Entry, n)
		for i := range all {
			name := []byte{'a' + byte(rnd.IntN(4)), 'a' + byte(rnd.IntN(4))}
			name[rnd.IntN(2)] -= byte(rnd.IntN(2)) * 32
			all[i] = volume.Entry{Name: string(name), Cookie: uint64(i)}
		}
		want := slices.Clone(all)
		slices.SortFunc(want, func(a, b volume.Entry) int { return nameKeyOf(a.Name).compare(nameKeyOf(b.Name)) })
		sortByName(all)
		seen := map[uint64]bool{}
		for i := range all {
			if seen[all[i].Cookie] = true; all[i].Name != want[i].Name {
				t.Fatalf("%d is %q, not %q", i, all[i].Name, want[i].Name)
			}
		}
		if len(seen) != n {
			t.Fatalf("%d of %d entries", len(seen), n)
		}
	}
}
