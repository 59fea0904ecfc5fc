package cli

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var sizeUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// size writes n bytes for people: three digits that count, binary units.
func size(n int64) string {
	v, u := float64(n), 0
	for math.Abs(v) >= 999.5 && u < len(sizeUnits)-1 {
		v, u = v/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	digits := 0
	if math.Abs(v) < 9.995 {
		digits = 2
	} else if math.Abs(v) < 99.95 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + sizeUnits[u]
}

// exactSize is size with the number of bytes behind it.
func exactSize(n int64) string {
	if n > -1000 && n < 1000 {
		return size(n)
	}
	return fmt.Sprintf("%s (%s bytes)", size(n), grouped(n))
}

// grouped writes n with a space between groups of three digits.
func grouped(n int64) string { return string(appendGrouped(nil, n)) }

func appendGrouped(b []byte, n int64) []byte {
	first := len(b)
	b = strconv.AppendInt(b, n, 10)
	if n < 0 {
		first++
	}
	for i := len(b) - 3; i > first; i -= 3 {
		b = slices.Insert(b, i, ' ')
	}
	return b
}

// alignLeft fills b with spaces until it is wide bytes long from start on,
// alignRight inserts them there.
func alignLeft(b []byte, start, wide int) []byte {
	for len(b)-start < wide {
		b = append(b, ' ')
	}
	return b
}

func alignRight(b []byte, start, wide int) []byte {
	end := len(b)
	b = alignLeft(b, start, wide)
	if n := len(b) - end; n > 0 {
		copy(b[start+n:], b[start:end])
		for i := range n {
			b[start+i] = ' '
		}
	}
	return b
}

// parseSize reads "4G", "512k", "1.5 MiB" or plain bytes. Units are powers of
// 1024 whatever their case. The result is at least 0.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	shift, ok := unitShift(strings.ToLower(strings.TrimSpace(s[len(digits):])))
	v, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || strings.Trim(digits, "0123456789.") != "" || !(v >= 0) || v*math.Exp2(shift) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size; sizes look like 512, 64k, 100M or 4G", s)
	}
	return int64(v * math.Exp2(shift)), nil
}

func unitShift(u string) (float64, bool) {
	if u == "" || u == "b" {
		return 0, true
	}
	if rest := u[1:]; rest != "" && rest != "b" && rest != "ib" {
		return 0, false
	}
	i := strings.IndexByte("kmgtpe", u[0])
	return float64(10 * (i + 1)), i >= 0
}

// units are the letters of sizes, each 1024 times the one before it.
const units = "KMGTPE"

// sizeFlag is a pflag value of bytes. It is written as it can be given: "2G".
type sizeFlag int64

func (f *sizeFlag) String() string {
	if *f == 0 {
		return ""
	}
	n, unit := int64(*f), -1
	for n%1024 == 0 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	if unit < 0 {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10) + units[unit:][:1]
}
func (f *sizeFlag) Type() string { return "SIZE" }
func (f *sizeFlag) Set(s string) error {
	n, err := parseSize(s)
	*f = sizeFlag(n)
	return err
}

// span writes a duration as people say it: "8 s", "3 min 20 s", "2 h 05 min".
func span(d time.Duration) string {
	s := int64(math.Round(d.Seconds()))
	switch {
	case d < 10*time.Second && d > 0:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d d %02d h", s/86400, s/3600%24)
}

func durationOf(nanos int64) time.Duration { return time.Duration(max(nanos, 0)) }

// minutes is how stamp writes a moment.
const minutes = "2006-01-02 15:04"

// stamp writes a moment in local time to the minute, exactStamp to the last
// digit that file systems keep.
func stamp(t time.Time) string { return t.Local().Format(minutes) }
func exactStamp(t time.Time) string {
	t = t.Local()
	if _, off := t.Zone(); off%60 != 0 { // of a place's own time, before there were zones
		return t.Format("2006-01-02 15:04:05.0000000 -07:00:00")
	}
	return t.Format("2006-01-02 15:04:05.0000000 -0700")
}

// plural is "1 file", "2 files".
func plural[N int | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(int64(n)) + " " + one + "s"
}

// printable makes text from an image fit for one line of a terminal: control
// and invalid characters are written as escapes.
func printable(s string) string {
	clean := strings.IndexFunc(s, unprintable) < 0
	if clean {
		return s
	}
	q := strconv.QuoteToGraphic(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(q[1 : len(q)-1])
}

// unprintable also catches the marks that turn the direction of writing, with
// which a name can show another ending than it has.
func unprintable(r rune) bool {
	return r == '\uFFFD' || r != ' ' && !strconv.IsGraphic(r)
}
