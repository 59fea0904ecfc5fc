//go:build long

package ntfsparse_test

import (
	"context"
	"fmt"
	"testing"

	"vitrine/internal/bounds"
	"vitrine/internal/mirage"
	"vitrine/ntfsparse"
)

// TestMirage: what the reader holds of a volume that dictates as much as it can.
func TestMirage(t *testing.T) {
	m := &mirage.Volume{Records: 1 << 19, Blocks: 1 << 14}
	ctx := context.Background()
	v, err := ntfsparse.Open(m, m.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		more int64 // of memory
		do   func() string
	}{
		{"list", 0, func() string {
			folders, names, faults := 0, 0, 0
			for n := uint64(ntfsparse.RecordRoot); n < m.Records && folders < 300; n++ {
				f, err := v.File(n)
				if err != nil || !f.IsDir() {
					continue
				}
				d, err := f.Dir()
				if err != nil || n != ntfsparse.RecordRoot && d.Index().Blocks() > 0 {
					continue
				}
				folders++
				d.Read(0, func(_ ntfsparse.DirEntry, err error) bool {
					if names++; err != nil {
						faults++
					}
					return true
				})
			}
			return fmt.Sprint(folders, " folders, ", names, " names, ", faults, " faults")
		}},
		{"walk", 0, func() string {
			names, faults := 0, 0
			err := v.Walk(ctx, func(e *ntfsparse.WalkEntry) error {
				if names++; e.Err != nil {
					faults++
				}
				return nil
			})
			return fmt.Sprint(names, " names, ", faults, " faults, ", err)
		}},
		{"lost", 0, func() string {
			names := 0
			err := v.WalkLost(ctx, func(ntfsparse.Ref, *ntfsparse.DirEntry) error { names++; return nil })
			return fmt.Sprint(names, " names, ", err)
		}},
		{"deleted", 0, func() string {
			files := 0
			err := v.Deleted(ctx, func(*ntfsparse.DeletedFile) error { files++; return nil })
			return fmt.Sprint(files, " files, ", err)
		}},
		{"used", 0, func() string {
			extents := 0
			err := v.UsedExtents(ctx, func(ntfsparse.Extent) bool { extents++; return true })
			return fmt.Sprint(extents, " extents, ", err)
		}},
		{"owners", 512 << 20, func() string { _, err := v.Owners(); return fmt.Sprint(err) }},
	} {
		var told string
		begin := bounds.Spent()
		peak := bounds.Peak(bounds.Reader+step.more, func() { told = step.do() })
		t.Logf("%s: %s; %d MiB, %.1f s", step.name, told, peak>>20, (bounds.Spent() - begin).Seconds())
		if most := bounds.Reader + step.more; peak > most+most/10 {
			t.Errorf("%s: %d MiB in use", step.name, peak>>20)
		}
	}
	t.Logf("%q", v.Notes())
}
