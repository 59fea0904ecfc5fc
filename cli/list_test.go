package cli

import (
	"os"
	"path/filepath"
	"testing"

	"vitrine/internal/filelock"
	"vitrine/reader"
)

// TestMemberBeingWritten tells a capture under way from one that was cut off.
func TestMemberBeingWritten(t *testing.T) {
	m := reader.Member{Path: filepath.Join(t.TempDir(), "x.vtr.unfinished")}
	if err := os.WriteFile(m.Path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lock := filelock.Hold(m.Path)
	if lock == nil {
		t.Skip("no locks here")
	}
	if got := memberState(&m); got != "being written" {
		t.Error(got)
	}
	lock.Release()
	if got := memberState(&m); got != "unfinished" {
		t.Error(got)
	}
}
