//go:build long

package check

import (
	"context"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/mirage"
)

// TestMirage: what the check holds of a volume that dictates as much as it can, see
// docs/check.md.
func TestMirage(t *testing.T) {
	m := &mirage.Volume{Records: 1 << 20, Blocks: 1 << 14}
	most := int64(m.Records)*32 + 48<<20 // the map of so few clusters is small
	var rep *Report
	var err error
	begin := bounds.Spent()
	peak := bounds.Peak(most, func() { rep, err = Run(context.Background(), m, m.Size(), Options{Deep: true}) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB, %.1f s, %v, %d findings, %+v", peak>>20, (bounds.Spent() - begin).Seconds(), rep.Worst, len(rep.Findings), rep.Counts)
	if peak > most+most/10 {
		t.Errorf("%d MiB in use", peak>>20)
	}
}
