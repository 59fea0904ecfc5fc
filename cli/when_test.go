package cli

import (
	"testing"
	"time"
)

// TestParseWhen: dates as listings show them, and ages beyond what a duration holds.
func TestParseWhen(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = time.UTC
	now := time.Date(2026, 11, 2, 14, 0, 0, 5, time.UTC)
	for s, want := range map[string]time.Time{
		"2026-11-02":                      time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
		"1601-01-01T00:00":                time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC),
		"10000-02-29":                     time.Date(10000, 2, 29, 0, 0, 0, 0, time.UTC),
		"30828-09-14 02:48":               time.Date(30828, 9, 14, 2, 48, 0, 0, time.UTC),
		"+030828-09-14T02:48:05.4775807Z": time.Date(30828, 9, 14, 2, 48, 5, 477580700, time.UTC),
		"3d":                              now.Add(-72 * time.Hour),
		"12h":                             now.Add(-12 * time.Hour),
		"1000000d":                        now.AddDate(0, 0, -1000000),
		"10001-02-29":                     {},
		"130828-09-14":                    time.Date(130828, 9, 14, 0, 0, 0, 0, time.UTC),
		"999999-01-01":                    {},
		"12345-":                          {},
		"1000000000d":                     {},
		"-5d":                             {},
	} {
		got, err := parseWhen(s, now)
		if (err != nil) != want.IsZero() || err == nil && !got.Equal(want) {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
}

// TestExactStamp: the offset is told to the second where a place had no zone yet.
func TestExactStamp(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = time.FixedZone("LMT", -(4*3600 + 56*60 + 2))
	if got := exactStamp(time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC)); got != "1600-12-31 19:03:58.0000001 -04:56:02" {
		t.Error(got)
	}
	time.Local = time.FixedZone("EST", -5*3600)
	if got := exactStamp(time.Date(2026, 1, 1, 0, 0, 0, 100, time.UTC)); got != "2025-12-31 19:00:00.0000001 -0500" {
		t.Error(got)
	}
}
