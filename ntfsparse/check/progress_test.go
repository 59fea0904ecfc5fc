package check

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// TestProgressIsTrue looks that phases begin at 0, only rise, keep their total
// and, on a sound volume, end with it.
func TestProgressIsTrue(t *testing.T) {
	for _, img := range [][]byte{smallVolume(), usedVolume()} {
		var now Progress
		phases := 0
		judged(t, img, Options{Deep: true, Progress: func(p Progress) {
			switch {
			case p.Phase != now.Phase:
				if p.Done != 0 || now.Done != now.Total {
					t.Errorf("%+v follows %+v", p, now)
				}
				phases++
			case p.Total != now.Total || p.Done < now.Done || p.Done > p.Total:
				t.Errorf("%+v follows %+v", p, now)
			}
			now = p
		}})
		if phases < 5 || now.Done != now.Total {
			t.Errorf("%d phases, the last %+v", phases, now)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := smallVolume()
	if rep, err := Run(ctx, bytes.NewReader(b), int64(len(b)), Options{}); !errors.Is(err, context.Canceled) || rep != nil {
		t.Errorf("%v, %v", rep, err)
	}
}

// patchy fails to read some ranges, as a damaged disk or image does.
type patchy struct {
	b    []byte
	from int64
}

var errPatch = errors.New("unreadable")

func (p *patchy) ReadAt(b []byte, off int64) (int, error) {
	if off < p.from+512 && p.from < off+int64(len(b)) {
		return 0, errPatch
	}
	return copy(b, p.b[off:]), nil
}

// TestUnreadableBootSector: its backup stands for it.
func TestUnreadableBootSector(t *testing.T) {
	b := smallVolume()
	for _, backup := range []bool{true, false} {
		if !backup {
			clear(b[len(b)-512:])
		}
		rep, err := Run(t.Context(), &patchy{b, 0}, int64(len(b)), Options{})
		must(t, err)
		if f := rep.Findings[0]; f.Code != "B1" || rep.Errors != 1 || (f.Severity == Error) != backup || (rep.Counts.Files > 60) != backup {
			t.Errorf("backup %v: %s %+v", backup, rep.Summary, rep.Findings)
		}
	}
}

// TestEverySectorUnreadable makes each sector in turn unreadable: the check goes
// on, and says so when something was there.
func TestEverySectorUnreadable(t *testing.T) {
	b := smallVolume()
	c := newChecker(context.Background(), bytes.NewReader(b), int64(len(b)), Options{})
	if !c.boot() || !c.openTable() {
		t.Fatal("no volume")
	}
	bitmap, err := c.load(fBitmap, tData, "")
	must(t, err)
	used, err := c.readAll(bitmap, 1<<20)
	must(t, err)
	for lcn := int64(0); lcn < c.g.clusters; lcn += 7 {
		rep, err := Run(t.Context(), &patchy{b, lcn * 512}, int64(len(b)), Options{Deep: true})
		must(t, err)
		if inUse := used[lcn/8]>>(lcn&7)&1 != 0; inUse && rep.Worst < Warning {
			t.Errorf("sector %d is in use and unreadable: %s", lcn, rep.Summary)
		}
	}
}
