package vss

import (
	"errors"
	"strings"
	"testing"
)

// Codes are told in words, and always with their number.
func TestErrors(t *testing.T) {
	for code, want := range map[HResult]string{
		0x80070005: "administrator (0x80070005)",
		0x8004231F: "no room",
		0x80041234: "failed (0x80041234)",
	} {
		err := error(&StepError{"DoSnapshotSet", code})
		if text := err.Error(); !strings.Contains(text, want) || !strings.Contains(text, "DoSnapshotSet") {
			t.Error(text)
		}
		if !errors.Is(err, code) {
			t.Errorf("%v does not wrap its code", err)
		}
	}
}
